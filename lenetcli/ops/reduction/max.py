"""Greatest, smallest and middle values over dimensions, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear, weights
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes, axis, quiet
from lenetcli.ops.pointwise.clamp import maximum, minimum
from lenetcli.ops.reduction.sum import Dims, kept
from lenetcli.ops.return_types import least_and_greatest, values_and_indices

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

MaxResult = values_and_indices("max")
MinResult = values_and_indices("min")
MedianResult = values_and_indices("median")
AminmaxResult = least_and_greatest("aminmax")


def refuse_empty(name: str, shape: tuple[int, ...], over: Sequence[int]) -> None:
    """There is no greatest element of nothing.

    Raises:
        IndexError: an axis of size 0.
    """
    for i in over:
        if shape and shape[i] == 0:
            raise IndexError(f"{name}(): expected reduction dim {i} to have non-zero size, the shape is {list(shape)}")


class Extreme(Op):
    """The greatest (or smallest) over axes; elements that tie share the gradient evenly."""

    reduce: Any
    share: Any
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool) -> Array:
        y = as_array(ctx.reduce(x, axis=over, keepdims=True))
        ctx.over, ctx.keepdim = over, keepdim
        ctx.save(x, y)
        return y if keepdim or not x.ndim else as_array(y.squeeze(over))

    def backward(ctx: Any, grad: Array) -> Array:
        x, y = ctx.saved
        return ctx.share(kept(grad, x.shape, ctx.over, ctx.keepdim), x, y, ctx.over)

    def jvp(ctx: Any, tangent: Array) -> Array:
        return sum_over(tangent * weights(ctx), ctx.over, ctx.keepdim) if tangent.ndim else tangent


def evenly(grad: Array, x: Array, y: Array, over: tuple[int, ...]) -> Array:
    """The gradient of y, divided among the elements of x that equal it; among the NaNs where it is NaN."""
    return _divided(grad, (x == y) | (np.isnan(x) & np.isnan(y)), over)


def among_numbers(grad: Array, x: Array, y: Array, over: tuple[int, ...]) -> Array:
    """`evenly`, but NaN for every element where y is NaN, which none equals: torch's rule for amax, amin, aminmax."""
    return _divided(grad, x == y, over)


def _divided(grad: Array, hit: Array, over: tuple[int, ...]) -> Array:
    return hit * (grad / hit.sum(axis=over, keepdims=True).astype(grad.dtype))


class Amax(Extreme):
    formula = "y = the largest x over dimensions {over}"
    gradient = ("d_x = grad at the largest, shared by those that tie, else 0",)
    reduce, share = staticmethod(np.max), staticmethod(among_numbers)


class Amin(Extreme):
    formula = "y = the smallest x over dimensions {over}"
    gradient = ("d_x = grad at the smallest, shared by those that tie, else 0",)
    reduce, share = staticmethod(np.min), staticmethod(among_numbers)


class MaxAll(Amax):
    backward_name = "Max"
    share = staticmethod(evenly)


class MinAll(Amin):
    backward_name = "Min"
    share = staticmethod(evenly)


@method
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Greatest value over one or several dimensions; () means all.

    Gradient:
        Divided evenly among the elements that tie; NaN for all where one is NaN.

    Raises:
        IndexError: a dimension of size 0.

    Source: torch.amax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 5.0], [3.0, 2.0]]).amax(0)
        tensor([3., 5.])
    """
    over = axes(dim, input.array.ndim)
    refuse_empty("amax", input.array.shape, over)
    return Amax.apply(input, over=over, keepdim=keepdim)


@method
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Smallest value over one or several dimensions; () means all. Like `amax`. Source: torch.amin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 5.0], [3.0, 2.0]]).amin(0)
        tensor([1., 2.])
    """
    over = axes(dim, input.array.ndim)
    refuse_empty("amin", input.array.shape, over)
    return Amin.apply(input, over=over, keepdim=keepdim)


class Pick(Op):
    """Elements at one index per row along an axis, with the indices; the gradient goes to those elements."""

    backward_graph = linear

    def forward(ctx: Any, x: Array, *, at: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
        ctx.x = np.broadcast_to(np.zeros((), x.dtype, like=x), x.shape)
        ctx.dim, ctx.keepdim = dim, keepdim
        ctx.save(at)
        if not x.ndim:
            return x.copy(), at
        y = np.take_along_axis(x, at, dim)
        return (y, at) if keepdim else (y.squeeze(dim), at.squeeze(dim))

    def backward(ctx: Any, grad: Array, _: Any) -> Array:
        if not ctx.x.ndim:
            return grad
        (at,) = ctx.saved
        d_x = np.zeros_like(grad, shape=ctx.x.shape)
        np.put_along_axis(d_x, at, kept(grad, d_x.shape, (ctx.dim,), ctx.keepdim), ctx.dim)
        return d_x

    def jvp(ctx: Any, tangent: Array) -> Any:
        y = np.take_along_axis(tangent, ctx.saved[0], ctx.dim) if tangent.ndim else tangent
        return y.reshape(ctx.outputs[0][0]), None


class Max(Pick):
    formula = "y = the largest x along dimension {dim}"
    gradient = ("d_x = grad at the element whose index was given, else 0",)


class Min(Pick):
    formula = "y = the smallest x along dimension {dim}"
    gradient = ("d_x = grad at the element whose index was given, else 0",)


class Median(Pick):
    formula = "y = the middle x along dimension {dim}"
    gradient = ("d_x = grad at the element whose index was given, else 0",)


@method
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Greatest value: of everything, over one dimension, or of two tensors element by element.

    `max(input)`; `max(input, dim, keepdim=False)` gives (values, indices); `max(input, other)` is `maximum`.

    Gradient:
        Of everything: divided evenly among the elements that tie. Over a dimension: to the element at the index.

    Raises:
        RuntimeError: an empty tensor without dim.
        IndexError: a dimension of size 0.

    Source: torch.max.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([[1.0, 5.0], [3.0, 2.0]])
        >>> x.max()
        tensor(5.)
        >>> x.max(dim=1).indices
        tensor([1, 0])
    """
    if isinstance(dim, Variable) or other is not None:
        return maximum(input, other if other is not None else dim)
    if dim is None:
        _refuse_nothing("max", input)
        return MaxAll.apply(input, over=axes(None, input.array.ndim), keepdim=False)
    at, along = _arg(np.argmax, "max", input, dim)
    return MaxResult(*Max.apply(input, at=at, dim=along, keepdim=keepdim))


@method
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Smallest value: of everything, over one dimension, or of two tensors. Like `max`. Source: torch.min.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 5.0], [3.0, 2.0]]).min(1).values
        tensor([1., 2.])
    """
    if isinstance(dim, Variable) or other is not None:
        return minimum(input, other if other is not None else dim)
    if dim is None:
        _refuse_nothing("min", input)
        return MinAll.apply(input, over=axes(None, input.array.ndim), keepdim=False)
    at, along = _arg(np.argmin, "min", input, dim)
    return MinResult(*Min.apply(input, at=at, dim=along, keepdim=keepdim))


def _refuse_nothing(name: str, input: Any) -> None:
    if not input.array.size:
        raise RuntimeError(
            f"{name}(): expected reduction dim to be specified for an empty tensor of shape {list(input.array.shape)}; "
            "give dim"
        )


def _arg(function: Any, name: str, input: Any, dim: int) -> tuple[Array, int]:
    """Indices of extreme elements along an axis (kept as 1), and the axis."""
    x = input.array
    along = axis(dim, x.ndim)
    refuse_empty(name, x.shape, (along,))
    at = as_array(function(x, axis=along, keepdims=True)) if x.ndim else np.zeros((), like=x)
    return at.astype(np.int64, copy=False), along


def _arg_of(function: Any, name: str, input: Any, dim: int | None, keepdim: bool) -> Any:
    x = input.array
    if dim is None:
        if not x.size:
            raise IndexError(f"{name}(): expected reduction dim to be specified for an empty tensor; give dim")
        at = as_array(function(x)).astype(np.int64, copy=False)
        return like(input, at.reshape((1,) * x.ndim) if keepdim else at)
    at, along = _arg(function, name, input, dim)
    return like(input, at if keepdim or not x.ndim else at.squeeze(along))


@method
@whole
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the greatest element over a dimension, or in the flattened tensor; the first one where several tie.

    Source: torch.argmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 5.0], [3.0, 2.0]]).argmax(1)
        tensor([1, 0])
    """
    return _arg_of(np.argmax, "argmax", input, dim, keepdim)


@method
@whole
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the smallest element; like `argmax`. Source: torch.argmin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1.0, 5.0], [3.0, 2.0]]).argmin(1)
        tensor([0, 1])
    """
    return _arg_of(np.argmin, "argmin", input, dim, keepdim)


class MedianAll(Op):
    formula = "y = the middle x"
    gradient = ("d_x = grad at the middle, shared by those that tie, else 0",)
    backward_name = "Median"
    backward_graph = linear

    def forward(ctx: Any, x: Array) -> Array:
        y = as_array(x.reshape(-1)[_middle(x.reshape(-1), 0)[0]]) if x.size else median_of_nothing(x)
        ctx.save(x, y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        x, y = ctx.saved
        return evenly(grad, x, y, tuple(range(x.ndim)))

    def jvp(ctx: Any, tangent: Array) -> Array:
        return sum_over(tangent * weights(ctx))


@quiet
def median_of_nothing(x: Array) -> Array:
    """NaN, or what a NaN becomes in a type of integers."""
    return as_array(np.asarray(np.nan, like=x).astype(x.dtype))


def _middle(x: Array, dim: int) -> Array:
    """Indices of the median along an axis (kept as 1): the lower of two middle ones, the first NaN if there is one."""
    order = np.argsort(x, axis=dim, kind="stable").astype(np.int64, copy=False)
    at = np.take(order, [(x.shape[dim] - 1) // 2], axis=dim)
    if x.dtype.kind != "f":
        return at
    missing = np.isnan(x)
    return np.where(missing.any(axis=dim, keepdims=True), missing.argmax(axis=dim, keepdims=True), at)


@method
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Middle value of everything, or (values, indices) over a dimension; the lower one of two middle ones.

    Gradient:
        Of everything: divided evenly among the elements that tie. Over a dimension: to the element at the index.

    Source: torch.median.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([3.0, 1.0, 2.0, 4.0]).median()
        tensor(2.)
    """
    if dim is None:
        return MedianAll.apply(input)
    x = input.array
    along = axis(dim, x.ndim)
    refuse_empty("median", x.shape, (along,))
    at = _middle(x, along) if x.ndim else np.zeros((), np.int64, like=x)
    return MedianResult(*Median.apply(input, at=at, dim=along, keepdim=keepdim))


class Aminmax(Op):
    formula = "y = the smallest and the largest x over dimensions {over}"
    gradient = ("d_x = grad of each at its elements, shared by those that tie, else 0",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], keepdim: bool) -> tuple[Array, Array]:
        low, high = (as_array(reduce(x, axis=over, keepdims=True)) for reduce in (np.min, np.max))
        ctx.over, ctx.keepdim = over, keepdim
        ctx.save(x, low, high)
        if keepdim or not x.ndim:
            return low, high
        return as_array(low.squeeze(over)), as_array(high.squeeze(over))

    def backward(ctx: Any, d_low: Array | None, d_high: Array | None) -> Array:
        x, low, high = ctx.saved
        d_x = np.zeros_like(x)
        for grad, y in ((d_low, low), (d_high, high)):
            if grad is not None:
                d_x += among_numbers(kept(grad, x.shape, ctx.over, ctx.keepdim), x, y, ctx.over)
        return d_x

    def jvp(ctx: Any, tangent: Array) -> Any:
        if not tangent.ndim:
            return tangent, tangent
        return tuple(sum_over(tangent * weights(ctx, i), ctx.over, ctx.keepdim) for i in range(2))


@method
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Smallest and greatest value, over one dimension or over everything, as (min, max).

    Gradient:
        Divided evenly among the elements that tie.

    Raises:
        RuntimeError: an empty tensor without dim.
        IndexError: a dimension of size 0.

    Source: torch.aminmax.

    Example:
        >>> import lenetcli as lenet
        >>> low, high = lenet.aminmax(lenet.tensor([3.0, 1.0, 2.0]))
        >>> low, high
        (tensor(1.), tensor(3.))
    """
    over = axes(dim, input.array.ndim)
    if dim is None:
        _refuse_nothing("aminmax", input)
    else:
        refuse_empty("aminmax", input.array.shape, over)
    return AminmaxResult(*Aminmax.apply(input, over=over, keepdim=keepdim))
