"""Curves of runs as plain data: what goes up and down over steps, epochs or time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from lenetcli.runs.history import History, Values

LARGEST = 1e300  # beyond it there is no room to draw in

Metric = Literal["loss", "accuracy", "lr"]
By = Literal["step", "epoch", "time"]


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Args:
        run: whose it is.
        split: "train", "validation" or "test"; "" for the learning rate, which belongs to none.
        x: steps, epochs or seconds, rising.
        y: as many finite values.
    """

    run: str
    split: str
    x: Values
    y: Values

    def record(self) -> dict[str, Any]:
        """The curve as `plot --json` shows it."""
        return {"run": self.run, "split": self.split or None, "x": self.x.tolist(), "y": self.y.tolist()}


def curves(history: History, run: str, metric: Metric, by: By, smooth: float = 0.0) -> list[Curve]:
    """The curves of a run: of training first, then those that judge it. Values that are no finite numbers are left out.

    Over steps or time the training loss and the learning rate have a point for each step; all else has one for each
    epoch.

    Args:
        run: how the run is called.
        smooth: share of the running mean that each point of the training curve keeps, from 0 (none) to below 1.
    """
    steps = history.steps
    found = []
    if by != "epoch" and metric != "accuracy":
        x, y = (steps.step if by == "step" else steps.time), (steps.loss if metric == "loss" else steps.lr)
        found.append(Curve(run, "train" if metric == "loss" else "", x, y))
    for split in history.splits:
        if metric == "lr":
            if by == "epoch" and split == "train":
                found.append(replace(_of_split(history, run, split, metric, by), split=""))
        elif not (found and split == "train"):
            found.append(_of_split(history, run, split, metric, by))
    found = [_finite(curve) for curve in found]
    return [
        replace(c, y=smoothed(c.y, smooth)) if c.split == "train" and smooth else c for c in found if len(c.x)
    ]  # fmt: skip


def _of_split(history: History, run: str, split: str, metric: Metric, by: By) -> Curve:
    """A point for each evaluation of a split."""
    points: dict[float, float] = {}
    for timed in history.evaluations:
        value = getattr(timed.event, metric)
        if timed.event.split == split and value is not None:
            points[{"step": timed.event.step, "epoch": timed.event.epoch, "time": timed.time}[by]] = value
    x = sorted(points)
    return Curve(run, split, np.array(x, np.float64), np.array([points[place] for place in x], np.float64))


def _finite(curve: Curve) -> Curve:
    keep = np.abs(curve.y) <= LARGEST  # NaN is not
    return replace(curve, x=curve.x[keep], y=curve.y[keep])


def smoothed(values: Values, share: float) -> Values:
    """An exponential moving average, free of the pull of its beginning.

    Formula:
        m_i = share m_{i-1} + (1 - share) y_i;    y'_i = m_i / (1 - share^i),  i from 1

    Example:
        >>> import numpy as np
        >>> smoothed(np.array([1.0, 1.0, 4.0]), 0.5).round(3).tolist()
        [1.0, 1.0, 2.714]
    """
    mean, weight, found = 0.0, 1.0, np.empty(len(values))
    for i, value in enumerate(values.tolist()):
        mean = share * mean + (1 - share) * value
        weight *= share
        found[i] = mean / (1 - weight)
    return found


def thinned(curve: Curve, most: int) -> Curve:
    """A curve of at most `most` points that looks the same: of each stretch its lowest and its highest point stay.

    Example:
        >>> import numpy as np
        >>> x = np.arange(1000.0)
        >>> thin = thinned(Curve("run", "train", x, np.where(x == 500, 9.0, 0.0)), 10)
        >>> len(thin.x) <= 10, float(thin.y.max()), float(thin.x[-1])
        (True, 9.0, 999.0)
    """
    count = len(curve.x)
    if count <= most:
        return curve
    keep = {0, count - 1}
    edges = np.linspace(0, count, (most - 2) // 2 + 1).astype(int)
    for start, end in itertools.pairwise(edges):
        part = curve.y[start:end]
        keep |= {start + int(part.argmin()), start + int(part.argmax())}
    chosen = np.array(sorted(keep))
    return replace(curve, x=curve.x[chosen], y=curve.y[chosen])
