"""A run without some of its training samples: what is expected of that, and what training again without them gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lenetcli.data.dataset import numbering, whole_of
from lenetcli.errors import ConfigError, LenetError
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.per_sample import PerSample, per_sample
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.inspection.training.suspects import ranked
from lenetcli.inspection.training.without import Estimate
from lenetcli.train.run import Run

SEED = 0  # of what is left out for comparison


@dataclass(frozen=True)
class Image:
    """What becomes of one sample of the test split.

    Args:
        index: its number there; `target`: its class, where it has one.
        loss: its own, after the run's last step.
        predicted, actual: how that changes.
    """

    index: int
    target: int | None
    loss: float
    predicted: float
    actual: float


@dataclass(frozen=True)
class Control:
    """A training without as many samples, drawn at random: what leaving out just any does."""

    without: list[int]
    actual: float


@dataclass(frozen=True)
class WhatIf(Record):
    """What leaving samples out does to the run's last weights.

    Args:
        without: numbers of the samples in the training data.
        steps: of the run, and of the training without.
        batches: how many of the run's had one of the samples.
        loss, accuracy: of the run's last weights (their average, where it has one) on the test split.
        predicted, actual: change of the loss: as estimated, as it is.
        accuracy_without: the accuracy of the training without.
        agreement: correlation of the predicted and the actual changes over all test samples; None where one has none.
        images: the test samples whose loss changes most.
        controls: trainings without as many other samples.
        classes: names of the test samples' classes.
    """

    SHOWN: ClassVar = (
        "without", "steps", "batches", "loss", "accuracy", "predicted", "actual", "accuracy_without", "agreement",
        "images", "controls",
    )  # fmt: skip

    without: list[int]
    steps: int
    batches: int
    loss: float
    accuracy: float | None
    predicted: float
    actual: float
    accuracy_without: float | None
    agreement: float | None
    images: list[Image]
    controls: list[Control]
    classes: tuple[str, ...]


def whatif(
    place: Path, places: Sequence[str], without: Sequence[int] = (), worst: int = 0, images: int = 10, controls: int = 1
) -> WhatIf:
    """What a run would be without some of its samples.

    Args:
        places: where the run's data lies now, as data.root=DIR.
        without: numbers of the samples in the training data.
        worst: how many to take of the head of the ranking that `suspects` gives, in place of that.
        images: how many samples of the test split are named.
        controls: how many trainings are made without as many others.

    Raises:
        ConfigError: no run, or samples that it does not train on.
        DataError: files of the run, or its data, are missing or damaged.
        CheckFailed: a loss is not the recorded one.
    """
    recorded = Recorded.of(place, places)
    replayed = Replayed(recorded)
    known = numbering(replayed.run.train_loader.dataset)
    _check(known, without, worst, replayed.run)
    chosen = np.unique(ranked(recorded).numbers[:worst] if worst else np.asarray(without, np.int64))
    with _possible("--without"):
        estimate, before = _followed(recorded, replayed, np.flatnonzero(np.isin(known, chosen)))
        after = _trained(recorded, chosen)
    predicted, actual = estimate.changes(before), after.losses - before.losses
    most = np.argsort(-np.abs(actual), kind="stable")[:images]
    draws, others = np.random.default_rng(SEED), np.setdiff1d(known, chosen)
    many = min(len(chosen), len(others))
    compared = [np.sort(draws.choice(others, many, replace=False)) for _ in range(controls)]
    with _possible("--controls (0 leaves them out)"):
        tried = [Control(numbers.tolist(), _trained(recorded, numbers).loss - before.loss) for numbers in compared]
    return WhatIf(
        chosen.tolist(),
        recorded.last,
        estimate.batches,
        before.loss,
        before.accuracy,
        before.mean(predicted),
        after.loss - before.loss,
        after.accuracy,
        _correlation(predicted, actual),
        [_image(int(i), before, predicted, actual) for i in most],
        tried,
        replayed.run.classes,
    )


@contextmanager
def _possible(option: str) -> Iterator[None]:
    """Within the block a batch may be too small for a layer, as for a batch norm that gets one sample."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, LenetError):
            raise
        raise ConfigError(f"{option}: a batch that loses its samples cannot be trained on: {error}") from error


def _followed(recorded: Recorded, replayed: Replayed, samples: Array) -> tuple[Estimate, PerSample]:
    """The run made again with the estimate beside it."""
    run = replayed.run
    run.keep_features, estimate = 0, Estimate(run, samples)
    run.around, run.needs_graph = estimate, False
    for step in range(1, recorded.last + 1):
        replayed.advance(step)
    return estimate, per_sample(run, run.shown_model)


def _trained(recorded: Recorded, without: Array) -> PerSample:
    """The same training without samples."""
    replayed = Replayed(recorded, without=without.tolist())
    for step in range(1, recorded.last + 1):
        replayed.advance(step)
    return per_sample(replayed.run, replayed.run.shown_model)


def _check(known: Array, without: Sequence[int], worst: int, run: Run) -> None:
    data: Any = run.train_loader.dataset
    count = len(known)
    if max(worst, len(set(without))) >= count:
        raise ConfigError(f"of the {count:,} that the run trains on at least one sample has to stay")
    strange = np.setdiff1d(np.asarray(without, np.int64), known)
    if len(strange):
        whole = len(whole_of(data))
        held = " and does not hold back for validation" if run.validation_loader is not None else ""
        raise ConfigError(
            f"--without {strange[0]}: wanted numbers of samples that the run trains on{held}, from 0 to {whole - 1:,}"
        )


def _image(index: int, before: PerSample, predicted: Array, actual: Array) -> Image:
    target = None if before.targets is None else int(before.targets[index])
    return Image(index, target, float(before.losses[index]), float(predicted[index]), float(actual[index]))


def _correlation(a: Array, b: Array) -> float | None:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 0 and b.std() > 0 else None
