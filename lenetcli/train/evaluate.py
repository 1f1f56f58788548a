"""Loss, accuracy and confusion of a model over a data set."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import no_grad
from lenetcli.kernels.device import on_device, to_host
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.answers import class_names, decisions, probabilities
from lenetcli.train.confusion import Confusion, ConfusionTally, Counts
from lenetcli.train.losses import Losses, main_term, terms_of
from lenetcli.train.pairing import loss_of
from lenetcli.train.scores import Scores

Sums = tuple[float, float, int, int | None, int]  # of losses and their weights; samples, right ones, ignored ones
BINS = 15  # of confidence, for the calibration error


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares: of `count` samples of it, and of those that were taken for it."""

    count: int
    precision: float  # share of right ones among those taken for it; 0 where there are none
    recall: float  # share of its samples that were found
    f1: float  # harmonic mean of the two


@dataclass(frozen=True)
class Evaluation:
    """What a pass over a data set found."""

    loss: float  # mean over the samples, as the criterion weighs them
    accuracy: float | None  # share of right classes, among samples that count; None where targets are no classes
    count: int
    counts: Confusion | None  # which class was taken for which, without the pairs that never occur
    seconds: float
    calibration_error: float | None = None  # expected calibration error; None where there is no confusion
    ignored: int = 0  # samples whose target is the loss's ignore_index: counted, and neither right nor wrong
    weight: float = 0.0  # what the loss was divided by
    outputs: dict[str, Evaluation] | None = None  # of each of several losses; the others are of their sum and main one

    @property
    def figures(self) -> dict[str, dict[str, float | None]] | None:
        """Loss and accuracy of each of several losses."""
        outputs = self.outputs
        return None if outputs is None else {n: {"loss": e.loss, "accuracy": e.accuracy} for n, e in outputs.items()}

    @property
    def confusion(self) -> Counts | None:
        """The matrix [true class, predicted class], made of `counts`; None where targets are no classes.

        Raises:
            LenetError: there are so many classes that it would not fit into memory.
        """
        return None if self.counts is None else self.counts.matrix()

    @property
    def per_class(self) -> list[ClassFigures]:
        """Precision, recall and F1 of every class."""
        assert self.counts is not None, "only classifications have classes"
        right, actual, taken = self.counts.right, self.counts.actual, self.counts.taken
        columns = (actual, _share(right, taken), _share(right, actual), _share(2 * right, actual + taken))
        return [ClassFigures(*row) for row in zip(*(column.tolist() for column in columns))]

    def worst(self, most: int) -> list[tuple[int, ClassFigures]]:
        """The classes with the lowest F1, worst first, as number and figures; those without a sample last."""
        ranked = sorted(enumerate(self.per_class), key=lambda row: (not row[1].count, row[1].f1, -row[1].count))
        return ranked[:most]


def class_records(found: Evaluation, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of every class as `--json` shows them."""
    figures = found.per_class
    return [{"class": name, **vars(f)} for name, f in zip(class_names(classes, len(figures)), figures)]


def _share(part: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    """A quotient, 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


class Calibration:
    """Sums up how sure a model is, beside how often it is right.

    Formula:
        expected calibration error = sum over bins of |bin| / n |accuracy(bin) - mean confidence(bin)|

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3; 15 bins of equal width.
    """

    def __init__(self) -> None:
        self.count = np.zeros(BINS)
        self.confidence = np.zeros(BINS)
        self.right = np.zeros(BINS)

    def add(
        self, probability: npt.NDArray[Any], target: npt.NDArray[Any], predicted: npt.NDArray[Any] | None = None
    ) -> None:
        """Takes probabilities (N, C) and class numbers (N,): true ones and, where they are known, predicted ones."""
        confidence = probability.max(axis=1).astype(np.float64)
        bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        right = (probability.argmax(axis=1) if predicted is None else predicted) == target
        for sums, values in ((self.count, None), (self.confidence, confidence), (self.right, right)):
            sums += np.bincount(bins, values, BINS)

    @property
    def error(self) -> float:
        """The expected calibration error so far."""
        return float(np.abs(self.right - self.confidence).sum() / max(self.count.sum(), 1))


class Tally:
    """Sums up batches: mean loss, right answers; confusion and calibration where the number of classes is given.

    The mean over all samples does not depend on how they were cut into batches: each batch's loss weighs as much as
    what the loss itself divided by, such as the weights of the batch's classes.
    """

    def __init__(self, criterion: Module, classes: int = 0, calibrated: bool = True) -> None:
        self.summed = adds_up(criterion)
        self.loss_sum = 0.0
        self.weight = 0.0
        self.count = 0
        self.ignored = 0
        self.right: int | None = None
        self.confusion = ConfusionTally(classes) if classes else None
        self.calibration = Calibration() if calibrated else None
        self._criterion = criterion

    def add(self, loss: float, output: Tensor, target: Tensor) -> None:
        """Takes the criterion's value for one batch, its outputs and its targets."""
        scores, found = output.array, decisions(output.array, target.array, self._criterion)
        if found is None:
            self.count_in(loss, float(weight_of(self._criterion, target)), len(scores))
            return
        predicted, actual, counted = found
        weight, count = float(weight_of(self._criterion, target, counted)), len(actual)
        if on_device(scores):
            scores, predicted, actual = map(to_host, (scores, predicted, actual))
            counted = None if counted is None else to_host(counted)
        if counted is not None and np.count_nonzero(counted) < count:
            scores, predicted, actual = scores[counted], predicted[counted], actual[counted]
        right = int(np.count_nonzero(predicted == actual))
        self.count_in(loss, weight, count, right, count - len(actual))
        if self.confusion is not None:
            self.confusion.add(actual, predicted)
            shares = None if self.calibration is None else probabilities(scores, self._criterion)
            if self.calibration is not None and shares is not None:
                self.calibration.add(shares, actual, predicted)

    def measure(self, output: Tensor, target: Tensor) -> None:
        """Takes a batch whose loss has not been computed."""
        self.add(measured(self._criterion, output, target), output, target)

    def evaluation(self, seconds: float) -> Evaluation:
        """What has been found in a pass over a data set."""
        counts = self.confusion.confusion if self.confusion is not None and self.accuracy is not None else None
        known = counts is not None and self.calibration is not None and self.calibration.count.any()
        calibration = self.calibration.error if known and self.calibration is not None else None
        return Evaluation(self.loss, self.accuracy, self.count, counts, seconds, calibration, self.ignored, self.weight)

    @property
    def sums(self) -> Sums:
        """What has been summed up, to go on from."""
        return self.loss_sum, self.weight, self.count, self.right, self.ignored

    @sums.setter
    def sums(self, found: Sums) -> None:
        self.loss_sum, self.weight, self.count, self.right, self.ignored = found

    def count_in(self, loss: float, weight: float, count: int, right: int | None = None, ignored: int = 0) -> None:
        """Takes a batch whose right answers have been counted (None where there are no classes)."""
        if weight:
            self.loss_sum += loss if self.summed else loss * weight
        elif math.isfinite(loss):  # what is left of it; the mean of nothing is NaN, and counts for nothing
            self.loss_sum += loss
        self.weight += weight
        self.count += count
        self.ignored += ignored
        if right is not None:
            self.right = (self.right or 0) + right

    @property
    def loss(self) -> float:
        """Mean loss of the samples so far (NaN before the first)."""
        return self.loss_sum / self.weight if self.weight else float("nan")

    @property
    def accuracy(self) -> float | None:
        """Share of right classes so far, among the samples that count (NaN where none does)."""
        if self.right is None:
            return None
        judged = self.count - self.ignored
        return self.right / judged if judged else float("nan")


def adds_up(criterion: Module) -> bool:
    """True where the criterion gives the sum over a batch, not the mean."""
    return getattr(criterion, "reduction", "mean") == "sum"


def weight_of(criterion: Module, target: Tensor, counted: Any = None) -> Any:
    """What a batch's loss weighs in the mean over several batches: what the criterion divides by, else the samples.

    A number, or an array of one on a device.

    Args:
        counted: which targets count, where that is known.
    """
    if isinstance(criterion, Loss) and not adds_up(criterion):
        return criterion.divisor(target.array, counted)
    return len(target.array)


def remainder_of(criterion: Module, output: Tensor, target: Tensor) -> Tensor | None:
    """What a batch that weighs nothing still adds to the sum of losses; None for every other batch, and if nothing."""
    if isinstance(criterion, Loss) and not adds_up(criterion):
        return criterion.remainder(output, target)
    return None


def measured(criterion: Module, output: Tensor, target: Tensor) -> float:
    """The criterion's value for a batch; of one that weighs nothing, what it adds all the same."""
    rest = remainder_of(criterion, output, target)
    return (loss_of(criterion, output, target) if rest is None else rest).item()


def evaluate(
    model: Module, batches: Iterable[tuple[Any, Any]], criterion: Module, classes: int = 0, calibrated: bool = True,
    scores: Scores | None = None,
) -> Evaluation:  # fmt: skip
    """Runs the model in evaluation mode, without gradients, over all batches; its mode is restored after.

    Args:
        criterion: the loss, or `Losses`: then each has an evaluation of its own, too.
        classes: of the confusion; 0 counts none.
        calibrated: with the calibration error, where there is a confusion.
        scores: takes every answer of the main output, to be measured afterwards.
    """
    began = time.perf_counter()
    training = model.training
    tallies = [(term, Tally(term.criterion, classes, calibrated)) for term in terms_of(criterion)]
    main = main_term(criterion)
    model.eval()
    try:
        with no_grad():
            for inputs, targets in batches:
                output = model(inputs)
                if scores is not None:
                    scores.add(main.of(output).array, main.wanted(targets, inputs).array)
                for term, tally in tallies:
                    tally.measure(term.of(output), term.wanted(targets, inputs))
    finally:
        model.train(training)
    seconds = time.perf_counter() - began
    if not isinstance(criterion, Losses):
        return tallies[0][1].evaluation(seconds)
    return evaluation_of(criterion, [tally.evaluation(seconds) for _, tally in tallies])


def evaluation_of(losses: Losses, parts: Sequence[Evaluation]) -> Evaluation:
    """That of several losses, of those of each: of their weighted sum, otherwise as the main one's."""
    found = {term.name: part for term, part in zip(losses.terms, parts)}
    total = sum(term.weight * part.loss for term, part in zip(losses.terms, parts))
    return replace(found[losses.main.name], loss=total, outputs=found)
