"""The same values in other places along their dimensions: flipped, rolled, rotated. The results are copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes, axis, sizes

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Flip(Op):
    formula = "y = x reversed along dimensions {over}"
    gradient = ("d_x = grad reversed back",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, over: tuple[int, ...]) -> Array:
        ctx.over = over
        return np.flip(x, over).copy(order="K")  # np.flip alone is a view

    def backward(ctx: Any, grad: Array) -> Array:
        return np.flip(grad, ctx.over)


@method
def flip(input: Tensor, *places: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The order of the elements along some dimensions reversed, in new memory.

    Args:
        places: the dimensions, one by one or as one sequence.
        dims: the same by keyword.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: a dimension twice.

    Source: torch.flip.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).flip(1)
        tensor([[2, 1],
                [4, 3]])
    """
    named = sizes(places, dims)
    return Flip.apply(input, over=axes(named, input.array.ndim) if named else ())


@method
def fliplr(input: Tensor) -> Tensor:
    """`flip` from left to right: dimension 1. Source: torch.fliplr.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).fliplr()
        tensor([[2, 1],
                [4, 3]])
    """
    if input.array.ndim < 2:
        raise RuntimeError(f"fliplr: Input must be >= 2-d, it has {input.array.ndim} dimensions")
    return flip(input, 1)


@method
def flipud(input: Tensor) -> Tensor:
    """`flip` upside down: dimension 0. Source: torch.flipud.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).flipud()
        tensor([[3, 4],
                [1, 2]])
    """
    if not input.array.ndim:
        raise RuntimeError("flipud: Input must be >= 1-d, it has 0 dimensions")
    return flip(input, 0)


class Roll(Op):
    formula = "y = x shifted by {shifts}, what is pushed out coming in again"
    gradient = ("d_x = grad shifted back",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, shifts: tuple[int, ...], dims: tuple[int, ...] | None) -> Array:
        ctx.shifts, ctx.dims = shifts, dims
        return np.roll(x, shifts, dims)

    def backward(ctx: Any, grad: Array) -> Array:
        return np.roll(grad, tuple(-s for s in ctx.shifts), ctx.dims)


@method
def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Shifts elements along dimensions; those pushed out at the end come in again at the start.

    Args:
        shifts: by how many places, one number for each dimension.
        dims: the dimensions; without them the tensor is rolled as if it were flat.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: not as many shifts as dimensions.

    Source: torch.roll.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(4).roll(1)
        tensor([3, 0, 1, 2])
    """
    by = sizes((shifts,))
    over = () if dims is None else sizes((dims,))
    if not by:
        raise RuntimeError("roll: `shifts` required")
    if len(by) != len(over) and (over or len(by) != 1):
        raise RuntimeError(f"roll: shifts and dimensions must align. shifts: {len(by)}, dims:{len(over)}")
    if over and not input.array.ndim:
        raise IndexError(f"roll: Dimension specified as {over[0]} but tensor has no dimensions")
    places = tuple(axis(d, input.array.ndim) for d in over)
    return Roll.apply(input, shifts=by, dims=places) if places else Roll.apply(input, shifts=by[:1], dims=None)


class Rot90(Op):
    formula = "y = x rotated by {k} times 90 degrees in dimensions {dims}"
    gradient = ("d_x = grad rotated back",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, k: int, dims: tuple[int, int]) -> Array:
        ctx.k, ctx.dims = k, dims
        turned = np.rot90(x, k, dims)  # a view
        y = np.empty_like(x, shape=turned.shape)
        y[...] = turned
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        return np.rot90(grad, -ctx.k, ctx.dims)


@method
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Rotates by k times 90 degrees in the plane of two dimensions, from the first towards the second.

    Raises:
        RuntimeError: not two different dimensions.

    Source: torch.rot90.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).rot90()
        tensor([[2, 4],
                [1, 3]])
    """
    ndim = input.array.ndim
    named = sizes((dims,))
    if len(named) != 2 or ndim < 2:
        raise RuntimeError(f"rot90: expected 2 rotation dims of a tensor with 2 or more, got {list(named)} of {ndim}")
    first, second = (axis(d, ndim) for d in named)
    if first == second:
        raise RuntimeError(f"rot90: expected rotation dims to be different, but got dims = {list(named)}")
    return Rot90.apply(input, k=k, dims=(first, second))
