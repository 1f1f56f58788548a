"""A model judged on a data set: the figures of `evaluate`, and the samples it is most wrong about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.dataset import gather, origin_of
from lenetcli.data.loader import DataLoader
from lenetcli.data.transforms import Preprocessing
from lenetcli.inspection.model.judgement import Metrics, metrics_of
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.answers import class_name, decisions, probabilities
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.losses import main_term
from lenetcli.train.pairing import paired
from lenetcli.train.scores import Scores

BATCH = 256  # as `lenet eval` does it, so that the figures are the same to the last digit
FEW = 4  # numbers of a target that are shown

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mistake:
    """A sample that the model is wrong about.

    Args:
        index: its number in the split.
        wrongness: how sure the model is of the wrong class, from 0 to 1; of targets that are no classes, the mean
            distance of the output from the target.
        target: number of the true class, or the first numbers of the target.
        output: number of the predicted class, or the first numbers of the output, as probabilities where targets are.
        image: (C, H, W), from 0 to 1, as it was before it was normalised.
        file: where the sample comes from; empty where the data set does not say.
    """

    index: int
    wrongness: float
    target: int | list[float]
    output: int | list[float]
    image: Array
    file: str = ""

    def record(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """As `report --json` shows it."""
        return self._answer(classes) | ({"file": self.file} if self.file else {})

    def _answer(self, classes: tuple[str, ...]) -> dict[str, Any]:
        if isinstance(self.target, int) and isinstance(self.output, int):
            return {
                "index": self.index, "class": class_name(classes, self.target),
                "predicted": class_name(classes, self.output), "confidence": self.wrongness,
            }  # fmt: skip
        return {"index": self.index, "target": self.target, "output": self.output, "distance": self.wrongness}


@dataclass(frozen=True)
class Judged:
    """What a pass over a split found."""

    split: str
    evaluation: Evaluation
    mistakes: list[Mistake]
    metrics: Metrics | None = None  # of the main output, where its answers can be measured

    @property
    def confused(self) -> list[tuple[int, int, int]]:
        """Pairs of true class, predicted class and how often that happened, most often first."""
        return [] if self.evaluation.counts is None else self.evaluation.counts.mistaken


def judge(
    model: Module, dataset: Any, criterion: Module, classes: int, split: str, worst: int, steps: Preprocessing | None
) -> Judged:
    """Evaluates a model as `lenet eval` does, and keeps the samples with the surest wrong predictions.

    Args:
        classes: how many there are; 0 where targets are no classes.
        worst: how many samples to keep at most.
        steps: what the samples went through; None where nothing is known of it.
    """
    watched = _Watched(model)
    ranking, scores = _Ranking(worst, criterion), Scores(main_term(criterion).criterion)
    with np.errstate(all="ignore"):  # a model that has diverged gives NaN
        batches = ranking.watching(DataLoader(dataset, BATCH), watched)
        found = evaluate(watched, batches, criterion, classes, scores=scores)
        measured = scores.measured()
        metrics = None if measured is None else metrics_of(measured)
    return Judged(split, found, ranking.mistakes(dataset, steps), metrics)


class _Watched(Module):
    """The model, remembering its last output."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model
        self.training = model.training
        self.last: Any = None

    def forward(self, inputs: Tensor) -> Any:
        self.last = self.model(inputs)
        return self.last


class _Ranking:
    """The worst samples so far, worst first: those that `wrongness` is largest for."""

    def __init__(self, most: int, criterion: Module) -> None:
        self.most, self.term = most, main_term(criterion)
        self.criterion = self.term.criterion
        self.rows: list[tuple[float, int, Any, Any]] = []

    def watching(self, loader: DataLoader, model: _Watched) -> Iterator[tuple[Any, Any]]:
        """The batches; each is looked at once the model has answered, when the next one is asked for."""
        start = 0
        for inputs, targets in loader:
            yield inputs, targets
            if model.last is not None and self.most:
                self._add(start, self.term.of(model.last), self.term.wanted(targets, inputs))
            start += len(inputs)

    def _add(self, start: int, output: Tensor, targets: Tensor) -> None:
        targets = paired(self.criterion, output, targets)
        found = decisions(output.array, targets.array, self.criterion)
        shares = None if found is None else probabilities(output.array, self.criterion)
        if found is not None and shares is not None:
            predicted, wanted, counted = found
            sure = shares[np.arange(len(predicted)), predicted]
            wrong = np.flatnonzero((predicted != wanted) if counted is None else (predicted != wanted) & counted)
            new = [(float(sure[i]), start + int(i), int(wanted[i]), int(predicted[i])) for i in wrong]
        elif output.array.shape == targets.array.shape:
            said = _as_targets(output.array, targets.array, self.criterion)
            flat, wanted = (np.reshape(a, (len(a), -1)) for a in (said, targets.array))
            distance = np.abs(flat.astype(np.float64) - wanted).mean(axis=1)
            new = [
                (float(d), start + i, wanted[i, :FEW].tolist(), flat[i, :FEW].tolist()) for i, d in enumerate(distance)
            ]
        else:
            return
        ranked = sorted(self.rows + new, key=lambda row: (-row[0] if row[0] == row[0] else np.inf, row[1]))
        self.rows = ranked[: self.most]

    def mistakes(self, dataset: Any, steps: Preprocessing | None) -> list[Mistake]:
        """The samples with their pictures."""
        if not self.rows:
            return []
        images = gather(dataset, np.array([row[1] for row in self.rows]))[0]
        return [
            Mistake(index, wrongness, target, output, shown(image, steps), origin_of(dataset, index))
            for (wrongness, index, target, output), image in zip(self.rows, images)
        ]


def _as_targets(output: Array, targets: Array, criterion: Module) -> Array:
    """Outputs in the words of targets that are no classes: as probabilities where the targets are some."""
    shares = probabilities(output, criterion) if bool(((targets >= 0) & (targets <= 1)).all()) else None
    return output if shares is None or shares.shape != output.shape else shares


def shown(image: Array, steps: Preprocessing | None) -> Array:
    """A sample (C, H, W) as a picture from 0 to 1, float64.

    Normalisation is undone. Where the values are then no picture's, the lowest becomes 0 and the highest 1.
    """
    found = np.asarray(image, np.float64)
    if steps is not None and steps.normalize is not None:
        mean, std = (np.reshape(np.asarray(v, np.float64), (-1, 1, 1)) for v in steps.normalize)
        found = found * std + mean
    low, high = (float(found.min()), float(found.max())) if np.isfinite(found).all() else (0.0, 0.0)
    if low >= -0.01 and high <= 1.01 and high > 0:
        return found.clip(0, 1)
    return (found - low) / (high - low) if high > low else np.zeros_like(found)
