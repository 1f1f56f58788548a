"""Max and average pooling (window.h): of batch-last images, and channels-last with the two changing places."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import avg_pool as average_reference
from lenetcli.kernels import pool as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import constant, laid, lies, room
from lenetcli.kernels.window import Pair, extent

__all__ = ["avg_pool2d", "avg_pool2d_backward", "max_pool2d", "max_pool2d_backward"]

FLOAT, BYTE = np.dtype(np.float32), np.dtype(np.uint8)
MOST = 256  # taps of a window


def _takes(x: Array, kernel: Pair) -> bool:
    return x.dtype is FLOAT and x.size > 0 and kernel[0] * kernel[1] <= MOST


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """As lenetcli.kernels.pool.max_pool2d."""
    if not _takes(x, kernel):
        return reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    h, w = x.shape[2:]
    p = extent(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    q = extent(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    memory, lie = lies(x)
    y = room((memory.shape[0], p, q, memory.shape[3]))
    winner = np.empty(y.shape, BYTE)
    _native.max_pool(memory, kernel, stride, padding, dilation, y, winner)
    return lie(y), lie(winner)


def max_pool2d_backward(
    grad: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """As lenetcli.kernels.pool.max_pool2d_backward."""
    if not _takes(grad, kernel) or winner.dtype is not BYTE:
        return reference.max_pool2d_backward(grad, winner, image, kernel, stride, padding, dilation)
    taps, lie = lies(winner)
    d_x = room((taps.shape[0], *image, taps.shape[3]))
    _native.max_pool_backward(laid(grad, lie), taps, kernel, stride, padding, dilation, d_x)
    return lie(d_x)


def avg_pool2d(x: Array, divisor: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """As lenetcli.kernels.avg_pool.avg_pool2d."""
    if not _takes(x, kernel):
        return average_reference.avg_pool2d(x, divisor, kernel, stride, padding)
    memory, lie = lies(x)
    y = room((memory.shape[0], *divisor.shape, memory.shape[3]))
    _native.avg_pool(memory, constant(divisor), kernel, stride, padding, y)
    return lie(y)


def avg_pool2d_backward(grad: Array, divisor: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """As lenetcli.kernels.avg_pool.avg_pool2d_backward."""
    if not _takes(grad, kernel):
        return average_reference.avg_pool2d_backward(grad, divisor, image, kernel, stride, padding)
    memory, lie = lies(grad)
    d_x = room((memory.shape[0], *image, memory.shape[3]))
    _native.avg_pool_backward(memory, constant(divisor), kernel, stride, padding, d_x)
    return lie(d_x)
