"""Copies with a part replaced: a slice, a place along a dimension, a diagonal; and sums back to a smaller shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenetcli.autograd.create_graph import reduced_to
from lenetcli.errors import ShapeError
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, broadcast_shape, sizes, wanted_tensors
from lenetcli.ops.pointwise.clone import clone
from lenetcli.ops.shaping.diagonal import diagonal
from lenetcli.ops.shaping.split import select

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _with(name: str, whole: Any, part: Any, src: Any) -> Any:
    if part.array.shape != src.array.shape:
        raise ShapeError(
            f"{name}: expected src to have a size equal to the part that it replaces, {list(part.array.shape)}, got "
            f"{list(src.array.shape)}"
        )
    part.copy_(src)
    return whole


@method
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of input in which what `select(dim, index)` shows is src.

    Raises:
        ShapeError: src has another shape than that.

    Source: torch.select_scatter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.select_scatter(lenet.zeros(2, 2), lenet.ones(2), 0, 1)
        tensor([[0., 0.],
                [1., 1.]])
    """
    wanted_tensors("select_scatter", input, src)
    whole = clone(input)
    return _with("select_scatter", whole, select(whole, dim, index), src)


@method
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of input in which the slice start:end:step along a dimension is src.

    Raises:
        ShapeError: src has another shape than the slice.

    Source: torch.slice_scatter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.slice_scatter(lenet.zeros(4), lenet.ones(2), start=1, end=3)
        tensor([0., 1., 1., 0.])
    """
    wanted_tensors("slice_scatter", input, src)
    whole = clone(input)
    cut: list[Any] = [slice(None)] * input.array.ndim
    cut[axis(dim, input.array.ndim)] = slice(start, end, step)
    return _with("slice_scatter", whole, whole[tuple(cut)], src)


@method
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of input whose diagonal is src.

    Raises:
        ShapeError: src has another shape than the diagonal.

    Source: torch.diagonal_scatter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.diagonal_scatter(lenet.zeros(2, 2), lenet.ones(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    wanted_tensors("diagonal_scatter", input, src)
    whole = clone(input)
    return _with("diagonal_scatter", whole, diagonal(whole, offset, dim1, dim2), src)


@method
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Sums over what broadcasting would stretch: the way back from `expand`.

    Raises:
        ShapeError: `size` does not broadcast to the shape.

    Source: torch.Tensor.sum_to_size.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).sum_to_size(1, 3)
        tensor([[2., 2., 2.]])
    """
    wanted, shape = sizes(size), input.array.shape
    if len(wanted) > len(shape) or broadcast_shape(shape, wanted) != shape:
        raise ShapeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(shape)}}}.")
    return input if wanted == shape else reduced_to(input, wanted)
