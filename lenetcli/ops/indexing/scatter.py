"""Elements taken from, and put at, places that an index tensor names along a dimension: gather, scatter and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import number_as
from lenetcli.autograd.modes import switches, whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable, like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scatter import REDUCTIONS, add_at, positions_along, reduce_at, scattered
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, broadcast_shape, quiet, wanted_tensors
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def checked_index(name: str, index: Any, size: int, lowest: int = 0, error: type[Exception] = RuntimeError) -> Array:
    """An index tensor's array, after a look at its type and range.

    Raises:
        TypeError: no tensor.
        RuntimeError: not of type int64 or int32.
        IndexError or RuntimeError, as `error` says: outside lowest <= index < size.
    """
    wanted_tensors(name, index)
    array: Array = index.array
    if array.size:
        if array.dtype not in (np.int64, np.int32):
            raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index, got {array.dtype}")
        low, high = int(array.min()), int(array.max())
        if low < lowest or high >= size:
            wrong = low if low < lowest else high
            raise error(f"{name}(): index {wrong} is out of bounds for a dimension of size {size}")
    return array


def _places(name: str, input: Tensor, dim: int, index: Tensor, src: Tensor | None = None) -> Array:
    """Flat positions in `input` of the elements that `index` names along `dim`, in the index's shape.

    Raises:
        ShapeError: the index is larger than input or src, or has another number of dimensions.
    """
    wanted_tensors(name, input, index)
    shape = input.array.shape or (1,)
    along = axis(dim, len(shape))
    at = checked_index(name, index, shape[along])
    flat = at.reshape(at.shape or (1,))
    sources = [] if src is None else [("src", src.array.shape or (1,))]
    if flat.size:
        for whose, other in [("input", shape), *sources]:
            if len(other) != flat.ndim:
                raise ShapeError(
                    f"{name}(): Index tensor must have the same number of dimensions as {whose} tensor, got "
                    f"{list(at.shape)} and {list(other)}"
                )
            if any(flat.shape[d] > other[d] for d in range(flat.ndim) if d != along or whose == "src"):
                raise ShapeError(
                    f"{name}(): Size does not match: expected index {list(at.shape)} to be no larger than {whose} "
                    f"{list(other)}" + (f" apart from dimension {along}" if whose == "input" else "")
                )
        return positions_along(shape, along, flat).reshape(at.shape)
    return np.zeros(at.shape, np.int64, like=at)


def cropped(x: Array, shape: tuple[int, ...]) -> Array:
    """The first elements of every dimension, as many as `shape` says."""
    return x if x.shape == shape else x[tuple(slice(0, size) for size in shape)].reshape(shape)


def _uncropped(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` in the first elements of every dimension of zeros."""
    if x.shape == shape:
        return x
    whole = np.zeros_like(x, shape=shape)
    whole[tuple(slice(0, size) for size in x.shape)] = x
    return whole


class Gather(Op):
    formula = "y = the elements of x at the places of index"
    gradient = ("d_x = Σ of grad over the places an element was taken to, else 0",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, places: Array) -> Array:
        ctx.places, ctx.shape = places, x.shape
        return as_array(x.reshape(-1)[places])

    def backward(ctx: Any, grad: Array) -> Array:
        return scattered(ctx.shape, ctx.places, grad)


@method
@whole
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Takes elements along a dimension.

    Formula:
        out[i][j][k] = input[i][index[i][j][k]][k], for dim = 1

    Args:
        index: integers >= 0 of as many dimensions as input, not larger than input apart from `dim`.
        sparse_grad: must be False.

    Shape:
        that of index.

    Gradient:
        To the elements taken; one that is taken several times gets the sum.

    Raises:
        RuntimeError: an index out of range, of another type, or that does not fit.

    Source: torch.gather.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.gather(lenet.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, lenet.tensor([[0, 0], [1, 0]]))
        tensor([[1., 1.],
                [4., 3.]])
    """
    if sparse_grad:
        raise NotImplementedError("gather: sparse_grad=True is not supported")
    return Gather.apply(input, places=_places("gather", input, dim, index))


@method
@whole
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting in the other dimensions; without `dim` from the flattened tensor.

    Source: torch.take_along_dim.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([[3.0, 1.0], [2.0, 4.0]])
        >>> lenet.take_along_dim(x, x.argsort(dim=1), dim=1)
        tensor([[1., 3.],
                [2., 4.]])
    """
    wanted_tensors("take_along_dim", input, indices)
    if dim is None:
        input, indices, dim = reshape(input, -1), reshape(indices, -1), 0
    x = input.array
    if x.ndim != indices.array.ndim:
        raise ShapeError(
            f"take_along_dim(): input and indices should have the same number of dimensions, got {x.ndim} and "
            f"{indices.array.ndim}"
        )
    along = axis(dim, x.ndim)
    size = x.shape[along] if x.ndim else 1
    at = checked_index("take_along_dim", indices, size, -size)
    at = np.where(at < 0, at + size, at)
    if x.ndim:
        rest = broadcast_shape(*(tuple(1 if d == along else n for d, n in enumerate(a.shape)) for a in (x, at)))
        at = np.broadcast_to(at, (*rest[:along], at.shape[along], *rest[along + 1 :]))
        if at.size:
            stretched = np.arange(x.size, like=at).reshape(x.shape)
            stretched = np.broadcast_to(stretched, (*rest[:along], size, *rest[along + 1 :]))
            return Gather.apply(input, places=np.take_along_axis(stretched, at, along))
    return Gather.apply(input, places=np.zeros(at.shape, np.int64, like=at))


class Scatter(Op):
    """Other values at places, in a copy."""

    formula = "y = x, with src at the places of index"
    gradient = ("d_x = grad, 0 where an element was replaced", "d_src = grad at the places of index")
    backward_graph = linear

    def forward(ctx: Any, x: Array, src: Any, *, places: Array) -> Array:
        ctx.places, ctx.source = places, np.shape(src)
        y = x.copy(order="C")
        y.reshape(-1)[places] = src if np.isscalar(src) else cropped(src, places.shape)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        need_x, need_src = ctx.needs_input_grad
        d_x = d_src = None
        if need_x:
            d_x = grad.copy(order="C")
            d_x.reshape(-1)[ctx.places] = 0
        if need_src:
            d_src = _uncropped(as_array(grad.reshape(-1)[ctx.places]), ctx.source)
        return d_x, d_src

    def operand_shapes(ctx: Any) -> Any:
        return ctx.outputs[0][0], ctx.source


@method(in_place=True)
@whole
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor | float | None = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy of `input` with values put along a dimension.

    Formula:
        out[i][index[i][j][k]][k] = src[i][j][k], for dim = 1; all other elements are those of input

    Args:
        index: integers >= 0 of as many dimensions as input, not larger than src, nor than input apart from `dim`.
            Where it names a place twice, the last one wins.
        src: a tensor of the input's type, or a number (also as `value`).
        reduce: 'add' or 'multiply' with what is there instead of replacing it; without gradient.

    Gradient:
        To src: that of the elements it was put at. To input: of all other elements.

    Raises:
        RuntimeError: an index out of range, of another type, or that does not fit; src of another type.
        NotImplementedError: `reduce` where a gradient is recorded; use scatter_add or scatter_reduce.

    Source: torch.scatter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 3).scatter(1, lenet.tensor([[2], [0]]), 1.0)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise TypeError("scatter: give src or value, one of the two")
    source = value if src is None else src
    places = _places("scatter", input, dim, index, source if isinstance(source, Variable) else None)
    if isinstance(source, Variable):
        check_type("scatter", input, source)
    else:
        source = number_as(source, input.array.dtype)
    if reduce is None:
        return Scatter.apply(input, source, places=places)
    if reduce not in ("add", "multiply"):
        raise RuntimeError(f"scatter: reduce argument must be either add or multiply, got {reduce!r}")
    if switches.grad and (input.requires_grad or getattr(source, "requires_grad", False)):
        raise NotImplementedError(
            f"scatter: reduce={reduce!r} has no gradient; use scatter_add, or scatter_reduce with 'sum' or 'prod'"
        )
    values = cropped(source.array, places.shape) if isinstance(source, Variable) else source
    y = input.array.copy(order="C")
    return like(input, quiet(add_at)(y, places, values, np.add if reduce == "add" else np.multiply))


def check_type(name: str, input: Tensor, src: Tensor) -> None:
    if input.array.dtype != src.array.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {input.array.dtype} and {src.array.dtype}"
        )


class ScatterAdd(Op):
    formula = "y = x, with src added at the places of index"
    gradient = ("d_x = grad", "d_src = grad at the places of index")
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, src: Array, *, places: Array) -> Array:
        ctx.places, ctx.source = places, src.shape
        return add_at(x.copy(order="C"), places, cropped(src, places.shape))

    def backward(ctx: Any, grad: Array) -> Any:
        need_src = ctx.needs_input_grad[1]
        return grad, _uncropped(as_array(grad.reshape(-1)[ctx.places]), ctx.source) if need_src else None

    def operand_shapes(ctx: Any) -> Any:
        return ctx.outputs[0][0], ctx.source


@method(in_place=True)
@whole
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` with `src` added along a dimension; places that the index names twice get both.

    Formula:
        out[i][index[i][j][k]][k] += src[i][j][k], for dim = 1

    Args:
        as for `scatter`.

    Source: torch.scatter_add.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).scatter_add(0, lenet.tensor([0, 2, 2]), lenet.tensor([1.0, 2.0, 3.0]))
        tensor([1., 0., 5.])
    """
    wanted_tensors("scatter_add", src)
    places = _places("scatter_add", input, dim, index, src)
    check_type("scatter_add", input, src)
    return ScatterAdd.apply(input, src, places=places)


class ScatterReduce(Op):
    formula = "y = the {reduce} of x and of the src that index sends to each place"
    gradient = (
        "d_x = grad · ∂y/∂x: of sum 1, of prod y / x, of amax and amin shared by those that tie, of mean 1 / count",
        "d_src = grad · ∂y/∂src at the place it was sent to, as for x",
    )

    @quiet
    def forward(ctx: Any, x: Array, src: Array, *, places: Array, reduce: str, include: bool) -> Array:
        ctx.places, ctx.reduce, ctx.include = places, reduce, include
        y = reduce_at(x, places, cropped(src, places.shape), reduce, include)
        ctx.save(x, src, y)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        x, src, y = ctx.saved
        used = cropped(src, ctx.places.shape)
        grad = np.asarray(grad, order="C", like=grad)
        d_x, d_used = REDUCTION_GRADIENTS[ctx.reduce](grad, x, used, y, ctx.places, ctx.include)
        if not ctx.include:
            d_x = as_array(d_x).copy(order="C")
            d_x.reshape(-1)[ctx.places] = 0
        return d_x, _uncropped(as_array(d_used), src.shape)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return super().backward_graph(grad) if ctx.reduce == "prod" else linear(ctx, grad)

    def jvp(ctx: Any, d_x: Array | None, d_src: Array | None) -> Array:
        """Each element has its factor in the one sum (or mean, or extreme) that it is part of."""
        shape, kind = ctx.outputs[0]
        of_x, of_src = ctx.run([np.ones(shape, kind)])
        y = np.zeros(shape, kind) if d_x is None else np.asarray(d_x * of_x, order="C")
        return y if d_src is None else add_at(y, ctx.places, cropped(d_src * of_src, ctx.places.shape))


def _sum_gradient(grad: Array, x: Array, src: Array, y: Array, places: Array, include: bool) -> tuple[Array, Array]:
    return grad, grad.reshape(-1)[places]


def _mean_gradient(grad: Array, x: Array, src: Array, y: Array, places: Array, include: bool) -> tuple[Array, Array]:
    count = np.bincount(places.reshape(-1), minlength=x.size).reshape(x.shape) + int(include)
    share = grad / np.maximum(count, 1).astype(grad.dtype)
    return share, share.reshape(-1)[places]


def _product_gradient(grad: Array, x: Array, src: Array, y: Array, places: Array, include: bool) -> tuple[Array, Array]:
    """The product of all other factors, from the product without zeros and the number of zeros."""
    one = x.dtype.type(1)
    rest = reduce_at(np.where(x == 0, one, x), places, np.where(src == 0, one, src), "prod", include)
    zeros = reduce_at((x == 0).astype(np.int64), places, (src == 0).astype(np.int64), "sum", include)

    def others(factor: Array, rest: Array, zeros: Array) -> Array:
        return np.where(zeros - (factor == 0) > 0, 0, rest / np.where(factor == 0, one, factor))

    d_src = grad.reshape(-1)[places] * others(src, rest.reshape(-1)[places], zeros.reshape(-1)[places])
    return grad * others(x, rest, zeros), d_src


def _extreme_gradient(grad: Array, x: Array, src: Array, y: Array, places: Array, include: bool) -> tuple[Array, Array]:
    x_won, src_won = as_array(x == y), src == y.reshape(-1)[places]
    count = add_at(x_won.astype(grad.dtype, order="C"), places, src_won.astype(grad.dtype))
    share = grad / count
    return np.where(x_won, share, 0), np.where(src_won, share.reshape(-1)[places], 0)


REDUCTION_GRADIENTS: dict[str, Any] = {
    "sum": _sum_gradient,
    "mean": _mean_gradient,
    "prod": _product_gradient,
    "amax": _extreme_gradient,
    "amin": _extreme_gradient,
}


@method(in_place=True)
@whole
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` in which the places that `index` names hold the reduction of the values of `src` sent there.

    Args:
        dim, index, src: as for `scatter`.
        reduce: 'sum', 'prod', 'mean', 'amax' or 'amin'.
        include_self: the input's own element counts too.

    Gradient:
        Of amax and amin: divided evenly among the elements that tie.

    Raises:
        RuntimeError: an unknown reduction; an index out of range, of another type, or that does not fit; src of
            another type.

    Source: torch.scatter_reduce.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2).scatter_reduce(0, lenet.tensor([0, 0, 1]), lenet.tensor([1.0, 5.0, -2.0]), "amax")
        tensor([5., 0.])
    """
    wanted_tensors("scatter_reduce", src)
    if reduce not in REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce!r}")
    places = _places("scatter_reduce", input, dim, index, src)
    check_type("scatter_reduce", input, src)
    return ScatterReduce.apply(input, src, places=places, reduce=reduce, include=include_self)
