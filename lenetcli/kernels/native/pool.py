"""Max-pooling of 2x2 windows (pointwise.h)."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import pool as reference
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import room
from lenetcli.kernels.window import Pair

__all__ = ["max_pool2d", "max_pool2d_backward"]

FLOAT, BYTE = np.dtype(np.float32), np.dtype(np.uint8)
TWO = (2, 2)
HALVES = (TWO, TWO, (0, 0), (1, 1))  # kernel, stride, padding, dilation
FEW = 4  # images below which rows are too short for vectors


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """As lenetcli.kernels.pool.max_pool2d."""
    n, c, h, w = x.shape
    fits = (kernel, stride, padding, dilation) == HALVES and not (ceil_mode and (h % 2 or w % 2))
    if not fits or x.dtype is not FLOAT or n < FEW:
        return reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    y = room((c, h // 2, w // 2, n))
    winner = np.empty(y.shape, BYTE)
    _native.pool_forward(np.require(stored(x), None, "A"), y, winner)
    return logical(y), logical(winner)


def max_pool2d_backward(
    grad: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """As lenetcli.kernels.pool.max_pool2d_backward."""
    n, c, p, q = grad.shape
    fits = (kernel, stride, padding, dilation) == HALVES and (p, q) == (image[0] // 2, image[1] // 2) and n >= FEW
    if not fits or grad.dtype is not FLOAT or winner.dtype is not BYTE or not grad.size:
        return reference.max_pool2d_backward(grad, winner, image, kernel, stride, padding, dilation)
    d_x = room((c, *image, n))
    _native.pool_backward(np.require(stored(grad), None, "A"), stored(winner), d_x)
    return logical(d_x)
