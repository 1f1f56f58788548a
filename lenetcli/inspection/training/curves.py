"""Curves of runs as plain data: what goes up and down over steps, epochs or time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
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
        spread: of several runs that y is the mean of, the standard deviation at each place; 0 where there is one run.
        count: of those runs, at each place.
    """

    run: str
    split: str
    x: Values
    y: Values
    spread: Values | None = None
    count: Values | None = None

    def record(self) -> dict[str, Any]:
        """The curve as `plot --json` shows it."""
        found = {"run": self.run, "split": self.split or None, "x": self.x.tolist(), "y": self.y.tolist()}
        if self.spread is not None and self.count is not None:
            found |= {"std": self.spread.tolist(), "count": self.count.tolist()}
        return found


def mean_curve(run: str, found: Sequence[Curve]) -> Curve:
    """The mean of several runs' curves of a split, where any of them has a point, and how far they are from it.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0])
        >>> curves = [Curve("a", "test", x, np.array([1.0, 2.0])), Curve("b", "test", x[:1], np.array([3.0]))]
        >>> mean = mean_curve("both", curves)
        >>> mean.y.tolist(), mean.spread.round(3).tolist(), mean.count.tolist()
        ([2.0, 2.0], [1.414, 0.0], [2.0, 1.0])
    """
    x, places = np.unique(np.concatenate([c.x for c in found]), return_inverse=True)
    y = np.concatenate([c.y for c in found])
    count = np.bincount(places).astype(np.float64)
    mean = np.bincount(places, y) / count
    squares = np.bincount(places, (y - mean[places]) ** 2)
    return Curve(run, found[0].split, x, mean, np.sqrt(squares / np.maximum(count - 1, 1)), count)


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
    return _at(curve, keep)


def _at(curve: Curve, places: Any) -> Curve:
    """The curve at some of its places only."""
    spread, count = (None if v is None else v[places] for v in (curve.spread, curve.count))
    return replace(curve, x=curve.x[places], y=curve.y[places], spread=spread, count=count)


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


def averaged(curve: Curve, most: int) -> Curve:
    """A curve of at most `most` points, each the mean of a stretch of it, at the stretch's end.

    Example:
        >>> import numpy as np
        >>> mean = averaged(Curve("run", "train", np.arange(1.0, 7.0), np.array([1.0, 3, 5, 5, 2, 4])), 3)
        >>> mean.x.tolist(), mean.y.tolist()
        ([2.0, 4.0, 6.0], [2.0, 5.0, 3.0])
    """
    if len(curve.x) <= most:
        return curve
    edges = np.linspace(0, len(curve.x), most + 1).astype(int)
    sums = np.add.reduceat(curve.y, edges[:-1])
    return replace(curve, x=curve.x[edges[1:] - 1], y=sums / np.diff(edges))


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
    return _at(curve, np.array(sorted(keep)))
