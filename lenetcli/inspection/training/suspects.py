"""Training samples ranked by how badly a run goes on doing on them: those with a wrong label stand at the head.

The run is trained again, each loss held to the recorded one. A sample's own loss is taken whenever the run comes to it
again, in the steps from its second epoch on, and once more after the last step; their mean ranks the samples. (What the
first epoch has not learned yet it does badly on for no fault of the sample's; later a wrong label is learned by heart
last of all.) Nothing is kept but two numbers for each sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.data.dataset import numbering, origin_of, whole_of
from lenetcli.data.loader import DataLoader
from lenetcli.inspection.record import strict
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.per_sample import per_sample
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.inspection.training.why import numbers_of
from lenetcli.train.answers import class_name
from lenetcli.train.run import Run
from lenetcli.train.sample_losses import sample_losses
from lenetcli.train.step import Phase, Step

BATCH = 256


@dataclass(frozen=True)
class Suspects:
    """All samples that a run trains on, the most suspect first.

    Args:
        numbers: in the training data, (N,).
        losses: the mean of the sample's own losses, (N,).
        looks: of how many, (N,).
        labels, predicted: its class and the one that the run's last weights take it for, (N,); None where targets are
            no classes.
        dataset: the training data that the numbers are of.
        classes: their names.
    """

    numbers: Array
    losses: Array
    looks: Array
    labels: Array | None
    predicted: Array | None
    dataset: Any
    classes: tuple[str, ...]

    def row(self, place: int) -> dict[str, Any]:
        """The sample at this place of the ranking, as JSON shows it."""
        found: dict[str, Any] = {"index": int(self.numbers[place]), "loss": float(self.losses[place])}
        if self.labels is not None and self.predicted is not None:
            found["label"] = class_name(self.classes, int(self.labels[place]))
            found["predicted"] = class_name(self.classes, int(self.predicted[place]))
        file = origin_of(self.dataset, found["index"])
        return found | ({"file": file} if file else {})

    def record(self, count: int | None = None) -> dict[str, Any]:
        """As JSON holds it: so many of them, or all."""
        rows = [self.row(place) for place in range(len(self.numbers))[:count]]
        found: dict[str, Any] = strict({"samples": len(self.numbers), "suspects": rows})
        return found


def suspects(place: Path, places: Sequence[str] = ()) -> Suspects:
    """The ranking of a run's training data.

    Args:
        places: where the run's data lies now, as data.root=DIR.

    Raises:
        ConfigError: no run.
        DataError: files of the run, or its data, are missing or damaged.
        CheckFailed: a loss is not the recorded one.
    """
    return ranked(Recorded.of(place, places))


def ranked(recorded: Recorded) -> Suspects:
    """The ranking of a run that is known already; see `suspects`."""
    replayed = Replayed(recorded)
    run = replayed.run
    run.keep_features, looks = 0, _Looks(run)
    run.around, run.needs_graph = looks, False
    for step in range(1, recorded.last + 1):
        replayed.advance(step)
    last = per_sample(run, run.shown_model, DataLoader(run.train_loader.dataset, BATCH))
    looks.add(np.arange(len(last.losses)), last.losses)
    numbers, means = numbering(run.train_loader.dataset), looks.sums / looks.counts
    order = np.argsort(-np.nan_to_num(means, nan=np.inf), kind="stable")
    labels, predicted = (None if told is None else told[order] for told in (last.targets, last.predicted))
    whole = whole_of(run.train_loader.dataset)
    return Suspects(numbers[order], means[order], looks.counts[order], labels, predicted, whole, run.classes)


class _Looks:
    """Sums up the samples' losses, from within the steps."""

    def __init__(self, run: Run) -> None:
        self.run = run
        numbers = numbering(run.train_loader.dataset)
        self.sums, self.counts = np.zeros(len(numbers)), np.zeros(len(numbers), np.int64)
        self._places = np.empty(int(numbers.max(initial=0)) + 1, np.int64)  # of a number among them
        self._places[numbers] = np.arange(len(numbers))

    def __call__(self, step: Step, phase: Phase) -> None:
        phase()
        p = self.run.progress
        if phase.__name__ == "forward" and p.epoch:
            inputs, targets = step.batch
            batch = p.batch + next(i for i, b in enumerate(step.group) if b is step.batch)
            places = self._places[numbers_of(self.run, p.epoch, batch, len(inputs))]
            self.add(places, sample_losses(self.run.criterion, step.output, targets, inputs)[0])

    def add(self, places: Array, losses: Array) -> None:
        """Takes in the losses of so many samples once."""
        self.sums[places] += losses
        self.counts[places] += 1
