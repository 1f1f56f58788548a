"""What a model answered to every sample of a split, kept to measure it: metrics, their intervals, curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lenetcli.kernels.device import to_host
from lenetcli.nn.module import Module
from lenetcli.train import metrics
from lenetcli.train.answers import decisions, is_binary, meaning, probabilities, sigmoid

Array = npt.NDArray[Any]
Task = Literal["classes", "binary", "labels", "numbers"]

DRAWS = 300  # bootstraps
WORK = 100_000_000  # numbers that are sorted or summed for all bootstraps together: seconds


def task_of(output: Any, target: Any, criterion: Module) -> Task | None:
    """What kind of answers outputs are, beside their targets (arrays): None where none that is measured."""
    if is_binary(output, criterion) and output.size == target.size:
        return "binary"
    if decisions(output, target, criterion) is not None:
        return "classes"
    if output.size != target.size or target.dtype.kind not in "biuf":
        return None
    marked = output.ndim == 2 and output.shape[1] > 1 and meaning(criterion) in ("logits", "probabilities")
    return "labels" if marked and bool(((target == 0) | (target == 1)).all()) else "numbers"


@dataclass
class Scores:
    """The answers, batch by batch.

    Args:
        criterion: says what outputs mean.
    """

    criterion: Module
    _outputs: list[Array] = field(default_factory=list)
    _targets: list[Array] = field(default_factory=list)

    def clear(self) -> None:
        """Forgets all answers: the pass begins anew."""
        self._outputs.clear()
        self._targets.clear()

    def add(self, output: Any, target: Any) -> None:
        """Takes what the model gave for a batch, and what it should have given (arrays, also of a device)."""
        given, wanted = to_host(output), to_host(target)
        found = decisions(given, wanted, self.criterion)
        if found is not None and found.counted is not None:
            given, wanted = given[found.counted], wanted[found.counted]
        self._outputs.append(given.astype(np.float32, copy=False))
        self._targets.append(wanted)

    def measured(self) -> Measured | None:
        """The answers of all batches, ready to be measured; None where there is nothing to measure."""
        if not sum(map(len, self._targets)):
            return None
        output, target = np.concatenate(self._outputs), np.concatenate(self._targets)
        task = task_of(output, target, self.criterion)
        if task is None:
            return None
        if task == "classes":
            shares = probabilities(output, self.criterion)
            return Measured(task, output if shares is None else shares, target)
        if task in ("binary", "labels"):
            shares = sigmoid(output) if meaning(self.criterion) == "logits" else output
            wanted = target.reshape(len(target), -1) > 0.5
            return Measured(task, np.asarray(shares).reshape(wanted.shape), wanted.astype(np.int64))
        rows = len(target)
        return Measured(task, output.reshape(rows, -1).astype(np.float64), target.reshape(rows, -1).astype(np.float64))


class Measured:
    """All answers of a split.

    Args:
        task: what kind they are.
        score: (N, C) of classes, (N, L) of labels, (N, 1) of yes and no: probabilities or scores; or numbers (N, D).
        target: (N,) classes, (N, L) of 0 and 1, or numbers (N, D).
    """

    def __init__(self, task: Task, score: Array, target: Array) -> None:
        self.task, self.score, self.target = task, score, target
        self._rankings: dict[int, metrics.Ranking] = {}

    def __len__(self) -> int:
        return len(self.target)

    @property
    def columns(self) -> int:
        """Classes or labels that have a curve of their own."""
        return 0 if self.task == "numbers" else self.score.shape[1]

    def ranking(self, column: int) -> metrics.Ranking:
        """The samples by how sure the model is of a class or label."""
        if column not in self._rankings:
            yes = self.target == column if self.task == "classes" else self.target[:, column]
            self._rankings[column] = metrics.Ranking(np.asarray(yes, np.int64), self.score[:, column])
        return self._rankings[column]

    def values(self, weight: Array | None = None, ranked: bool = True) -> dict[str, float]:
        """Every metric of the task.

        Args:
            weight: of each sample.
            ranked: with those that take the samples' order: they take longer.
        """
        if self.task == "numbers":
            return metrics.of_numbers(self.target, self.score, weight)
        found = getattr(self, f"_of_{self.task}")(weight)
        if ranked:
            found |= self._ranked(weight)
        return {name: found[name] for name in metrics.OF[self.task] if name in found}

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Between what each metric lies in 95 of 100 bootstraps; of many samples those of their order are left out."""
        size = self.score.size if self.task != "classes" else max(len(self), self.columns)
        draws = max(100, min(DRAWS, WORK // max(size, 1)))
        ranked = self.task != "numbers" and self.score.size * draws <= WORK
        if self.task == "classes":
            self._predicted = self.score.argmax(axis=1)
        return metrics.intervals(len(self), lambda weight: self.values(weight, ranked), draws)

    def _ranked(self, weight: Array | None) -> dict[str, float]:
        rankings = [self.ranking(column) for column in range(self.columns)]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "average_precision": metrics.mean_known([each.average_precision(weight) for each in rankings]),
                "roc_auc": metrics.mean_known([each.roc_auc(weight) for each in rankings]),
            }
        if self.task == "classes":
            for k in (3, 5):
                if self.columns > k:
                    found[f"top_{k}"] = metrics.top_k(self.target, self.score, k, weight)
        return found

    def _of_classes(self, weight: Array | None) -> dict[str, float]:
        predicted = self.__dict__.get("_predicted")
        predicted = self.score.argmax(axis=1) if predicted is None else predicted
        classes = max(self.columns, int(self.target.max()) + 1)
        return metrics.of_counts(metrics.counts_of(self.target, predicted, classes, weight))

    def _of_binary(self, weight: Array | None) -> dict[str, float]:
        target, predicted = self.target[:, 0], (self.score[:, 0] > 0.5).astype(np.int64)
        counts = metrics.counts_of(target, predicted, 2, weight)
        right, actual, taken = (each[1] for each in counts)
        return metrics.of_counts(counts) | {
            "precision": float(right / taken) if taken else 0.0,
            "recall": float(right / actual) if actual else 0.0,
            "f1": float(2 * right / (taken + actual)) if taken + actual else 0.0,
        }

    def _of_labels(self, weight: Array | None) -> dict[str, float]:
        return metrics.of_labels(self.target, (self.score > 0.5).astype(np.int64), weight)
