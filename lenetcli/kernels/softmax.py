"""Softmax and its logarithm along one axis, and their gradients. Results keep the memory order of their input.

    softmax(x)     = exp(x - max) / sum exp(x - max)
    log_softmax(x) = x - max - log sum exp(x - max)

Subtracting the maximum changes nothing but keeps exp from overflowing. Half precision is computed in float32.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import sum_over


def greatest(x: Array, axis: int | tuple[int, ...]) -> Array:
    """The maximum over axes, which stay with size 1; -infinity where there are no elements."""
    if x.size:
        top: Array = x.max(axis=axis, keepdims=True)
        return top
    over = (axis,) if isinstance(axis, int) else axis
    return np.full_like(x, -np.inf, shape=[1 if i in over else size for i, size in enumerate(x.shape)])


def softmax(x: Array, axis: int) -> Array:
    """Of an array with at least one dimension."""
    if x.dtype == np.float16:
        return softmax(x.astype(np.float32), axis).astype(np.float16)
    y = x - greatest(x, axis)
    np.exp(y, out=y)
    y /= sum_over(y, axis, keepdims=True)
    return y


def softmax_backward(grad: Array, y: Array, axis: int) -> Array:
    """y (grad - sum(grad y)) for y = softmax(x)."""
    d_x = grad * y
    np.subtract(grad, sum_over(d_x, axis, keepdims=True), out=d_x)
    d_x *= y
    return d_x


def log_softmax(x: Array, axis: int) -> Array:
    """Of an array with at least one dimension."""
    if x.dtype == np.float16:
        return log_softmax(x.astype(np.float32), axis).astype(np.float16)
    y = x - greatest(x, axis)
    total = sum_over(np.exp(y), axis, keepdims=True)
    y -= np.log(total, out=total)
    return y


def log_softmax_backward(grad: Array, y: Array, axis: int) -> Array:
    """grad - exp(y) sum(grad) for y = log_softmax(x)."""
    d_x = np.exp(y)
    d_x *= sum_over(grad, axis, keepdims=True)
    return np.subtract(grad, d_x, out=d_x)
