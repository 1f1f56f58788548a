"""A step length that the strong Wolfe conditions accept: bracket it, then close in by cubics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from lenetcli.kernels.layout import Array

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2
SMALLEST = 1e-9  # change of parameters in a bracket


class Point(NamedTuple):
    """A step length t: the loss there, its gradient, and its slope in the direction."""

    t: float
    value: float
    grad: Array
    slope: float


def strong_wolfe(at: Callable[[float], Point], t: float, start: Point, reach: float, most: int) -> tuple[Point, int]:
    """The point found, and how many were looked at.

    Args:
        at: looks at a step length.
        t: the first one.
        start: t = 0.
        reach: largest number of the direction.
        most: points to look at beside the first.

    Source: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6; torch.optim.lbfgs.
    """
    before, here, looks = start, at(t), 0
    while looks < most:
        if (
            _too_high(here, start)
            or (looks > 1 and here.value >= before.value)
            or _flat(here, start)
            or here.slope >= 0
        ):
            break
        further = _lowest(before, here, (here.t + 0.01 * (here.t - before.t), here.t * 10))
        before, here, looks = here, at(further), looks + 1
    else:
        return min((start, here), key=lambda point: point.value), looks + 1
    if not (_too_high(here, start) or (looks > 1 and here.value >= before.value)) and _flat(here, start):
        return here, looks + 1
    low, high = (before, here) if before.value <= here.value else (here, before)
    near_edge = False  # the last trial was, too
    first, second = before, here  # the cubic's two points, in the order in which they came
    while looks < most and abs(second.t - first.t) * reach >= SMALLEST:
        t = _lowest(first, second)
        left, right = min(first.t, second.t), max(first.t, second.t)
        edge = 0.1 * (right - left)
        if min(right - t, t - left) < edge:
            if near_edge or t >= right or t <= left:
                t = right - edge if abs(t - right) < abs(t - left) else left + edge
                near_edge = False
            else:
                near_edge = True
        else:
            near_edge = False
        new, looks = at(t), looks + 1
        kept = first is low
        if _too_high(new, start) or new.value >= low.value:
            first, second = (first, new) if kept else (new, second)
            low, high = (first, second) if first.value <= second.value else (second, first)
            continue
        done = _flat(new, start)
        if not done and new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
        first, second = (low, high) if kept else (high, low)
        if done:
            break
    return low, looks + 1


def _too_high(point: Point, start: Point) -> bool:
    return point.value > start.value + DECREASE * point.t * start.slope


def _flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -CURVATURE * start.slope


def _lowest(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is lowest, within bounds, else between the points."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2, (near, far) = math.sqrt(square), (a, b) if a.t <= b.t else (b, a)
    below = far.slope - near.slope + 2 * d2
    t = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / below) if below else math.nan
    return min(max(t, low), high)
