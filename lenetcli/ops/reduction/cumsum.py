"""Running sums, products and extremes along a dimension, and differences: cumsum, cummax, diff and their like."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear, restated, saved_tensors
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scan import running
from lenetcli.kernels.scatter import positions_along, scattered
from lenetcli.kernels.sums import running_product, running_sum
from lenetcli.ops.indexing.getitem import index
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, quiet, wanted_tensors
from lenetcli.ops.pointwise.add import sub
from lenetcli.ops.pointwise.clone import clone
from lenetcli.ops.pointwise.logical_and import logical_xor
from lenetcli.ops.reduction.sum import sum_type
from lenetcli.ops.return_types import values_and_indices
from lenetcli.ops.shaping.cat import cat, stack

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

CummaxResult = values_and_indices("cummax")
CumminResult = values_and_indices("cummin")


class Cumsum(Op):
    formula = "y = Σ of the x up to each place along dimension {dim}"
    gradient = ("d_x = Σ of grad from each place on",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int, kind: Any) -> Array:
        ctx.dim = dim
        return running_sum(x.astype(kind, copy=False), dim).reshape(x.shape)

    def backward(ctx: Any, grad: Array) -> Array:
        if not grad.ndim:
            return grad
        return np.flip(running_sum(np.flip(grad, ctx.dim), ctx.dim), ctx.dim)


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
    backward_graph = restated
    formula = "y = the product of the x up to each place along dimension {dim}"
    gradient = ("d_x = Σ of grad · y / x from each place on",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int, kind: Any) -> Array:
        ctx.dim = dim
        ctx.save(x)
        return running_product(x.astype(kind, copy=False), dim).reshape(x.shape)

    def backward(ctx: Any, grad: Array) -> Array:
        """With s[k] = grad[k] + x[k+1] s[k+1], d_x[k] = x[0] ... x[k-1] s[k]: no division, so zeros are fine."""
        (x,) = ctx.saved
        if not x.ndim:
            return grad
        d_x = np.empty_like(x, dtype=np.float64)
        rows, x_rows, grad_rows = (np.moveaxis(a, ctx.dim, 0) for a in (d_x, x, grad.astype(np.float64)))
        s: Any = 0
        for k in reversed(range(len(rows))):
            s = grad_rows[k] + (x_rows[k + 1] * s if k + 1 < len(rows) else 0)
            rows[k] = s
        rows[1:] *= np.cumprod(x_rows[:-1], axis=0, dtype=np.float64)
        return d_x.astype(x.dtype)

    def restate(ctx: Any, x: Any) -> Any:
        if not x.array.size or not x.array.ndim:
            return x * 1
        rows = itertools.accumulate(x.unbind(ctx.dim), operator.mul)
        return stack(list(rows), ctx.dim)


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


class Cummax(Op):
    """Extremes so far and the index of each, the last one of several that are equal; NaN stays."""

    formula = "y = the largest x up to each place along dimension {dim}"
    gradient = ("d_x = Σ of grad over the places where it is the largest",)

    extreme: Any = np.maximum
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> tuple[Array, Array]:
        ctx.dim, ctx.shape = dim, x.shape
        if not x.ndim:
            return x.copy(), np.zeros((), np.int64, like=x)
        y = running(ctx.extreme, x, dim)
        here = np.arange(x.shape[dim], dtype=np.int64, like=x).reshape([-1 if d == dim else 1 for d in range(x.ndim)])
        at = running(np.maximum, np.where((x == y) | (x != x), here, 0), dim)
        ctx.save(at)
        return y, at

    def backward(ctx: Any, grad: Array, _: Any) -> Array:
        if not grad.ndim:
            return grad
        (at,) = ctx.saved
        return scattered(ctx.shape, positions_along(ctx.shape, ctx.dim, at), grad)

    def jvp(ctx: Any, tangent: Array) -> Any:
        return (np.take_along_axis(tangent, ctx.saved[0], ctx.dim) if tangent.ndim else tangent), None


class Cummin(Cummax):
    formula = "y = the smallest x up to each place along dimension {dim}"
    gradient = ("d_x = Σ of grad over the places where it is the smallest",)
    extreme = np.minimum


@method
def cummax(input: Tensor, dim: int) -> Any:
    """The greatest of the first 1, 2, 3 ... elements along a dimension, as (values, indices).

    Gradient:
        To the element at the index: the last one of several that are equal.

    Source: torch.cummax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cummax(lenet.tensor([1.0, 3.0, 2.0]), 0).values
        tensor([1., 3., 3.])
    """
    wanted_tensors("cummax", input)
    return CummaxResult(*Cummax.apply(input, dim=axis(dim, input.array.ndim)))


@method
def cummin(input: Tensor, dim: int) -> Any:
    """The smallest of the first 1, 2, 3 ... elements along a dimension; like `cummax`. Source: torch.cummin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cummin(lenet.tensor([2.0, 3.0, 1.0]), 0).values
        tensor([2., 2., 1.])
    """
    wanted_tensors("cummin", input)
    return CumminResult(*Cummin.apply(input, dim=axis(dim, input.array.ndim)))


class Logcumsumexp(Op):
    formula = "y = log Σ e^x up to each place along dimension {dim}"
    gradient = ("d_x = Σ of grad · e^(x − y) from each place on",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        y = running(np.logaddexp, x.astype(np.float64), dim).astype(x.dtype) if x.ndim else x.copy()
        ctx.dim = dim
        ctx.save(x, y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        """d_x[k] = sum over i >= k of grad[i] exp(x[k] - y[i]), in logarithms, apart for the two signs of grad."""
        x, y = ctx.saved
        if not x.ndim:
            return grad
        d_x = np.zeros_like(x)
        wide, grad = x.astype(np.float64), grad.astype(np.float64)
        for sign in (1, -1):
            logs = np.where(sign * grad > 0, np.log(np.abs(grad)) - y, -np.inf)
            sums = np.flip(running(np.logaddexp, np.flip(logs, ctx.dim), ctx.dim), ctx.dim)
            d_x += (sign * np.exp(sums + wide)).astype(x.dtype)
        return d_x

    saves = ("x", "result")

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, y = saved_tensors(ctx)
        if not x.array.ndim:
            return grad
        parts = []
        for part in (grad, -grad):
            least = float(np.finfo(part.array.dtype).min)
            logs = part.masked_fill(part <= 0, 1.0).log().masked_fill(part <= 0, least)
            sums = (logs - y).flip(ctx.dim).logcumsumexp(ctx.dim).flip(ctx.dim)
            parts.append((sums + x).exp())
        return parts[0] - parts[1]


@method
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(exp(x1) + ... + exp(xk)) of the first k = 1, 2, 3 ... elements along a dimension, without overflow.

    Raises:
        NotImplementedError: an integer tensor.

    Source: torch.logcumsumexp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logcumsumexp(lenet.tensor([0.0, 0.0]), 0)
        tensor([0.0000, 0.6931])
    """
    wanted_tensors("logcumsumexp", input)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"logcumsumexp: not implemented for {input.array.dtype}; convert to float first")
    return Logcumsumexp.apply(input, dim=axis(dim, input.array.ndim))


@method
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along a dimension, taken n times; of booleans, whether they differ.

    Formula:
        out[i] = input[i + 1] - input[i]

    Args:
        n: how many times; 0 gives a copy of the input alone.
        prepend, append: elements to join on before.

    Shape:
        (N,) -> (max(N - n, 0),)

    Raises:
        RuntimeError: n is negative, a tensor without dimensions, or one to join on of other dimensions.

    Source: torch.diff.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.diff(lenet.tensor([1.0, 4.0, 9.0]))
        tensor([3., 5.])
    """
    wanted_tensors("diff", input)
    if not input.array.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"diff: order must be non-negative but got {n}")
    along = axis(dim, input.array.ndim)
    parts = [part for part in (prepend, input, append) if part is not None]
    wanted_tensors("diff", *parts)
    if any(part.array.ndim != input.array.ndim for part in parts):
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    if n == 0:
        return clone(input)
    result = cat(parts, along) if len(parts) > 1 else input
    before = (slice(None),) * along
    subtract = logical_xor if result.array.dtype == "?" else sub
    for _ in range(min(n, result.array.shape[along])):
        result = subtract(index(result, (*before, slice(1, None))), index(result, (*before, slice(None, -1))))
    return result
