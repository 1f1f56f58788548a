"""When a run is over: all epochs done, no improvement for long enough, or no time left."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lenetcli.train.events import Evaluated
from lenetcli.train.metrics import SMALLER
from lenetcli.train.run import PLAIN, Progress, Run

PRUNED = "pruned"  # `run.stop` of a trial that does worse than the others of its sweep


@dataclass(frozen=True)
class EarlyStopping:
    """Stops a run that does not improve any more.

    Args:
        patience: epochs in a row without improvement, after which the run stops.
        metric: what has to improve.
        min_delta: how much better is an improvement; anything less is none.
    """

    patience: int
    metric: str = "loss"
    min_delta: float = 0.0

    def watch(self, progress: Progress, evaluated: Evaluated) -> None:
        """Counts the epochs in `progress.stale`, measured against `progress.watched`."""
        value = value_of(evaluated, self.metric)
        if progress.watched is None or self._gain(progress.watched, value) > self.min_delta:
            progress.watched, progress.stale = value, 0
        else:
            progress.stale += 1

    def _gain(self, before: float, value: float) -> float:
        return before - value if self.metric in SMALLER else value - before


def value_of(evaluated: Evaluated, metric: str) -> float:
    """What an evaluation found by this name; NaN where that is not defined, such as of a class without a sample."""
    if metric not in PLAIN:
        return (evaluated.metrics or {}).get(metric, math.nan)
    value = evaluated.loss if metric == "loss" else evaluated.accuracy
    assert value is not None, "build refuses the accuracy where there is none"
    return value


def why_over(run: Run) -> str | None:
    """Why a run has nothing left to do, in the word of the `ended` event; None while it has."""
    if run.stop is not None:
        return PRUNED if run.stop == PRUNED else "interrupted"
    if run.progress.epoch >= run.epochs:
        return "finished"
    if run.early_stopping is not None and run.progress.stale >= run.early_stopping.patience:
        return "stopped early"
    return "out of time" if out_of_time(run) else None


def out_of_time(run: Run) -> bool:
    """The run has taken as long as it may."""
    return run.max_seconds is not None and run.elapsed >= run.max_seconds
