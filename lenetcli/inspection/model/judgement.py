"""How a model does by the metrics of its task, with intervals, and where a threshold would be best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lenetcli.train.answers import class_name
from lenetcli.train.scores import Measured


@dataclass(frozen=True)
class Metrics:
    """Metrics of a task.

    Args:
        values: each, by its name.
        intervals: between what it lies in 95 of 100 bootstraps; of some of very many samples not known.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def record(self) -> dict[str, dict[str, Any]]:
        """As `--json` shows it."""
        ends = self.intervals
        return {name: {"value": value, "low": ends[name][0] if name in ends else None,
                       "high": ends[name][1] if name in ends else None}
                for name, value in self.values.items()}  # fmt: skip


def metrics_of(measured: Measured) -> Metrics:
    """Every metric of the answers of a split."""
    return Metrics(measured.values(), measured.intervals())


def thresholds_of(measured: Measured, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Of each label, or of yes and no: the probability from which on yes gives the highest F1, and that."""
    if measured.task not in ("binary", "labels"):
        return []
    found = []
    for column in range(measured.columns):
        ranking = measured.ranking(column)
        if measured.target[:, column].any():
            threshold, f1 = ranking.best_f1()
            name = "yes" if measured.task == "binary" else class_name(classes, column)
            found.append({"label": name, "threshold": threshold, "f1": f1})
    return found
