"""Running sums and products along a dimension: cumsum, cumprod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.op import Op
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, quiet
from lenetcli.ops.reduction import sum_type

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class Cumsum(Op):
    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, *, dim: int, kind: Any) -> Array:
        ctx.dim = dim
        return np.cumsum(x, axis=dim, dtype=kind).reshape(x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        if not grad.ndim:
            return grad
        return np.flip(np.cumsum(np.flip(grad, ctx.dim), axis=ctx.dim), ctx.dim)


@method(in_place=True)
def cumsum(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """Sums of the first 1, 2, 3 ... elements along a dimension; integers and booleans add up in int64.

    Source: torch.cumsum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cumsum(lenet.tensor([1.0, 2.0, 3.0]), 0)
        tensor([1., 3., 6.])
    """
    return Cumsum.apply(input, dim=axis(dim, input.array.ndim), kind=sum_type(input.array, dtype))


class Cumprod(Op):
    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, *, dim: int, kind: Any) -> Array:
        ctx.dim = dim
        ctx.save(x)
        return np.cumprod(x, axis=dim, dtype=kind).reshape(x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        """With s[k] = grad[k] + x[k+1] s[k+1], d_x[k] = x[0] ... x[k-1] s[k]: no division, so zeros are fine."""
        (x,) = ctx.saved
        if not x.ndim:
            return grad
        d_x = np.empty_like(x)
        rows, x_rows, grad_rows = (np.moveaxis(a, ctx.dim, 0) for a in (d_x, x, grad))
        s: Any = 0
        for k in reversed(range(len(rows))):
            s = grad_rows[k] + (x_rows[k + 1] * s if k + 1 < len(rows) else 0)
            rows[k] = s
        rows[1:] *= np.cumprod(x_rows[:-1], axis=0)
        return d_x


@method(in_place=True)
def cumprod(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """Products of the first 1, 2, 3 ... elements along a dimension; integers and booleans multiply in int64.

    Source: torch.cumprod.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cumprod(lenet.tensor([1.0, 2.0, 3.0]), 0)
        tensor([1., 2., 6.])
    """
    return Cumprod.apply(input, dim=axis(dim, input.array.ndim), kind=sum_type(input.array, dtype))
