"""Matrix products and what a Linear layer needs of them. Letters: N batch, I in-features, O out-features."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger
from lenetcli.kernels.sums import sum_over


def dense(x: Array) -> Array:
    """An operand in a memory order that BLAS takes; NumPy adds the products of others one by one."""
    if x.strides[-1] == x.itemsize or (x.ndim > 1 and x.strides[-2] == x.itemsize):
        return x
    return np.ascontiguousarray(x, like=x)


def matmul(a: Array, b: Array) -> Array:
    """`np.matmul` of operands in any memory order."""
    y: Array = np.matmul(dense(a), dense(b))
    return y


def product(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M) in the memory order of `a`, so that a batch-last batch stays batch-last."""
    if a.flags.f_contiguous and not a.flags.c_contiguous:
        return matmul(b.T, a.T).T
    return matmul(a, b)


def rows_product(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M) in row order, whatever the memory orders of the operands."""
    return matmul(a, b)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """x (N, I), weight (O, I), bias (O,) -> x weight' + bias, (N, O)."""
    y = product(x, weight.T)
    if bias is not None:
        y += bias
    return y


def linear_relu(x: Array, weight: Array, bias: Array | None) -> Array:
    """max(linear(x, weight, bias), 0)"""
    y = linear(x, weight, bias)
    return larger(0, y, out=y)


def linear_backward(grad: Array, x: Array, weight: Array, need_x: bool) -> tuple[Array | None, Array, Array]:
    """grad (N, O) -> gradients of x (None unless needed), weight and bias."""
    return product(grad, weight) if need_x else None, rows_product(grad.T, x), sum_over(grad, 0)


def linear_relu_backward(
    grad: Array, x: Array, weight: Array, y: Array, need_x: bool
) -> tuple[Array | None, Array, Array]:
    """grad and y (N, O) -> gradients of x (None unless needed), weight and bias; grad counts where y is not <= 0."""
    return linear_backward(np.where(y <= 0, grad.dtype.type(0), grad), x, weight, need_x)
