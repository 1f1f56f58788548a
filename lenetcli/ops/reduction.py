"""Sums, means and their like over some or all dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import to_numpy_dtype
from lenetcli.autograd.op import Op
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


def spread(grad: Array, shape: tuple[int, ...], over: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced gradient broadcast back over the reduced axes (a read-only view)."""
    if not keepdim:
        grad = grad.reshape([1 if i in over else s for i, s in enumerate(shape)])
    return np.broadcast_to(grad, shape)


class Sum(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool, kind: Any) -> Array:
        ctx.shape, ctx.over, ctx.keepdim = x.shape, over, keepdim
        return np.asarray(np.sum(x, axis=over, keepdims=keepdim, dtype=kind))

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return spread(grad, ctx.shape, ctx.over, ctx.keepdim)


@method
def sum(
    input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """Sum over `dim`, or over everything; integers and booleans add up in int64.

    Source: torch.sum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).sum(1)
        tensor([3., 3.])
    """
    kind = input.array.dtype
    kind = to_numpy_dtype(dtype, kind if kind.kind == "f" else np.dtype(np.int64))
    return Sum.apply(input, over=axes(dim, input.array.ndim), keepdim=keepdim, kind=kind)


class Mean(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.over, ctx.keepdim = x.shape, over, keepdim
        ctx.count = 1
        for i in over:
            ctx.count *= x.shape[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sum(x, axis=over, keepdims=keepdim) / x.dtype.type(ctx.count))

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return spread(grad / max(ctx.count, 1), ctx.shape, ctx.over, ctx.keepdim)


@method
def mean(
    input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """Mean over `dim`, or over everything (NaN where there is nothing).

    Raises:
        RuntimeError: an integer or bool tensor without `dtype`.

    Source: torch.mean.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 3.0], [2.0, 6.0]]).mean(1)
        tensor([2., 4.])
    """
    if dtype is not None:
        input = input.to(dtype)
    if input.array.dtype.kind != "f":
        raise RuntimeError(f"mean(): could not infer output dtype from {input.dtype}; pass dtype or call float() first")
    return Mean.apply(input, over=axes(dim, input.array.ndim), keepdim=keepdim)
