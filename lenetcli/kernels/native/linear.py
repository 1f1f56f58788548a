"""Matrix products (product.h) and Linear layers with relu made of them.

Results of a batch lie batch-last. Rows that are many more than their numbers, as those of tokens and pixels are, stay
rows: what comes before and after, norms of rows among them, would have to turn them.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import linear as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import dense, room

__all__ = ["linear", "linear_backward", "linear_relu", "linear_relu_backward", "product", "rows_product"]

FLOAT = np.dtype(np.float32)
SMALL = 512  # multiply-adds below which NumPy's call costs less
MANY, TIMES = 512, 4  # rows, at least; by which they are more than the numbers of each
ONE, NONE = (1, 1), (0, 0)


def _takes(a: Array, b: Array) -> bool:
    return a.dtype is FLOAT and b.dtype is FLOAT and a.flags.aligned and b.flags.aligned


def _are_rows(x: Array, weight: Array) -> bool:
    return x.flags.c_contiguous and len(x) >= max(MANY, TIMES * max(weight.shape))


def product(a: Array, b: Array) -> Array:
    """As lenetcli.kernels.linear.product."""
    if not _pays(a, b):
        return reference.product(a, b)
    batch_last = a.flags.f_contiguous and not a.flags.c_contiguous
    y = room((b.shape[1], len(a))).T if batch_last else room((len(a), b.shape[1]))
    _native.product(a, b, y)
    return y


def rows_product(a: Array, b: Array) -> Array:
    """As lenetcli.kernels.linear.rows_product."""
    if not _pays(a, b):
        return reference.rows_product(a, b)
    y = np.empty((len(a), b.shape[1]), FLOAT)
    _native.product(a, b, y)
    return y


def _pays(a: Array, b: Array) -> bool:
    (n, k), m = a.shape, b.shape[1]
    return n * k * m >= SMALL and _takes(a, b)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """As lenetcli.kernels.linear.linear; the result is batch-last but for many rows."""
    if not x.size or not weight.size or not _takes(x, weight):
        return reference.linear(x, weight, bias)
    return _linear(x, weight, bias, False)


def linear_relu(x: Array, weight: Array, bias: Array | None) -> Array:
    """As lenetcli.kernels.linear.linear_relu; the result is batch-last but for many rows."""
    if not x.size or not weight.size or not _takes(x, weight):
        return reference.linear_relu(x, weight, bias)
    return _linear(x, weight, bias, True)


def _linear(x: Array, weight: Array, bias: Array | None, relu: bool) -> Array:
    bias = None if bias is None else np.ascontiguousarray(bias)
    if _are_rows(x, weight):  # pixels, whose convolution it is
        y = room((len(x), len(weight)))
        _native.pixel_forward(_pixels(x), _pixels(dense(weight)), bias, ONE, NONE, ONE, relu, False, _pixels(y))
        return y
    y = room((len(weight), len(x))).T
    _native.linear(x, weight, bias, relu, y)
    return y


def _pixels(rows: Array) -> Array:
    return rows.reshape(*rows.shape, 1, 1)


def linear_backward(grad: Array, x: Array, weight: Array, need_x: bool) -> tuple[Array | None, Array, Array]:
    """As lenetcli.kernels.linear.linear_backward."""
    if not x.size or not weight.size or not (_takes(grad, x) and _takes(weight, weight)):
        return reference.linear_backward(grad, x, weight, need_x)
    return _backward(grad, x, weight, None, need_x)


def linear_relu_backward(
    grad: Array, x: Array, weight: Array, y: Array, need_x: bool
) -> tuple[Array | None, Array, Array]:
    """As lenetcli.kernels.linear.linear_relu_backward."""
    if not x.size or not weight.size or not (_takes(grad, x) and _takes(weight, y)):
        return reference.linear_relu_backward(grad, x, weight, y, need_x)
    return _backward(grad, x, weight, y, need_x)


def _backward(grad: Array, x: Array, weight: Array, y: Array | None, need_x: bool) -> tuple[Array | None, Array, Array]:
    if _are_rows(x, weight):
        return _rows_backward(grad, x, weight, y, need_x)
    d_x = room((x.shape[1], len(x))).T if need_x else None
    d_weight, d_bias = np.empty(weight.shape, FLOAT), np.empty(len(weight), FLOAT)
    _native.linear_backward(grad, x, weight if need_x else None, y, d_x, d_weight, d_bias)
    return d_x, d_weight, d_bias


def _rows_backward(
    grad: Array, x: Array, weight: Array, y: Array | None, need_x: bool
) -> tuple[Array | None, Array, Array]:
    grad = dense(grad)
    if y is not None:
        let_through = room(grad.shape)
        _native.relu_backward(grad.reshape(-1), dense(y).reshape(-1), let_through.reshape(-1))
        grad = let_through
    d_x = room(x.shape) if need_x else None
    d_weight, d_bias = np.empty(weight.shape, FLOAT), np.empty(len(weight), FLOAT)
    if d_x is not None:
        _native.product(grad, weight, d_x)
    _native.product(grad.T, x, d_weight)
    _native.pixel_sums(grad, d_bias)
    return d_x, d_weight, d_bias
