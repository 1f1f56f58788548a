"""How good answers are, by the measures that people expect: of classes, of yes and no, of several labels, of numbers.

All take weights of the samples, (N,), such as how often a bootstrap has drawn each. Where a measure is not defined (of
a class without a sample), it is NaN, or left out of a mean over classes.

Source: scikit-learn's definitions (`sklearn.metrics`); B. Efron, Bootstrap methods: another look at the jackknife,
1979.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CLASSES = (
    "accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "top_3", "top_5",
    "average_precision", "roc_auc", "matthews",
)  # fmt: skip
BINARY = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "average_precision", "roc_auc", "matthews",
)  # fmt: skip
LABELS = (
    "f1_macro", "f1_micro", "precision_macro", "recall_macro", "average_precision", "roc_auc", "subset_accuracy",
    "hamming_loss",
)  # fmt: skip
NUMBERS = ("r2", "mae", "mse", "rmse")
OF = {"classes": CLASSES, "binary": BINARY, "labels": LABELS, "numbers": NUMBERS}
SMALLER = ("loss", "hamming_loss", "mae", "mse", "rmse")  # the smaller, the better


class Counts(NamedTuple):
    """What is counted of answers, by class.

    Args:
        right: (C,) samples of the class that were taken for it.
        actual: (C,) samples of the class.
        taken: (C,) samples that were taken for it.
    """

    right: Array
    actual: Array
    taken: Array


def counts_of(target: Array, predicted: Array, classes: int, weight: Array | None = None) -> Counts:
    """The counts of predicted classes; they take no square of the number of classes.

    Example:
        >>> counts_of(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).right.tolist()
        [1.0, 1.0]
    """
    hit = target == predicted
    found = (
        np.bincount(target[hit], None if weight is None else weight[hit], classes),
        np.bincount(target, weight, classes),
        np.bincount(predicted, weight, classes),
    )
    return Counts(*(each.astype(np.float64) for each in found))


def of_counts(counts: Counts) -> dict[str, float]:
    """Accuracy, balanced accuracy, precision, recall and F1 over classes, and Matthews' correlation.

    Formula:
        f1 = 2 right / (samples of the class + samples taken for it)
        matthews = (n trace - sum_k p_k t_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2))

    Args:
        counts: classes that occur in neither are left out of the means.
    """
    right, actual, taken = counts
    n, there = actual.sum(), actual + taken > 0
    precision, recall = _share(right, taken), _share(right, actual)
    f1 = _share(2 * right, actual + taken)
    spread = np.sqrt((n**2 - (taken**2).sum()) * (n**2 - (actual**2).sum()))
    return {
        "accuracy": float(right.sum() / n),
        "balanced_accuracy": float(recall[actual > 0].mean()),
        "f1_macro": float(f1[there].mean()),
        "f1_weighted": float((f1 * actual).sum() / n),
        "precision_macro": float(precision[there].mean()),
        "recall_macro": float(recall[there].mean()),
        "matthews": float((n * right.sum() - taken @ actual) / spread) if spread else 0.0,
    }


def _share(part: Array, whole: Array) -> Array:
    """A quotient, 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def top_k(target: Array, scores: Array, k: int, weight: Array | None = None) -> float:
    """Share of samples whose class is among the k of the highest scores; of equal ones, those of higher numbers count.

    Args:
        scores: (N, C).
    """
    best = np.argsort(scores, axis=1, kind="stable")[:, ::-1][:, :k]
    return float(np.average((best == target[:, None]).any(axis=1), weights=weight))


class Ranking:
    """Samples by their scores, highest first: what a threshold between yes and no would do, at every height.

    Args:
        target: (N,) 1 where yes is right, else 0.
        score: (N,) the higher, the surer of yes.

    Example:
        >>> found = Ranking(np.array([0, 1, 1]), np.array([0.1, 0.9, 0.4]))
        >>> found.roc_auc(), found.average_precision()
        (1.0, 1.0)
    """

    def __init__(self, target: Array, score: Array) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._yes = target[self._order].astype(np.float64)
        self._last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of those with the same score
        self.thresholds = ranked[self._last]

    def counts(self, weight: Array | None = None) -> tuple[Array, Array]:
        """(T,) right and wrong ones among those taken for yes, at each threshold."""
        w = np.ones(len(self._order)) if weight is None else weight[self._order]
        return np.cumsum(self._yes * w)[self._last], np.cumsum((1 - self._yes) * w)[self._last]

    def roc(self, weight: Array | None = None) -> tuple[Array, Array]:
        """(T + 1,) share of wrong ones found, share of right ones found: from none to all."""
        right, wrong = self.counts(weight)
        with np.errstate(invalid="ignore"):
            return np.append(0.0, wrong / wrong[-1]), np.append(0.0, right / right[-1])

    def roc_auc(self, weight: Array | None = None) -> float:
        """The area below that: how likely a yes has a higher score than a no."""
        x, y = self.roc(weight)
        return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())

    def precision_recall(self, weight: Array | None = None) -> tuple[Array, Array]:
        """(T,) precision and recall at each threshold."""
        right, wrong = self.counts(weight)
        with np.errstate(invalid="ignore"):
            return _share(right, right + wrong), right / right[-1]

    def average_precision(self, weight: Array | None = None) -> float:
        """The sum of the precisions, each times how much the recall rises there."""
        precision, recall = self.precision_recall(weight)
        return float((np.diff(np.append(0.0, recall)) * precision).sum())

    def best_f1(self) -> tuple[float, float]:
        """The threshold with the highest F1, and that."""
        right, wrong = self.counts()
        f1 = _share(2 * right, right + wrong + right[-1])
        at = int(f1.argmax())
        return float(self.thresholds[at]), float(f1[at])


def mean_known(values: list[float]) -> float:
    """The mean of those that are defined; NaN where none is."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def of_numbers(target: Array, output: Array, weight: Array | None = None) -> dict[str, float]:
    """R2, and the means of absolute and squared errors, over all numbers of a sample alike.

    Formula:
        r2 = 1 - sum (y - x)^2 / sum (y - mean y)^2, the mean over the numbers of a sample

    Args:
        target, output: (N, D).
    """
    w = np.ones(len(target)) if weight is None else weight
    error = output - target
    mean = np.average(target, axis=0, weights=w)
    left, whole = w @ error**2, w @ (target - mean) ** 2
    r2 = np.where(whole > 0, 1 - left / np.where(whole > 0, whole, 1), np.where(left > 0, 0.0, 1.0))
    squares = np.average(error**2, axis=0, weights=w)
    return {
        "r2": float(r2.mean()), "mae": float(np.average(np.abs(error), axis=0, weights=w).mean()),
        "mse": float(squares.mean()), "rmse": float(np.sqrt(squares).mean()),
    }  # fmt: skip


def of_labels(target: Array, predicted: Array, weight: Array | None = None) -> dict[str, float]:
    """F1, precision and recall of several labels at once, and how many of them are right.

    Args:
        target, predicted: (N, L) of 0 and 1.
    """
    w = np.ones(len(target)) if weight is None else weight
    right, actual, taken = w @ (target * predicted), w @ target, w @ predicted
    wrong = (target != predicted).astype(np.float64)
    whole = float(actual.sum() + taken.sum())
    return {
        "f1_macro": float(_share(2 * right, actual + taken).mean()),
        "f1_micro": float(2 * right.sum() / whole) if whole else 0.0,
        "precision_macro": float(_share(right, taken).mean()),
        "recall_macro": float(_share(right, actual).mean()),
        "subset_accuracy": float(np.average(~wrong.any(axis=1), weights=w)),
        "hamming_loss": float(np.average(wrong.mean(axis=1), weights=w)),
    }


def intervals(
    count: int, measure: Callable[[Array], dict[str, float]], draws: int, share: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Between what a measure of so many samples lies in that share of all bootstraps: samples drawn with replacement.

    Args:
        measure: takes how often each sample was drawn, (N,).
        draws: how many bootstraps; the same seed draws the same.

    Example:
        >>> right = np.arange(100) % 10 > 0
        >>> low, high = intervals(100, lambda w: {"accuracy": np.average(right, weights=w)}, 200)["accuracy"]
        >>> low < 0.9 < high
        True
    """
    draw = np.random.Generator(np.random.Philox(seed))
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        weight = np.bincount(draw.integers(0, count, count), minlength=count).astype(np.float64)
        for name, value in measure(weight).items():
            if value == value:
                found.setdefault(name, []).append(value)
    ends = (50 - 50 * share, 50 + 50 * share)
    return {name: (float(low), float(high)) for name, values in found.items()
            for low, high in [np.percentile(values, ends)]}  # fmt: skip
