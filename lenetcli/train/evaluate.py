"""Loss, accuracy and confusion of a model over a data set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli._tensor import Tensor
from lenetcli.autograd.modes import no_grad
from lenetcli.nn.module import Module


@dataclass(frozen=True)
class Evaluation:
    """What a pass over a data set found."""

    loss: float  # mean over the samples
    accuracy: float | None  # share of right classes; None where targets are no classes
    count: int
    confusion: npt.NDArray[np.int64] | None  # [true class, predicted class]
    seconds: float


class Tally:
    """Sums up batches: mean loss, right answers, confusion."""

    def __init__(self, criterion: Module, classes: int = 0) -> None:
        self.summed = adds_up(criterion)
        self.loss_sum = 0.0
        self.count = 0
        self.right: int | None = None
        self.confusion = np.zeros((classes, classes), np.int64) if classes else None

    def add(self, loss: float, output: Tensor, target: Tensor) -> None:
        """Takes the criterion's value for one batch, its outputs (N, C) and its targets."""
        count = len(output.array)
        self.loss_sum += loss if self.summed else loss * count
        self.count += count
        if is_classification(output, target):
            predicted = output.array.argmax(axis=1)
            self.right = (self.right or 0) + int(np.count_nonzero(predicted == target.array))
            if self.confusion is not None:
                np.add.at(self.confusion, (target.array, predicted), 1)

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
    return Evaluation(tally.loss, tally.accuracy, tally.count, confusion, time.perf_counter() - began)
