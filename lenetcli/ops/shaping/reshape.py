"""Other shapes for the same values: views where the memory allows, copies where not.

A tensor that is contiguous in torch may lie batch-last here, so `view` never refuses a shape of the right size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import diagonal, linear
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import shares_elements
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import METHODS, method
from lenetcli.ops.operands import axes, axis, sizes, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class View(Op):
    formula = "y = x in the shape {shape}, the same memory"
    gradient = ("d_x = grad in the shape of x",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, shape: tuple[int, ...]) -> Array:
        ctx.shape = x.shape
        rows = len(shape) == 2 and x.ndim > 2 and shape[0] == len(x) > 0
        return kernels.flatten(x) if rows else x.reshape(shape)

    def backward(ctx: Any, grad: Array) -> Array:
        return grad.reshape(ctx.shape)


class ViewOwn(View):
    """Another shape for memory that nobody else sees, so that the result is no view of anything."""

    formula = "y = x in the shape {shape}"

    is_view = False
    backward_name = "View"


class UnsafeView(ViewOwn):
    backward_name = "UnsafeView"


class Contiguous(Op):
    """A copy in row order, which may have been made already."""

    formula = "y = x in row-major memory"
    gradient = ("d_x = grad",)

    backward_name = "Clone"
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, copied: Array | None = None) -> Array:
        return x.copy(order="C") if copied is None else copied

    def backward(ctx: Any, grad: Array) -> Array:
        return grad

    jvp = diagonal


def reshaped(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A view under the shape, or a copy where memory order asks for one.

    Where the base lies in row order, torch would copy too, and the copy is a tensor of its own. Otherwise torch might
    have given a view: the copy counts as one, and cannot be changed in place.
    """
    x, base = input.array, input.base
    if base is not None and not x.flags.c_contiguous and base.array.flags.c_contiguous:
        moved = x.reshape(shape)
        if not np.may_share_memory(moved, x):
            return UnsafeView.apply(Contiguous.apply(input, copied=moved.reshape(x.shape)), shape=shape)
    return View.apply(input, shape=shape)


def filled_shape(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The shape with a -1 worked out.

    Raises:
        ShapeError: the sizes do not multiply to `count`, or more than one is -1.
    """
    known = 1
    for size in shape:
        if size < -1:
            raise ShapeError(f"invalid shape dimension {size} in {list(shape)}")
        known *= size if size != -1 else 1
    if shape.count(-1) > 1:
        raise ShapeError(f"only one dimension can be inferred, {list(shape)} has {shape.count(-1)} of -1")
    if -1 in shape:
        if known == 0:
            raise ShapeError(f"cannot reshape {count} elements into {list(shape)}: -1 could be anything")
        if count % known == 0:
            return tuple(count // known if s == -1 else s for s in shape)
    elif known == count:
        return shape
    raise ShapeError(f"shape '{list(shape)}' is invalid for input of size {count}")


@method
def reshape(input: Tensor, *sizes_: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The same values in row order under another shape; one size may be -1. Shares memory where it can.

    Args:
        sizes_: the sizes, one by one or as one sequence.
        shape: the same by keyword.

    Raises:
        ShapeError: the number of elements differs.

    Source: torch.reshape.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    return reshaped(input, filled_shape(sizes(sizes_, shape), input.array.size))


@method
def view(input: Tensor, *sizes_: Any, size: Sequence[int] | None = None) -> Tensor:
    """As `reshape`; copies where the memory order does not allow a view (see the module's text).

    Raises:
        ShapeError: the number of elements differs.
        NotImplementedError: a dtype (the same bytes read as another type).

    Source: torch.Tensor.view.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(10).view(1, -1).shape
        torch.Size([1, 10])
    """
    if any(isinstance(s, dtype) for s in sizes_):
        raise NotImplementedError("view(dtype) is not supported; use to(dtype) to convert the values")
    return View.apply(input, shape=filled_shape(sizes(sizes_, size), input.array.size))


@method
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of another tensor. Source: torch.Tensor.view_as.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(6).view_as(lenet.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    wanted_tensors("view_as", other)
    return view(input, other.array.shape)


@method
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of another tensor. Source: torch.Tensor.reshape_as.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(6).reshape_as(lenet.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    wanted_tensors("reshape_as", other)
    return reshape(input, other.array.shape)


@method
def ravel(input: Tensor) -> Tensor:
    """All values in one dimension. Source: torch.ravel.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).ravel().shape
        torch.Size([6])
    """
    return reshape(input, -1)


@method
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Joins the dimensions from `start_dim` to `end_dim` into one; flattening a batch of images is a free view.

    Shape:
        flatten(x, 1): (N, C, H, W) -> (N, C H W)

    Raises:
        IndexError: a dimension is out of range.
        ShapeError: `start_dim` comes after `end_dim`.

    Source: torch.flatten.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.flatten(lenet.ones(2, 3, 4), 1).shape
        torch.Size([2, 12])
    """
    shape = input.array.shape
    first, last = axis(start_dim, len(shape)), axis(end_dim, len(shape))
    if first > last:
        raise ShapeError(f"flatten() has invalid args: start_dim {start_dim} comes after end_dim {end_dim}")
    if not shape:
        return reshape(input, 1)
    if first == last:
        return input
    return reshaped(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@method
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Splits one dimension into several; one of the sizes may be -1. Undoes `flatten`.

    Shape:
        unflatten(x, 1, (C, H, W)): (N, C H W) -> (N, C, H, W)

    Raises:
        ShapeError: the sizes do not multiply to the dimension's.

    Source: torch.unflatten.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 12).unflatten(1, (3, -1)).shape
        torch.Size([2, 3, 4])
    """
    shape = input.array.shape
    at = axis(dim, len(shape))
    parts = tuple(sizes)
    if not parts or not shape:
        raise ShapeError(f"unflatten: dimension {dim} of shape {list(shape)} cannot become {list(parts)}")
    try:
        parts = filled_shape(parts, shape[at])
    except ShapeError:
        raise ShapeError(
            f"unflatten: Provided sizes {list(parts)} don't multiply up to the size of dim {dim} ({shape[at]}) in the "
            "input tensor"
        ) from None
    return View.apply(input, shape=(*shape[:at], *parts, *shape[at + 1 :]))


class Unsqueeze(View):
    pass


@method(rearranges=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Inserts a dimension of size 1; `x.unsqueeze(0)` makes a batch of one.

    Source: torch.unsqueeze.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(3).unsqueeze(0).shape
        torch.Size([1, 3])
    """
    shape = input.array.shape
    at = axis(dim, len(shape) + 1)
    return Unsqueeze.apply(input, shape=(*shape[:at], 1, *shape[at:]))


class Squeeze(View):
    pass


@method(rearranges=True)
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Drops dimensions of size 1: all of them, or those named that have size 1.

    Source: torch.squeeze.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(1, 3, 1).squeeze(0).shape
        torch.Size([3, 1])
    """
    shape = input.array.shape
    drop = range(len(shape)) if dim is None else () if isinstance(dim, tuple) and not dim else axes(dim, len(shape))
    return Squeeze.apply(input, shape=tuple(s for i, s in enumerate(shape) if i not in drop or s != 1))


def _at_least(name: str, tensors: tuple[Any, ...], grow: Any) -> Any:
    """One tensor in, one out; several (or a list of them) in, a tuple out."""
    listed = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    wanted_tensors(name, *listed)
    grown = tuple(grow(x) for x in listed)
    return grown[0] if listed is tensors and len(tensors) == 1 else grown


def atleast_1d(*tensors: Any) -> Any:
    """Numbers as vectors of one element; everything else as it is. Several tensors give a tuple.

    Source: torch.atleast_1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atleast_1d(lenet.tensor(2.0))
        tensor([2.])
    """
    return _at_least("atleast_1d", tensors, lambda x: x if x.array.ndim else reshape(x, 1))


def atleast_2d(*tensors: Any) -> Any:
    """Vectors as matrices of one row, numbers as (1, 1). Several tensors give a tuple.

    Source: torch.atleast_2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atleast_2d(lenet.ones(3)).shape
        torch.Size([1, 3])
    """

    def grow(x: Any) -> Any:
        ndim = x.array.ndim
        return x if ndim > 1 else unsqueeze(x, 0) if ndim else reshape(x, 1, 1)

    return _at_least("atleast_2d", tensors, grow)


def atleast_3d(*tensors: Any) -> Any:
    """Vectors (W,) as (1, W, 1), matrices (H, W) as (H, W, 1). Several tensors give a tuple.

    Source: torch.atleast_3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atleast_3d(lenet.ones(3)).shape
        torch.Size([1, 3, 1])
    """

    def grow(x: Any) -> Any:
        ndim = x.array.ndim
        if ndim > 2:
            return x
        if ndim == 2:
            return unsqueeze(x, -1)
        return unsqueeze(unsqueeze(x, 0), -1) if ndim else reshape(x, 1, 1, 1)

    return _at_least("atleast_3d", tensors, grow)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself where it is no view: every memory order of a result counts as contiguous here.

    A view that does not lie in row order is copied. Where torch, which knows no batch-last order, might have given the
    view itself, in-place change of that copy is refused.

    Source: torch.Tensor.contiguous.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.ones(2, 3)
        >>> x.contiguous() is x
        True
    """
    x = input.array
    base = x if input.base is None else input.base.array
    writeable = not shares_elements(x)
    if input.base is None and writeable:
        return input
    if base.flags.c_contiguous:
        return input if x.flags.c_contiguous else Contiguous.apply(input)
    copied = Contiguous.apply(input)
    if writeable:
        copied.become_copy_of(input)
    return copied


METHODS["contiguous"] = contiguous
