"""Loss, accuracy and confusion of a model over a data set."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import no_grad
from lenetcli.kernels.device import to_host
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.answers import decisions, probabilities
from lenetcli.train.pairing import loss_of

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
    confusion: npt.NDArray[np.int64] | None  # [true class, predicted class]
    seconds: float
    calibration_error: float | None = None  # expected calibration error; None where there is no confusion
    ignored: int = 0  # samples whose target is the loss's ignore_index: counted, and neither right nor wrong
    weight: float = 0.0  # what the loss was divided by

    @property
    def per_class(self) -> list[ClassFigures]:
        """Precision, recall and F1 of every class."""
        assert self.confusion is not None, "only classifications have classes"
        found = []
        for i in range(len(self.confusion)):
            right, actual = int(self.confusion[i, i]), int(self.confusion[i].sum())
            taken = int(self.confusion[:, i].sum())
            found.append(
                ClassFigures(
                    actual,
                    right / taken if taken else 0.0,
                    right / actual if actual else 0.0,
                    2 * right / (actual + taken) if actual + taken else 0.0,
                )
            )
        return found


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

    def add(self, probability: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
        """Takes probabilities (N, C) and class numbers (N,)."""
        confidence = probability.max(axis=1).astype(np.float64)
        bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        right = probability.argmax(axis=1) == target
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

    def __init__(self, criterion: Module, classes: int = 0) -> None:
        self.summed = adds_up(criterion)
        self.loss_sum = 0.0
        self.weight = 0.0
        self.count = 0
        self.ignored = 0
        self.right: int | None = None
        self.confusion = np.zeros((classes, classes), np.int64) if classes else None
        self.calibration = Calibration()
        self._criterion = criterion

    def add(self, loss: float, output: Tensor, target: Tensor) -> None:
        """Takes the criterion's value for one batch, its outputs and its targets."""
        weight = float(weight_of(self._criterion, target))
        found = decisions(output.array, target.array, self._criterion)
        if found is None:
            self.count_in(loss, weight, len(output.array))
            return
        scores, predicted, actual = map(to_host, (output.array, found.predicted, found.wanted))
        count = len(actual)
        if found.counted is not None:
            counted = to_host(found.counted)
            if not counted.all():
                scores, predicted, actual = scores[counted], predicted[counted], actual[counted]
        right = int(np.count_nonzero(predicted == actual))
        self.count_in(loss, weight, count, right, count - len(actual))
        if self.confusion is not None:
            most = max(int(found.max(initial=-1)) for found in (actual, predicted)) + 1
            if most > len(self.confusion):  # the model has more outputs than the data has classes
                self.confusion = np.pad(self.confusion, (0, most - len(self.confusion)))
            np.add.at(self.confusion, (actual, predicted), 1)
            shares = probabilities(scores, self._criterion)
            if shares is not None:
                self.calibration.add(shares, actual)

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


def weight_of(criterion: Module, target: Tensor) -> Any:
    """What a batch's loss weighs in the mean over several batches: what the criterion divides by, else the samples.

    A number, or an array of one on a device.
    """
    if isinstance(criterion, Loss) and not adds_up(criterion):
        return criterion.divisor(target.array)
    return len(target.array)


def remainder_of(criterion: Module, output: Tensor, target: Tensor) -> Tensor | None:
    """What a batch that weighs nothing still adds to the sum of losses; None for every other batch, and if nothing."""
    if isinstance(criterion, Loss) and not adds_up(criterion):
        return criterion.remainder(output, target)
    return None


def evaluate(model: Module, batches: Iterable[tuple[Any, Any]], criterion: Module, classes: int = 0) -> Evaluation:
    """Runs the model in evaluation mode, without gradients, over all batches; its mode is restored after.

    Args:
        classes: size of the confusion matrix; 0 makes none.
    """
    began = time.perf_counter()
    training = model.training
    tally = Tally(criterion, classes)
    model.eval()
    try:
        with no_grad():
            for inputs, targets in batches:
                output = model(inputs)
                rest = remainder_of(criterion, output, targets)
                loss = loss_of(criterion, output, targets) if rest is None else rest
                tally.add(loss.item(), output, targets)
    finally:
        model.train(training)
    confusion = tally.confusion if tally.accuracy is not None else None
    calibration_error = tally.calibration.error if confusion is not None and tally.calibration.count.any() else None
    seconds = time.perf_counter() - began
    return Evaluation(
        tally.loss, tally.accuracy, tally.count, confusion, seconds, calibration_error, tally.ignored, tally.weight
    )
