"""Loss, accuracy and confusion of a model over a data set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli._tensor import Tensor
from lenetcli.autograd.modes import no_grad
from lenetcli.kernels.device import to_host
from lenetcli.nn.module import Module

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

    loss: float  # mean over the samples
    accuracy: float | None  # share of right classes; None where targets are no classes
    count: int
    confusion: npt.NDArray[np.int64] | None  # [true class, predicted class]
    seconds: float
    calibration_error: float | None = None  # expected calibration error; None where there is no confusion

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
    """Sums up batches: mean loss, right answers; confusion and calibration where the number of classes is given."""

    def __init__(self, criterion: Module, classes: int = 0) -> None:
        self.summed = adds_up(criterion)
        self.loss_sum = 0.0
        self.count = 0
        self.right: int | None = None
        self.confusion = np.zeros((classes, classes), np.int64) if classes else None
        self.calibration = Calibration()
        self._criterion = criterion

    def add(self, loss: float, output: Tensor, target: Tensor) -> None:
        """Takes the criterion's value for one batch, its outputs (N, C) and its targets."""
        if not is_classification(output, target):
            self.count_in(loss, len(output.array))
            return
        scores, wanted = to_host(output.array), to_host(target.array)
        predicted = scores.argmax(axis=1)
        self.count_in(loss, len(scores), int(np.count_nonzero(predicted == wanted)))
        if self.confusion is not None:
            np.add.at(self.confusion, (wanted, predicted), 1)
            self.calibration.add(probabilities(scores, self._criterion), wanted)

    def count_in(self, loss: float, count: int, right: int | None = None) -> None:
        """Takes a batch whose right answers have been counted (None where there are no classes)."""
        self.loss_sum += loss if self.summed else loss * count
        self.count += count
        if right is not None:
            self.right = (self.right or 0) + right

    @property
    def loss(self) -> float:
        """Mean loss of the samples so far (NaN before the first)."""
        return self.loss_sum / self.count if self.count else float("nan")

    @property
    def accuracy(self) -> float | None:
        """Share of right classes so far."""
        return None if self.right is None else self.right / self.count


def adds_up(criterion: Module) -> bool:
    """True where the criterion gives the sum over a batch, not the mean."""
    return getattr(criterion, "reduction", "mean") == "sum"


def is_classification(output: Tensor, target: Tensor) -> bool:
    """True where the outputs (N, C) are scores of classes and the targets (N,) are class numbers."""
    return target.array.dtype.kind in "iu" and output.array.ndim == 2 and target.array.ndim == 1


def probabilities(output: npt.NDArray[Any], criterion: Module) -> npt.NDArray[Any]:
    """A model's outputs (N, C) as probabilities: what its loss takes them for.

    The outputs are logarithms for NLLLoss; rows that are probabilities already stay; all others are scores for softmax.
    """
    if isinstance(criterion, nn.NLLLoss):
        return np.exp(output)
    if not isinstance(criterion, nn.CrossEntropyLoss) and (output >= 0).all():
        sums = output.sum(axis=1)
        if np.abs(sums - 1).max(initial=0) < 1e-4:
            return output
    shifted = np.exp(output - output.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


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
                tally.add(criterion(output, targets).item(), output, targets)
    finally:
        model.train(training)
    confusion = tally.confusion if tally.accuracy is not None else None
    calibration_error = None if confusion is None else tally.calibration.error
    seconds = time.perf_counter() - began
    return Evaluation(tally.loss, tally.accuracy, tally.count, confusion, seconds, calibration_error)
