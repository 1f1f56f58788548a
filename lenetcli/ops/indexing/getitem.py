"""Reading and writing parts of a tensor: x[...] and x[...] = y, index_put."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import number_as
from lenetcli.autograd.inplace import assign, check_view, refuse_shared_elements
from lenetcli.autograd.modes import switches, whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.pending import settle
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scatter import add_at, scattered
from lenetcli.ops.indexing.subscript import SELECT, SLICE, UNSQUEEZE, Subscript, read_subscript
from lenetcli.ops.methods import METHODS, method
from lenetcli.ops.operands import broadcast_shape
from lenetcli.ops.pointwise.fill_ import Copy
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Part(Op):
    """A view of some of the elements, named by one NumPy key without repetition."""

    formula = "y = x[{key}], the same memory"
    gradient = ("d_x = grad at the places taken, else 0",)

    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, key: Any) -> Array:
        ctx.key, ctx.shape = key, x.shape
        return x[key]

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros_like(grad, shape=ctx.shape)
        d_x[ctx.key] = grad
        return d_x


class Select(Part):
    pass


class Slice(Part):
    pass


class NewDimension(Part):
    backward_name = "Unsqueeze"

    def backward(ctx: Any, grad: Array) -> Array:
        return grad.reshape(ctx.shape)


class Alias(Part):
    def backward(ctx: Any, grad: Array) -> Array:
        return grad


STEPS = {SELECT: Select, SLICE: Slice, UNSQUEEZE: NewDimension}


class Index(Op):
    formula = "y = the elements of x that the subscript names"
    gradient = ("d_x = Σ of grad over the places an element was taken to, else 0",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, at: Subscript) -> Array:
        ctx.at, ctx.shape = at, x.shape
        return at.read(x)

    def backward(ctx: Any, grad: Array) -> Array:
        if ctx.at.masked:
            d_x = np.zeros_like(grad, shape=ctx.shape, order="C")
            ctx.at.write(d_x, grad)
            return d_x
        return scattered(ctx.shape, _positions(ctx.at, grad, ctx.shape), grad)


def _positions(at: Subscript, example: Array, shape: tuple[int, ...]) -> Array:
    """Where in the flattened array the elements lie that a subscript names."""
    return at.read(np.arange(math.prod(shape), like=example).reshape(shape))


@method
def index(input: Tensor, at: Any) -> Tensor:
    """What `x[at]` gives: a view for integers, slices, None and `...`; a copy for tensors, arrays, lists and masks.

    Shape:
        As in NumPy, but integers are done first: `x[0, :, [0, 1]]` of (2, 3, 4) is (3, 2). Dimensions of index tensors
        stand where the first of them stood, or in front where something else stands between them.

    Gradient:
        To the elements taken; one that is taken several times gets the sum.

    Raises:
        IndexError: out of range, too many indices, a mask of another shape, or something that is no index.
        ValueError: a slice with a step below 1.

    Source: torch.Tensor.__getitem__.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.arange(6).reshape(2, 3)
        >>> x[1, :2], x[x > 3], x[:, [2, 0]]
        (tensor([3, 4]), tensor([4, 5]), tensor([[2, 0],
                [5, 3]]))
    """
    subscript = read_subscript(at, input.array.shape)
    result = input
    for step, key in subscript.steps:
        result = STEPS[step].apply(result, key=key)
    if subscript.chosen is not None:
        return choose(result, at, subscript._replace(steps=()))
    return result if subscript.steps else Alias.apply(input, key=...)


@whole
def choose(input: Tensor, at: Any, subscript: Subscript) -> Tensor:
    """The elements that index tensors name, after all else in an index is done."""
    found: Tensor = Index.apply(input, at=subscript)
    return found


class IndexPut(Op):
    """Other values (or sums with them) at an index, in a copy."""

    formula = "y = x with values written (or added) where the subscript names"
    gradient = ("d_x = grad, 0 where a value was written", "d_values = grad where they were written")
    backward_graph = linear

    def forward(ctx: Any, x: Array, values: Any, *, at: Subscript, accumulate: bool = False) -> Array:
        ctx.at, ctx.accumulate = at, accumulate
        if not accumulate:
            y = x.copy(order="K")
            write(y, at, values)
            return y
        places = _positions(at, x, x.shape)
        if values.shape != places.shape and broadcast_shape(values.shape, places.shape) != places.shape:
            raise _misfit(values.shape, places.shape)
        return add_at(x.copy(order="C"), places, values)

    def backward(ctx: Any, grad: Array) -> Any:
        need_x, need_values = ctx.needs_input_grad
        d_x = grad
        if need_x and not ctx.accumulate:
            d_x = grad.copy(order="K")
            ctx.at.write(d_x, 0)
        return d_x if need_x else None, ctx.at.read(grad) if need_values else None

    def jvp(ctx: Any, d_x: Array | None, d_values: Array | None) -> Array:
        y = np.zeros(*ctx.outputs[0]) if d_x is None else d_x.copy(order="C")
        if ctx.accumulate:
            return y if d_values is None else add_at(y, _positions(ctx.at, y, y.shape), d_values)
        ctx.at.write(y, 0 if d_values is None else d_values)
        return y


class SlicePut(IndexPut):
    """IndexPut through a view, under torch's name for that."""

    def name(self) -> str:
        return "CopySlices"


def write(x: Array, at: Subscript, values: Any) -> None:
    """x[at] = values, on arrays.

    Raises:
        ShapeError: the values do not broadcast to what they replace.
    """
    try:
        with np.errstate(all="ignore"):
            at.write(x, values)
    except ValueError:
        raise _misfit(np.shape(values), at.read(np.broadcast_to(False, x.shape)).shape) from None


def _misfit(values: tuple[int, ...], place: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"shape mismatch: value tensor of shape {list(values)} cannot be broadcast to indexing result of shape "
        f"{list(place)}"
    )


def set_index(input: Tensor, at: Any, value: Any) -> None:
    """`x[at] = value`: writes a number or a tensor (which broadcasts) into the part that `x[at]` reads.

    Gradient:
        To the value: that of the elements it was written to. To the tensor's own history: of all other elements.

    Raises:
        TypeError: the value is neither number nor tensor.
        ShapeError: it does not broadcast to the part.
        RuntimeError: the tensor is a leaf that requires gradients (outside no_grad); a number that the type cannot
            hold; for index tensors, values of another type.

    Source: torch.Tensor.__setitem__.
    """
    subscript = read_subscript(at, input.array.shape)
    is_tensor = isinstance(value, Variable)
    if switches.tracer is not None and _is_mask(at, input) and not (is_tensor and value.array.ndim):
        input.masked_fill_(at, value)
        return
    if is_tensor:
        value = _without_leading_ones(value)
        if subscript.chosen is not None:
            _check_type(input, value, subscript)
    else:
        value = number_as(value, input.array.dtype)
    if switches.grad and input.base is not None:
        check_view(input)
    recorded = switches.grad and (input.requires_grad or (is_tensor and value.requires_grad))
    if not recorded and switches.tracer is None:
        write_in_place(input, subscript, value.array if is_tensor else value)
    elif subscript.steps:
        assign(input, SlicePut.apply, value, at=subscript)
    elif subscript.chosen is not None:
        assign(input, IndexPut.apply, value, at=subscript)
    else:
        assign(input, Copy.apply, value)


def _is_mask(at: Any, input: Tensor) -> bool:
    """The index is a mask of every element."""
    return isinstance(at, Variable) and at.array.dtype == np.bool_ and at.array.shape == input.array.shape


def _without_leading_ones(value: Tensor) -> Tensor:
    """A value of shape (1, 1, N) fits where one of shape (N,) does."""
    shape = value.array.shape
    extra = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return reshape(value, shape[extra:]) if extra else value


def write_in_place(input: Tensor, at: Subscript, values: Any) -> None:
    """Writes without a record, and without going over the rest of the tensor as `assign` does."""
    refuse_shared_elements(input.array)
    if input.is_copy_of_view:
        raise NotImplementedError(
            "in-place change of a view that had to copy its memory; call clone() first, or change the base"
        )
    settle()
    write(input.array, at, values)
    input.counter[0] += 1


def _check_type(input: Tensor, values: Tensor, at: Subscript) -> None:
    """Index tensors take values of the tensor's own type only; one number for a mask may be of any type."""
    kind, other = input.array.dtype, values.array.dtype
    if at.masked and values.array.size == 1:
        number_as(values.array.item(), kind)
    elif kind != other:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {kind} for the destination and {other} "
            "for the source."
        )


@method(in_place=True)
def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with other values (or, with `accumulate`, sums) where `input[indices]` reads.

    Args:
        indices: a tuple of integer or boolean tensors.
        values: of the tensor's type; broadcasts to the shape of `input[indices]`.
        accumulate: add to what is there; an element named several times gets every value. Without it the last one
            wins.

    Gradient:
        To values: that of the elements they were written to. To input: of all other elements, or, with `accumulate`,
        of all.

    Raises:
        TypeError: indices is no tuple of tensors, or values no tensor.
        IndexError: out of range, or too many indices.
        ShapeError: values do not broadcast.
        RuntimeError: values of another type.

    Source: torch.Tensor.index_put_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).index_put((lenet.tensor([0, 0, 2]),), lenet.tensor([1.0, 2.0, 5.0]), accumulate=True)
        tensor([3., 0., 5.])
    """
    if not isinstance(indices, (tuple, list)) or not all(isinstance(i, Variable) for i in indices):
        raise TypeError(f"index_put: indices must be a tuple of tensors, got {indices!r}")
    if not isinstance(values, Variable):
        raise TypeError(f"index_put: values must be a tensor, got {type(values).__name__}")
    if not indices:
        raise RuntimeError("index_put: indices must name at least one dimension")
    subscript = read_subscript(tuple(indices), input.array.shape)
    if subscript.chosen is not None:
        _check_type(input, values, subscript)
    return IndexPut.apply(input, values, at=subscript, accumulate=accumulate)


METHODS["__setitem__"] = set_index
