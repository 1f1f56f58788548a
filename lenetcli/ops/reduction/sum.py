"""Sums, means, products and truths over some or all dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import to_numpy_dtype
from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear, result_tensor, saved_tensors
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.softmax import greatest
from lenetcli.kernels.sums import mean_over, running_product, sum_over
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes, axis, floating, quiet
from lenetcli.ops.pointwise.clamp import Where

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Dims = int | Sequence[int] | None


def spread(grad: Array, shape: tuple[int, ...], over: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced gradient broadcast back over the reduced axes (a read-only view)."""
    if type(grad) is np.ndarray and grad.size == 1:  # of a loss; np.broadcast_to would take longer than all else
        one: Array = np.ndarray(shape, grad.dtype, grad, 0, (0,) * len(shape))
        one.flags.writeable = False
        return one
    return np.broadcast_to(kept(grad, shape, over, keepdim), shape)


def kept(reduced: Array, shape: tuple[int, ...], over: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced array with its reduced axes back as 1, so that it broadcasts against the input."""
    return reduced if keepdim else reduced.reshape([1 if i in over else s for i, s in enumerate(shape)])


def count_over(shape: tuple[int, ...], over: tuple[int, ...]) -> int:
    """How many elements go into one result."""
    count = 1
    for i in over:
        count *= shape[i]
    return count


def sum_type(x: Array, dtype: Dtype | None) -> np.dtype[Any]:
    """Type of a sum or product: integers and booleans add up in int64."""
    return to_numpy_dtype(dtype, x.dtype if x.dtype.kind == "f" else np.dtype(np.int64))


class Sum(Op):
    formula = "y = Σ x over dimensions {over}"
    gradient = ("d_x = grad at every place that was summed",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool, kind: Any) -> Array:
        ctx.shape, ctx.over, ctx.keepdim = x.shape, over, keepdim
        if kind.kind == "f":
            return sum_over(x if x.dtype is kind else x.astype(kind, copy=False), over, keepdim)
        return as_array(np.sum(x, axis=over, keepdims=keepdim, dtype=kind))

    def backward(ctx: Any, grad: Array) -> Array:
        return spread(grad, ctx.shape, ctx.over, ctx.keepdim)


@method
def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """Sum over `dim`, or over everything; integers and booleans add up in int64.

    Source: torch.sum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).sum(1)
        tensor([3., 3.])
    """
    return Sum.apply(input, over=axes(dim, input.array.ndim), keepdim=keepdim, kind=sum_type(input.array, dtype))


@method
@whole
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """`sum` with NaN counting as 0 (and getting no gradient). Source: torch.nansum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([1.0, float("nan"), 2.0]).nansum()
        tensor(3.)
    """
    return sum(_without_nan(input), dim, keepdim, dtype=dtype)


def _without_nan(input: Tensor) -> Tensor:
    if input.array.dtype.kind != "f":
        return input
    present = like(input, ~np.isnan(input.array))
    return Where.apply(present, input, 0.0)


class Mean(Op):
    formula = "y = mean of x over dimensions {over}"
    gradient = ("d_x = grad / count at every place that was averaged",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.over, ctx.keepdim = x.shape, over, keepdim
        ctx.count = count_over(x.shape, over)
        return mean_over(x, over, keepdim)

    def backward(ctx: Any, grad: Array) -> Array:
        return spread(grad / max(ctx.count, 1), ctx.shape, ctx.over, ctx.keepdim)


@method
def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
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


class Prod(Op):
    formula = "y = the product of x over dimensions {dim}"
    gradient = ("d_x = grad · the product of the other elements",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int | None, keepdim: bool, kind: Any) -> Array:
        ctx.dim, ctx.keepdim = dim, keepdim
        ctx.save(x)
        return as_array(np.prod(x, axis=dim if x.ndim else None, keepdims=keepdim, dtype=kind))

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        if ctx.dim is None or not x.ndim:
            return grad * products_of_others(x.reshape(-1), 0).reshape(x.shape)
        return kept(grad, x.shape, (ctx.dim,), ctx.keepdim) * products_of_others(x, ctx.dim)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (x,) = saved_tensors(ctx)
        if ctx.dim is None or not x.array.ndim:
            return grad * _others(x.reshape(-1), 0).reshape(x.array.shape)
        return kept(grad, x.array.shape, (ctx.dim,), ctx.keepdim) * _others(x, ctx.dim)


def products_of_others(x: Array, dim: int) -> Array:
    """For each element the product of all others along an axis, right for zeros too."""
    before, after = np.ones_like(x), np.ones_like(x)
    inner = (slice(None),) * dim
    head, tail = (*inner, slice(None, -1)), (*inner, slice(1, None))
    before[tail] = running_product(x[head], dim)
    after[head] = np.flip(running_product(np.flip(x[tail], dim), dim), dim)
    return before * after


def _others(x: Tensor, dim: int) -> Tensor:
    """`products_of_others` over tensors."""
    size = x.array.shape[dim]
    if not size:
        return x
    each = x.unsqueeze(dim).expand(*x.array.shape[:dim], size, *x.array.shape[dim:])  # row i has x[i] left out
    own = np.eye(size, dtype=bool).reshape([size if d in (dim, dim + 1) else 1 for d in range(each.array.ndim)])
    return each.masked_fill(like(x, np.broadcast_to(own, each.array.shape)), 1.0).prod(dim + 1)


@method
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """Product over one dimension, or over everything; integers and booleans multiply in int64.

    Gradient:
        The product of the other elements, also where some are 0.

    Source: torch.prod.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 2.0], [3.0, 4.0]]).prod(1)
        tensor([ 2., 12.])
    """
    along = None if dim is None else axis(dim, input.array.ndim)
    return Prod.apply(input, dim=along, keepdim=keepdim, kind=sum_type(input.array, dtype))


def _truth(function: Any, input: Any, dim: Dims, keepdim: bool) -> Any:
    x = input.array
    over = axes(dim, x.ndim)
    return like(
        input, as_array(function(x, axis=over, keepdims=keepdim)).astype(x.dtype if x.dtype == np.uint8 else np.bool_)
    )


@method
@whole
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether one element over `dim` is true (not 0). Source: torch.any.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[0, 1], [0, 0]]).any(1)
        tensor([ True, False])
    """
    return _truth(np.any, input, dim, keepdim)


@method
@whole
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements over `dim` are true (not 0). Source: torch.all.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[0, 1], [2, 3]]).all(1)
        tensor([False,  True])
    """
    return _truth(np.all, input, dim, keepdim)


class Logsumexp(Op):
    saves = ("x", None)
    formula = "y = log Σ e^x over dimensions {over}"
    gradient = ("d_x = grad · e^(x − y)",)

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool) -> Array:
        x = floating(x)
        top = greatest(x, over)
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
        y = np.log(sum_over(np.exp(x - top), over, keepdims=True)) + top
        ctx.over = over
        ctx.keepdim = keepdim
        ctx.save(x, y)
        return y if keepdim else as_array(y.squeeze(over) if x.ndim else y)

    def backward(ctx: Any, grad: Array) -> Array:
        x, y = ctx.saved
        return kept(grad, x.shape, ctx.over, ctx.keepdim) * np.exp(x - y)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, _ = saved_tensors(ctx)
        y = result_tensor(ctx, as_array(ctx.saved[1]).reshape(ctx.outputs[0][0]))
        grad, y = (kept(v, x.array.shape, ctx.over, ctx.keepdim) for v in (grad, y))
        return grad * (x - y).exp()


@method
def logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow.

    Gradient:
        softmax(x).

    Source: torch.logsumexp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([100.0, 100.0]).logsumexp(0)
        tensor(100.6931)
    """
    return Logsumexp.apply(input, over=axes(dim, input.array.ndim), keepdim=keepdim)


@method
@whole
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2 ... occurs, or the sum of its weights.

    Shape:
        (N,) -> (max(minlength, max(input) + 1),)

    Raises:
        RuntimeError: not one dimension of integers >= 0, or weights of another shape.

    Source: torch.bincount.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bincount(lenet.tensor([0, 2, 2]))
        tensor([1, 0, 2])
    """
    x = input.array
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x.size and x.min() < 0):
        raise RuntimeError(f"bincount: wanted one dimension of integers >= 0, got {x.dtype} of shape {list(x.shape)}")
    if weights is not None and weights.array.shape != x.shape:
        raise RuntimeError(f"bincount: weights have shape {list(weights.array.shape)}, input {list(x.shape)}")
    if weights is None:
        return like(input, np.bincount(x, minlength=minlength).astype(np.int64))
    kind = weights.array.dtype if weights.array.dtype == np.float32 else np.dtype(np.float64)
    return like(input, np.bincount(x, weights.array, minlength).astype(kind))


@method
def numel(input: Tensor) -> int:
    """Number of elements. Source: torch.numel.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.numel(lenet.ones(2, 3))
        6
    """
    return int(input.array.size)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor. Source: torch.is_tensor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.is_tensor(lenet.ones(1)), lenet.is_tensor(1.0)
        (True, False)
    """
    return isinstance(obj, Variable)
