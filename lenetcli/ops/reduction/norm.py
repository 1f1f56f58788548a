"""Norms of vectors over one or several dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import result_tensor, saved_tensors
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.operands import axes, quiet
from lenetcli.ops.pointwise.exp import signs
from lenetcli.ops.pointwise.pow import raised
from lenetcli.ops.reduction.sum import Dims, kept

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class LinalgVectorNorm(Op):
    formula = "y = the {order:g}-norm of x along {over}"
    gradient = ("d_x = grad · sign(x) (|x| / y)^({order:g} − 1), 0 for order 0",)

    @quiet
    def forward(ctx: Any, x: Array, *, order: float, over: tuple[int, ...], keepdim: bool) -> Array:
        size = np.abs(x)
        if order and all(x.shape[i] == 1 for i in over):
            y = size  # exact: no square that overflows or vanishes
        elif order == math.inf:
            y = size.max(axis=over, keepdims=True) if x.size else sum_over(size, over, keepdims=True)
        elif order == -math.inf:
            y = size.min(axis=over, keepdims=True)
        elif order == 0:
            y = (x != 0).sum(axis=over, keepdims=True).astype(x.dtype)
        elif order == 1:
            y = sum_over(size, over, keepdims=True)
        elif order == 2:
            y = np.sqrt(sum_over(x * x, over, keepdims=True))
        else:
            y = sum_over(size**order, over, keepdims=True) ** (1 / order)
        y = as_array(y)
        ctx.order, ctx.over, ctx.keepdim = order, over, keepdim
        ctx.save(x, None if order in (0, 1) else y)
        return y if keepdim or not x.ndim else as_array(y.squeeze(over))

    def backward(ctx: Any, grad: Array) -> Array | None:
        x, y = ctx.saved
        order = ctx.order
        grad = kept(grad, x.shape, ctx.over, ctx.keepdim)
        zero = x.dtype.type(0)
        if order == 0:
            return None
        if order == 1:
            return grad * signs(x)
        if order == 2:
            return grad * np.where(y == 0, zero, x / y)
        size = np.abs(x)
        if math.isinf(order):
            hit = (size == y) | (np.isnan(size) & np.isnan(y))
            return signs(x) * hit * (grad / hit.sum(axis=ctx.over, keepdims=True).astype(x.dtype))
        if order < 1:
            return np.where(x == 0, zero, signs(x) * raised(size, order - 1)) * grad * raised(y, 1 - order)
        scaled = x * raised(size, order - 2) if order > 2 else signs(x) * raised(size, order - 1)
        return scaled * np.where(y == 0, zero, grad / raised(y, order - 1))

    saves = ("x", None)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, y = saved_tensors(ctx)
        order, shape = ctx.order, x.array.shape
        grad = kept(grad, shape, ctx.over, ctx.keepdim)
        if order == 0:
            return None
        if order == 1:
            return grad * x.sign()
        size = x.abs()
        if math.isinf(order):
            hit = (size == y) | (size.isnan() & y.isnan())
            return x.sign() * hit * (grad / hit.sum(ctx.over, keepdim=True))
        y = kept(result_tensor(ctx, as_array(ctx.saved[1]).reshape(ctx.outputs[0][0])), shape, ctx.over, ctx.keepdim)
        if order == 2:
            return grad * (x / y).masked_fill(y == 0, 0.0)
        if order < 1:
            return x.sign() * (size ** (order - 1)).masked_fill(x == 0, 0.0) * grad * y ** (1 - order)
        scaled = x * size ** (order - 2) if order > 2 else x.sign() * size ** (order - 1)
        return scaled * (grad / y ** (order - 1)).masked_fill(y == 0, 0.0)


def vector_norm(
    x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """Length of vectors: of everything flattened, or over one or several dimensions.

    Formula:
        (sum |x|^ord)^(1 / ord); the greatest |x| for inf, the smallest for -inf, the number of non-zeros for 0

    Gradient:
        0 at x = 0; divided evenly among ties for inf and -inf.

    Raises:
        RuntimeError: integers; an empty tensor where the norm of nothing is undefined.

    Source: torch.linalg.vector_norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.vector_norm(lenet.tensor([3.0, 4.0]))
        tensor(5.)
    """
    if dtype is not None:
        x = x.to(dtype)
    array = x.array
    if array.dtype.kind != "f":
        raise RuntimeError(f"vector_norm: expected a floating-point tensor, got {x.dtype}; call float() first")
    over = axes(dim, array.ndim)
    nothing = any(array.shape[i] == 0 for i in over)
    if nothing and (ord < 0 or (ord == math.inf and dim is not None)):
        raise RuntimeError(f"vector_norm: the {ord} norm of an empty tensor of shape {list(array.shape)} is undefined")
    return LinalgVectorNorm.apply(x, order=float(ord), over=over, keepdim=keepdim)
