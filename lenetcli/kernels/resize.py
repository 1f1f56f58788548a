"""Resampling along axes: every place of the result is a weighted sum of a few places of the source.

    y[..., j, ...] = sum over taps of weight[j] x[..., index[j], ...]

A tap is (index, weight), two arrays over the result's places; a weight of None is 1. Positions and weights are worked
out in the image's own precision, as torch does, since a rounding can decide which pixel is nearest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.device import as_array, beside, on_device
from lenetcli.kernels.layout import Array

Tap = tuple[Array, "Array | None"]


def nearest_taps(size: int, out: int, scale: float | None, exact: bool, kind: np.dtype[Any], dims: int) -> list[Tap]:
    """The pixel under each place of the result; `exact` looks under its centre, else under its first edge.

    Args:
        scale: the factor asked for, None where the sizes alone say it.
        dims: of the image. torch works out sequences in their own precision, images in single precision and with
            shortcuts for sizes that stay or double, which count where the factor is not quite 1 or 2.
    """
    at = np.arange(out)
    if dims > 1 and not exact and out in (size, 2 * size):
        return [(at * size // out, None)]
    if exact and dims == 1:
        where = np.maximum(_positions(size, out, scale, False, kind), kind.type(0)) + kind.type(0.5)
    else:
        kind = np.dtype(np.float32) if dims > 1 else kind
        where = (at.astype(kind) + kind.type(0.5 if exact else 0)) * _step(size, out, scale, kind)
    return [(np.minimum(np.floor(where.astype(np.float32)).astype(np.int64), size - 1), None)]


def linear_taps(
    size: int, out: int, scale: float | None, align_corners: bool, kind: np.dtype[Any], dims: int
) -> list[Tap]:
    """The two pixels around each place of the result, weighted by how near they are."""
    if size == out:
        return [(np.arange(out), None)]
    where = np.maximum(_positions(size, out, scale, align_corners, kind), kind.type(0))
    low = np.minimum(where.astype(np.int64), size - 1)
    share = np.clip(where - low.astype(kind), kind.type(0), kind.type(1))
    return [(low, 1 - share), (np.minimum(low + 1, size - 1), share)]


def cubic_taps(
    size: int, out: int, scale: float | None, align_corners: bool, kind: np.dtype[Any], dims: int
) -> list[Tap]:
    """The four pixels around each place of the result, weighted by a cubic (Keys 1981, a = -0.75)."""
    where = _positions(size, out, scale, align_corners, kind)
    low = np.floor(where)
    t, a = where - low, kind.type(-0.75)

    def near(x: Array) -> Array:  # distance below 1
        return as_array(((a + 2) * x - (a + 3)) * x * x + 1)

    def far(x: Array) -> Array:  # distance from 1 to 2
        return as_array(((a * x - 5 * a) * x + 8 * a) * x - 4 * a)

    weights = far(t + 1), near(t), near(1 - t), far(2 - t)
    return [(np.clip(low.astype(np.int64) + i, 0, size - 1), w) for i, w in zip((-1, 0, 1, 2), weights)]


def _positions(size: int, out: int, scale: float | None, align_corners: bool, kind: np.dtype[Any]) -> Array:
    """Where in the source each place of the result lies."""
    if align_corners:
        at = np.arange(out).astype(kind)
        return as_array(at * (kind.type(size - 1) / kind.type(out - 1) if out > 1 else kind.type(0)))
    # rounded once, as a fused multiply-add is
    return ((np.arange(out) + 0.5) * float(_step(size, out, scale, kind)) - 0.5).astype(kind)


def _step(size: int, out: int, scale: float | None, kind: np.dtype[Any]) -> Any:
    """How far neighbouring places of the result lie apart in the source."""
    return kind.type(1.0 / scale if scale else kind.type(size) / kind.type(out))


def resample(x: Array, axis: int, taps: list[Tap]) -> Array:
    """One axis of an array (batch-last arrays are fastest) from its size to that of the taps."""
    total: Any = None
    for index, weight in taps:
        part = x.take(beside(x, index), axis)
        if weight is not None:
            part *= beside(x, _along(weight, axis, x.ndim))
        total = part if total is None else np.add(total, part, out=total)
    return as_array(total)


def resample_backward(grad: Array, axis: int, size: int, taps: list[Tap]) -> Array:
    """The gradient of `resample` for an axis of this size."""
    d_x = np.zeros_like(grad, shape=(*grad.shape[:axis], size, *grad.shape[axis + 1 :]))
    target = np.moveaxis(d_x, axis, 0)
    for index, weight in taps:
        source = np.moveaxis(grad if weight is None else grad * beside(grad, _along(weight, axis, grad.ndim)), axis, 0)
        if on_device(grad):
            np.add.at(target, beside(grad, index), source)
            continue
        for j, i in enumerate(index.tolist()):
            target[i] += source[j]
    return d_x


def _along(weight: Array, axis: int, ndim: int) -> Array:
    return weight.reshape([-1 if i == axis else 1 for i in range(ndim)])
