"""Resampling and adaptive means, axis after axis (resample.h)."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from lenetcli.kernels import avg_pool as mean_reference
from lenetcli.kernels import resize as reference
from lenetcli.kernels.avg_pool import adaptive_bounds
from lenetcli.kernels.layout import Array, images, logical
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import constant, dense, laid, lies, room
from lenetcli.kernels.resize import Tap
from lenetcli.kernels.window import Pair

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "resample", "resample_backward"]

FLOAT = np.dtype(np.float32)


class Sums(NamedTuple):
    """What the places of an axis are sums of: place p of the terms `starts[p]` to `starts[p + 1]`."""

    starts: Array
    sources: Array
    weight: Array
    divisor: Array | None


def _sums(counts: Array, index: Array, weight: Array, divisor: Array | None = None) -> Sums:
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return Sums(starts, np.ascontiguousarray(index, np.int64), np.ascontiguousarray(weight), divisor)


def resample(x: Array, axis: int, taps: list[Tap]) -> Array:
    """As lenetcli.kernels.resize.resample."""
    if not _takes(x):
        return reference.resample(x, axis, taps)
    index = np.stack([index for index, _ in taps], axis=1)
    counts = np.full(len(index), len(taps))
    return _gathered(x, axis, _sums(counts, index.ravel(), _weights(taps).T.ravel()))


def resample_backward(grad: Array, axis: int, size: int, taps: list[Tap]) -> Array:
    """As lenetcli.kernels.resize.resample_backward."""
    if not _takes(grad):
        return reference.resample_backward(grad, axis, size, taps)
    places = np.concatenate([index for index, _ in taps])
    order = np.argsort(places, kind="stable")
    sources = np.tile(np.arange(grad.shape[axis]), len(taps))[order]
    counts = np.bincount(places, minlength=size)
    return _gathered(grad, axis, _sums(counts, sources, _weights(taps).ravel()[order]))


def _takes(x: Array) -> bool:
    return x.dtype is FLOAT and x.size > 0


def _weights(taps: list[Tap]) -> Array:
    """One row a tap."""
    return np.stack([np.ones(len(index), FLOAT) if w is None else w.astype(FLOAT) for index, w in taps])


def _gathered(x: Array, axis: int, sums: Sums) -> Array:
    """An axis made of sums."""
    x = dense(x)
    places = len(sums.starts) - 1
    y = room((*x.shape[:axis], places, *x.shape[axis + 1 :]))
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    for array in sums:
        if array is not None:
            constant(array)
    _native.resample(x.reshape(outer, -1, inner), *sums, y.reshape(outer, -1, inner))
    return y


def adaptive_avg_pool2d(x: Array, out: Pair) -> Array:
    """As lenetcli.kernels.avg_pool.adaptive_avg_pool2d."""
    if not _takes(x) or not all(out):
        return mean_reference.adaptive_avg_pool2d(x, out)
    y, lie = lies(x)
    for axis, places in enumerate(out, 1):
        y = _gathered(y, axis, _means(y.shape[axis], places))
    return lie(y)


def adaptive_avg_pool2d_backward(grad: Array, image: Pair, channels_last: bool) -> Array:
    """As lenetcli.kernels.avg_pool.adaptive_avg_pool2d_backward."""
    if not _takes(grad):
        return mean_reference.adaptive_avg_pool2d_backward(grad, image, channels_last)
    lie = images if channels_last else logical
    d_x = laid(grad, lie)
    for axis, size in enumerate(image, 1):
        d_x = _gathered(d_x, axis, _shares(size, d_x.shape[axis]))
    return lie(d_x)


@functools.lru_cache(maxsize=64)
def _means(size: int, out: int) -> Sums:
    """Each window's mean."""
    bounds = adaptive_bounds(size, out)
    counts = np.array([end - start for start, end in bounds])
    index = np.concatenate([np.arange(start, end) for start, end in bounds])
    return _sums(counts, index, np.ones(len(index), FLOAT), counts.astype(FLOAT))


@functools.lru_cache(maxsize=64)
def _shares(size: int, out: int) -> Sums:
    """What each pixel gets of the windows that hold it."""
    bounds = adaptive_bounds(size, out)
    windows = np.concatenate([np.full(end - start, i) for i, (start, end) in enumerate(bounds)])
    places = np.concatenate([np.arange(start, end) for start, end in bounds])
    windows = windows[np.argsort(places, kind="stable")]
    shares = np.array([1 / (end - start) for start, end in bounds], FLOAT)
    return _sums(np.bincount(places, minlength=size), windows, shares[windows])
