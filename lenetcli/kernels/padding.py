"""Borders that repeat the image: reflected, replicated or wrapped around, one axis at a time.

    y[..., j, ...] = x[..., index[j], ...]

Any axis of an array in any memory order; the result keeps that order.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array


def source_index(mode: str, size: int, left: int, right: int) -> Array:
    """For each place of the padded axis, the place it shows.

    A negative border crops. Places may be out of range where a border is wider than the mode allows.
    """
    at = np.arange(-left, size + right)
    if mode == "replicate":
        return np.clip(at, 0, size - 1)
    if mode == "reflect":
        return as_array(size - 1 - np.abs(size - 1 - np.abs(at)))
    first, last = max(-left, 0), size + min(right, 0)  # what cropping leaves is what goes round
    return as_array(first + (at - first) % max(last - first, 1))


def pad_axis(x: Array, axis: int, index: Array, left: int, right: int) -> Array:
    """The array with one axis padded."""
    y = np.empty_like(x, shape=(*x.shape[:axis], len(index), *x.shape[axis + 1 :]))
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
    inside = _inside(len(index), left, right)
    target[inside] = source[_shown(x.shape[axis], left, right)]
    for j in (*range(inside.start), *range(inside.stop, len(index))):
        target[j] = source[index[j]]
    return y


def pad_axis_backward(grad: Array, axis: int, index: Array, left: int, right: int) -> Array:
    """Gradient of what `pad_axis` took: every border place adds to the place it shows."""
    size = grad.shape[axis] - left - right
    d_x = np.zeros_like(grad, shape=(*grad.shape[:axis], size, *grad.shape[axis + 1 :]))
    source, target = np.moveaxis(grad, axis, 0), np.moveaxis(d_x, axis, 0)
    inside = _inside(len(index), left, right)
    target[_shown(size, left, right)] = source[inside]
    for j in (*range(inside.start), *range(inside.stop, len(index))):
        target[index[j]] += source[j]
    return d_x


def _inside(count: int, left: int, right: int) -> slice:
    """The part of the padded axis that is no border."""
    start = min(max(left, 0), count)
    return slice(start, max(start, count - max(right, 0)))


def _shown(size: int, left: int, right: int) -> slice:
    """The part of the axis that cropping leaves."""
    start = min(max(-left, 0), size)
    return slice(start, max(start, size - max(-right, 0)))
