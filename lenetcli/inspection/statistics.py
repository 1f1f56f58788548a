"""What the numbers of an array are like: mean, spread, norm, share of zeros, histogram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 16

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Histogram:
    """How many finite values lie in each of equally wide bins between `low` and `high`."""

    low: float
    high: float
    counts: list[int]


@dataclass(frozen=True)
class Figures:
    """Figures of an array, computed in float64; NaN or infinite where a value is, None where undefined.

    Args:
        count: how many values there are.
        std: of a sample, as torch's.
        norm: square root of the sum of squares.
        zeros: share of values that are exactly 0.
        nonfinite: how many values are NaN or infinite.
    """

    count: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    mean_abs: float | None
    max_abs: float | None
    norm: float
    zeros: float | None
    nonfinite: int
    histogram: Histogram | None = None


def figures(arrays: Sequence[Array], histogram: bool = False) -> Figures:
    """The figures of the values of all arrays together.

    Example:
        >>> import numpy as np
        >>> found = figures([np.array([3.0, 0.0, -4.0])])
        >>> found.norm, found.max_abs, found.min
        (5.0, 4.0, -4.0)
    """
    flat = arrays[0].ravel("K") if len(arrays) == 1 else np.concatenate([a.ravel("K") for a in arrays])
    if flat.size == 0:
        return Figures(0, None, None, None, None, None, None, 0.0, None, 0)
    with np.errstate(all="ignore"):
        wide = flat.astype(np.float64)
        low, high, mean = float(wide.min()), float(wide.max()), float(wide.mean())
        nonfinite = 0 if math.isfinite(mean) else int(np.count_nonzero(~np.isfinite(wide)))
        beside = wide - mean
        return Figures(
            count=flat.size,
            mean=mean,
            std=math.sqrt(float(beside.dot(beside)) / (flat.size - 1)) if flat.size > 1 else None,
            min=low,
            max=high,
            mean_abs=float(np.abs(wide).mean()),
            max_abs=math.nan if math.isnan(low) else max(abs(low), abs(high)),
            norm=math.sqrt(float(wide.dot(wide))),
            zeros=1 - float(np.count_nonzero(wide)) / flat.size,
            nonfinite=nonfinite,
            histogram=_histogram(wide if nonfinite == 0 else wide[np.isfinite(wide)]) if histogram else None,
        )


def _histogram(values: npt.NDArray[np.float64]) -> Histogram | None:
    if values.size == 0:
        return None
    low, high = float(values.min()), float(values.max())
    half = high / 2 - low / 2  # of the range, which itself may be too large a number
    shares = (values / 2 - low / 2) / half if half else np.zeros(values.size)
    bins = np.minimum((BINS * shares).astype(np.intp), BINS - 1)
    return Histogram(low, high, np.bincount(bins, minlength=BINS).tolist())


def norm(arrays: Iterable[Array]) -> float:
    """The Euclidean norm of the values of all arrays together, in float64.

    Example:
        >>> norm([np.array([3.0]), np.array([[0.0, 4.0]])])
        5.0
    """
    with np.errstate(all="ignore"):
        return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays))


def relative_change(before: Sequence[Array], after: Sequence[Array]) -> float | None:
    """|after - before| / |before|, norms of all arrays together; None where there is nothing to compare with.

    Example:
        >>> relative_change([np.array([3.0, 4.0])], [np.array([3.0, 4.5])])
        0.1
    """
    size = norm(before)
    with np.errstate(all="ignore"):
        return norm(np.subtract(b, a, dtype=np.float64) for a, b in zip(before, after)) / size if size else None


def dead_units(output: Array) -> tuple[int, int] | None:
    """How many units of an activation are zero for the whole batch, and how many units there are.

    A unit is a channel (N, C, ...) or a feature (N, C); None where there is no batch.
    """
    if output.ndim < 2 or output.size == 0:
        return None
    alive = output.any(axis=tuple(i for i in range(output.ndim) if i != 1))
    return int(alive.size - np.count_nonzero(alive)), int(alive.size)
