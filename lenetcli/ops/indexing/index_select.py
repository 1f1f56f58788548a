"""Slices along one dimension, named by a vector of indices: index_select, index_add ...; elements by flat position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import number_as
from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scatter import add_at, positions_along, scattered
from lenetcli.ops.indexing.scatter import Gather, ScatterReduce, check_type, checked_index
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, quiet, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _vector(name: str, input: Tensor, dim: int, index: Tensor, error: Any, negative: bool = False) -> tuple[Array, int]:
    """The index as a vector of its own, and the axis it speaks for.

    Raises:
        IndexError: not a vector (or a single number).
    """
    wanted_tensors(name, input, index)
    along = axis(dim, input.array.ndim)
    if index.array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got shape {list(index.array.shape)}")
    size = input.array.shape[along] if input.array.ndim else 1
    at = checked_index(name, index, size, -size if negative else 0, error)
    return at.reshape(-1).astype(np.int64), along


def _rows(x: Array, index: Array, dim: int) -> Array:
    """Flat positions of the slices of x that a vector of indices names."""
    shape = x.shape or (1,)
    wide = index.reshape([-1 if d == dim else 1 for d in range(len(shape))])
    places = positions_along(shape, dim, np.broadcast_to(wide, (*shape[:dim], index.size, *shape[dim + 1 :])))
    return places if x.ndim else places.reshape(-1)


def _key(x: Array, index: Array, dim: int) -> Any:
    return (slice(None),) * dim + (index,) if x.ndim else (...,)


class IndexSelect(Op):
    formula = "y = the slices of x that index names, along dimension {dim}"
    gradient = ("d_x = Σ of grad over the places a slice was taken to, else 0",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, index: Array, dim: int) -> Array:
        ctx.shape, ctx.index, ctx.dim = x.shape, index, dim
        return np.take(x, index, axis=dim) if x.ndim else x.repeat(index.size).reshape(())

    def backward(ctx: Any, grad: Array) -> Array:
        x = np.broadcast_to(np.zeros((), grad.dtype, like=grad), ctx.shape)
        return scattered(ctx.shape, _rows(x, ctx.index, ctx.dim), grad)


@method
@whole
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices along a dimension that a vector of indices names, in its order.

    Shape:
        (N, C), dim = 1, index (K,) -> (N, K)

    Gradient:
        To the slices taken; one that is taken several times gets the sum.

    Raises:
        IndexError: an index out of range, or no vector.

    Source: torch.index_select.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.index_select(lenet.tensor([[1.0, 2.0, 3.0]]), 1, lenet.tensor([2, 0]))
        tensor([[3., 1.]])
    """
    at, along = _vector("index_select", input, dim, index, IndexError)
    if not input.array.ndim and at.size != 1:
        raise IndexError(f"index_select(): a 0-d tensor takes an index of one element, got {at.size}")
    return IndexSelect.apply(input, index=at, dim=along)


class IndexAdd(Op):
    formula = "y = x, with {alpha} · source added at the slices that index names"
    gradient = ("d_x = grad", "d_source = {alpha} · grad at the slices that index names")
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, source: Array, *, index: Array, dim: int, alpha: Any) -> Array:
        ctx.index, ctx.dim, ctx.alpha, ctx.shape = index, dim, alpha, source.shape
        places = _rows(x, index, dim)
        return add_at(x.copy(order="C"), places, source.reshape(places.shape) * alpha)

    def backward(ctx: Any, grad: Array) -> Any:
        if not ctx.needs_input_grad[1]:
            return grad, None
        return grad, grad[_key(grad, ctx.index, ctx.dim)].reshape(ctx.shape) * ctx.alpha

    def operand_shapes(ctx: Any) -> Any:
        return ctx.outputs[0][0], ctx.shape


def _check_source(name: str, input: Tensor, dim: int, index: Array, source: Tensor, error: Any) -> None:
    """The source must have the input's type and its shape, with one slice per index.

    Raises:
        RuntimeError: another type; `error` for another shape.
    """
    wanted_tensors(name, source)
    check_type(name, input, source)
    shape = input.array.shape
    wanted = (*shape[:dim], index.size, *shape[dim + 1 :])
    got = source.array.shape
    if got != wanted and not (source.array.size == index.size == 1 and len(shape) <= 1 and len(got) <= 1):
        raise error(f"{name}(): source has shape {list(got)}, wanted {list(wanted)}: one slice along {dim} per index")


@method(in_place=True)
@whole
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy of `input` with alpha times the slices of `source` added to those that `index` names.

    Gradient:
        To source: alpha times that of the slices it was added to.

    Raises:
        RuntimeError: an index out of range; a source of another type or shape.

    Source: torch.index_add.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).index_add(0, lenet.tensor([0, 2, 2]), lenet.tensor([1.0, 2.0, 3.0]))
        tensor([1., 0., 5.])
    """
    at, along = _vector("index_add", input, dim, index, RuntimeError)
    _check_source("index_add", input, along, at, source, ShapeError)
    return IndexAdd.apply(input, source, index=at, dim=along, alpha=number_as(alpha, input.array.dtype))


class IndexCopy(Op):
    """Other slices at an index, in a copy."""

    formula = "y = x, with source at the slices that index names"
    gradient = ("d_x = grad, 0 where a slice was replaced", "d_source = grad at the slices that index names")
    backward_graph = linear

    def forward(ctx: Any, x: Array, source: Any, *, index: Array, dim: int) -> Array:
        ctx.key, ctx.shape = _key(x, index, dim), np.shape(source)
        y = x.copy(order="K")
        if index.size:
            y[ctx.key] = source if x.ndim else np.reshape(source, ())
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        need_x, need_source = ctx.needs_input_grad
        d_x = d_source = None
        if need_x:
            d_x = grad.copy(order="K")
            d_x[ctx.key] = 0
        if need_source:
            d_source = grad[ctx.key]
            d_source = d_source.reshape(ctx.shape) if ctx.shape else d_source
        return d_x, d_source

    def operand_shapes(ctx: Any) -> Any:
        return ctx.outputs[0][0], ctx.shape


class IndexFill(IndexCopy):
    pass


@method(in_place=True)
@whole
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the slices that `index` names replaced by those of `source`; of two the last one wins.

    Gradient:
        To source: that of the slices it was put at. To input: of all others.

    Raises:
        IndexError: an index out of range; a source of another shape.
        RuntimeError: a source of another type.

    Source: torch.index_copy.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).index_copy(0, lenet.tensor([2, 0]), lenet.tensor([1.0, 2.0]))
        tensor([2., 0., 1.])
    """
    at, along = _vector("index_copy", input, dim, index, IndexError)
    _check_source("index_copy", input, along, at, source, IndexError)
    return IndexCopy.apply(input, source, index=at, dim=along)


@method(in_place=True)
@whole
def index_fill(input: Tensor, dim: int, index: Tensor, value: float | Tensor) -> Tensor:
    """A copy of `input` with the slices that `index` names set to one value.

    Args:
        index: may count from the end.
        value: a number or a 0-d tensor.

    Gradient:
        To value: the sum of that of the elements it was put at. To input: of all others.

    Raises:
        IndexError: an index out of range.
        RuntimeError: a value that is no single number, or that the type cannot hold.

    Source: torch.index_fill.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).index_fill(0, lenet.tensor([0, -1]), 5.0)
        tensor([5., 0., 5.])
    """
    at, along = _vector("index_fill", input, dim, index, IndexError, negative=True)
    if at.size:
        at = np.unique(at % (input.array.shape[along] if input.array.ndim else 1))
    return IndexFill.apply(input, one_value("index_fill", value, input), index=at, dim=along)


def one_value(name: str, value: Any, input: Tensor) -> Any:
    """A number in the input's type, or a 0-d tensor that holds one that this type can hold.

    Raises:
        RuntimeError: a tensor with dimensions, or a number that the type cannot hold.
    """
    if not isinstance(value, Variable):
        return number_as(value, input.array.dtype)
    if value.array.ndim:
        raise RuntimeError(
            f"{name} only supports a 0-dimensional value tensor, but got one of shape {list(value.array.shape)}"
        )
    number_as(value.array.item(), input.array.dtype)
    return value


class IndexReduce(ScatterReduce):
    pass


@method(in_place=True)
@whole
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` in which the slices that `index` names hold the reduction of those of `source` sent there.

    Args:
        reduce: 'prod', 'mean', 'amax' or 'amin'; for sums see index_add.
        include_self: the input's own slice counts too.

    Source: torch.index_reduce.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2).index_reduce(0, lenet.tensor([0, 0]), lenet.tensor([2.0, 3.0]), "prod")
        tensor([6., 1.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce!r}")
    at, along = _vector("index_reduce", input, dim, index, IndexError)
    _check_source("index_reduce", input, along, at, source, ShapeError)
    places = _rows(input.array, at, along).reshape(source.array.shape)
    return IndexReduce.apply(input, source, places=places, reduce=reduce, include=include_self)


class Take(Gather):
    pass


@method
@whole
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened tensor, in the index's shape.

    Args:
        index: positions in row order; may count from the end.

    Gradient:
        To the elements taken; one that is taken several times gets the sum.

    Raises:
        IndexError: an index out of range.

    Source: torch.take.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.take(lenet.tensor([[1.0, 2.0], [3.0, 4.0]]), lenet.tensor([3, 0]))
        tensor([4., 1.])
    """
    return Take.apply(input, places=_flat_places("take", input, index))


def _flat_places(name: str, input: Tensor, index: Tensor) -> Array:
    wanted_tensors(name, input)
    size = input.array.size
    return checked_index(name, index, size, -size, IndexError).astype(np.int64)


class Put(Op):
    formula = "y = x, with source written (or added) at places of the flattened x"
    gradient = ("d_x = grad, 0 where an element was replaced", "d_source = grad at the places it was written to")
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, source: Array, *, places: Array, accumulate: bool) -> Array:
        ctx.places, ctx.shape, ctx.accumulate = places, source.shape, accumulate
        y = x.copy(order="C")
        if accumulate:
            return add_at(y, places, source.reshape(places.shape))
        y.reshape(-1)[places] = source.reshape(places.shape)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        d_x = grad
        if not ctx.accumulate:
            d_x = grad.copy(order="C")
            d_x.reshape(-1)[ctx.places] = 0
        return d_x, as_array(grad.reshape(-1)[ctx.places]).reshape(ctx.shape)

    def operand_shapes(ctx: Any) -> Any:
        return ctx.outputs[0][0], ctx.shape


@method(in_place=True)
@whole
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with elements of the flattened tensor replaced (or, with `accumulate`, added to).

    Args:
        index: positions in row order; may count from the end. Of two that are the same the last one wins.
        source: as many elements as index, of the input's type.

    Raises:
        IndexError: an index out of range, or another number of elements.
        RuntimeError: a source of another type.

    Source: torch.put.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 2).put(lenet.tensor([3, 0]), lenet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 1.]])
    """
    wanted_tensors("put", source)
    check_type("put", input, source)
    places = _flat_places("put", input, index)
    if source.array.size != places.size:
        raise IndexError(
            f"put(): Expected source and index to have the same number of elements, got {source.array.size} and "
            f"{places.size}"
        )
    return Put.apply(input, source, places=places, accumulate=accumulate)
