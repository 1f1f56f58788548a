"""Several tensors as one: along a dimension they have, or along a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import result_type
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.operands import axis, wanted_tensors
from lenetcli.ops.shaping.reshape import atleast_1d, atleast_2d, atleast_3d, reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Tensors = Sequence[Any]  # of Tensor


def listed(name: str, tensors: Any) -> tuple[Any, ...]:
    """The tensors of a list or tuple.

    Raises:
        TypeError: no list or tuple, or something in it is no tensor.
    """
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"{name}(): argument 'tensors' must be tuple of Tensors, not {type(tensors).__name__}")
    wanted_tensors(name, *tensors)
    return tuple(tensors)


def in_one_type(arrays: Sequence[Array]) -> list[Array]:
    """The arrays in the type that torch gives all of them together."""
    kind = result_type(*arrays)
    return [x.astype(kind, copy=False) for x in arrays]


class Cat(Op):
    """np.concatenate keeps the memory order of its operands, so batch-last images stay batch-last."""

    formula = "y = the tensors, one after the other along dimension {dim}"
    gradient = ("d_arrays = its part of grad",)
    backward_graph = arithmetic

    def forward(ctx: Any, *arrays: Array, dim: int) -> Array:
        arrays = tuple(in_one_type(arrays))
        real = [x for x in arrays if x.shape != (0,)] or [arrays[0]]
        ctx.dim = dim
        ctx.lengths = [x.shape[dim] if x.shape != (0,) else None for x in arrays]
        return np.concatenate(real, axis=dim)

    def backward(ctx: Any, grad: Array) -> Any:
        before = (slice(None),) * ctx.dim
        parts: list[Array | None] = []
        start = 0
        for length, need in zip(ctx.lengths, ctx.needs_input_grad):
            if length is None:
                parts.append(np.empty(0, grad.dtype, like=grad))
                continue
            parts.append(grad[(*before, slice(start, start + length))] if need else None)
            start += length
        return tuple(parts)


def cat(tensors: Tensors, dim: int = 0) -> Tensor:
    """Joins tensors along a dimension they have.

    Args:
        tensors: of equal sizes except along `dim`; empty ones of shape (0,) are left out.
        dim: where they are joined.

    Shape:
        (N, C1, H, W) and (N, C2, H, W) -> (N, C1 + C2, H, W) for dim=1

    Raises:
        ValueError: no tensors.
        ShapeError: sizes differ elsewhere, or a tensor has no dimensions.

    Source: torch.cat.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cat([lenet.ones(1, 2), lenet.zeros(2, 2)])
        tensor([[1., 1.],
                [0., 0.],
                [0., 0.]])
    """
    parts = listed("cat", tensors)
    if not parts:
        raise ValueError("cat(): expected a non-empty list of Tensors")
    shapes = [x.array.shape for x in parts]
    if () in shapes:
        raise ShapeError(f"cat: zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated")
    real = [(i, s) for i, s in enumerate(shapes) if s != (0,)]
    if not real:
        return Cat.apply(*parts, dim=0)
    first = real[0][1]
    at = axis(dim, len(first))
    for i, shape in real:
        if len(shape) != len(first):
            raise ShapeError(
                f"cat: Tensors must have same number of dimensions: got {len(first)} and {len(shape)} "
                f"(shapes {list(first)} and {list(shape)})"
            )
        for d, (a, b) in enumerate(zip(first, shape)):
            if a != b and d != at:
                raise ShapeError(
                    f"cat: Sizes of tensors must match except in dimension {at}. Expected size {a} but got size {b} "
                    f"for tensor number {i} in the list (shapes {list(first)} and {list(shape)})"
                )
    return Cat.apply(*parts, dim=at)


def concat(tensors: Tensors, dim: int = 0) -> Tensor:
    """`cat` under another name. Source: torch.concat.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.concat([lenet.ones(1), lenet.zeros(1)])
        tensor([1., 0.])
    """
    return cat(tensors, dim)


def concatenate(tensors: Tensors, axis: int = 0, *, dim: int | None = None) -> Tensor:
    """`cat` under NumPy's name. Source: torch.concatenate.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.concatenate([lenet.ones(1), lenet.zeros(1)])
        tensor([1., 0.])
    """
    return cat(tensors, axis if dim is None else dim)


class Stack(Op):
    formula = "y = the tensors, side by side along a new dimension {dim}"
    gradient = ("d_arrays = its slice of grad",)
    backward_graph = arithmetic

    def forward(ctx: Any, *arrays: Array, dim: int) -> Array:
        ctx.dim = dim
        return np.stack(in_one_type(arrays), axis=dim)

    def backward(ctx: Any, grad: Array) -> Any:
        before = (slice(None),) * ctx.dim
        return tuple([grad[(*before, i, ...)] if need else None for i, need in enumerate(ctx.needs_input_grad)])


def stack(tensors: Tensors, dim: int = 0) -> Tensor:
    """Joins tensors of equal shape along a new dimension, as images into a batch.

    Shape:
        N times (C, H, W) -> (N, C, H, W)

    Raises:
        ShapeError: no tensors, or their shapes differ.
        IndexError: the new dimension is out of range.

    Source: torch.stack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.stack([lenet.ones(2), lenet.zeros(2)])
        tensor([[1., 1.],
                [0., 0.]])
    """
    parts = listed("stack", tensors)
    if not parts:
        raise ShapeError("stack expects a non-empty TensorList")
    first = parts[0].array.shape
    for i, x in enumerate(parts):
        if x.array.shape != first:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(x.array.shape)} at entry {i}"
            )
    return Stack.apply(*parts, dim=axis(dim, len(first) + 1))


def _in_a_row(name: str, tensors: Tensors) -> tuple[Any, ...]:
    parts = listed(name, tensors)
    if not parts:
        raise ShapeError(f"{name} expects a non-empty TensorList")
    return parts


def hstack(tensors: Tensors) -> Tensor:
    """Joins side by side: vectors along dimension 0, all others along 1.

    Source: torch.hstack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.hstack([lenet.ones(2), lenet.zeros(1)])
        tensor([1., 1., 0.])
    """
    parts = atleast_1d(list(_in_a_row("hstack", tensors)))
    return cat(parts, 0 if parts[0].array.ndim == 1 else 1)


def vstack(tensors: Tensors) -> Tensor:
    """Joins one below the other; a vector counts as a row.

    Source: torch.vstack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.vstack([lenet.ones(2), lenet.zeros(2)])
        tensor([[1., 1.],
                [0., 0.]])
    """
    return cat(atleast_2d(list(_in_a_row("vstack", tensors))), 0)


def row_stack(tensors: Tensors) -> Tensor:
    """`vstack` under another name. Source: torch.row_stack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.row_stack([lenet.ones(2), lenet.zeros(2)]).shape
        torch.Size([2, 2])
    """
    return vstack(tensors)


def dstack(tensors: Tensors) -> Tensor:
    """Joins in depth, along dimension 2; vectors and matrices get a depth of 1 first.

    Source: torch.dstack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.dstack([lenet.ones(2), lenet.zeros(2)])
        tensor([[[1., 0.],
                 [1., 0.]]])
    """
    return cat(atleast_3d(list(_in_a_row("dstack", tensors))), 2)


def column_stack(tensors: Tensors) -> Tensor:
    """Joins side by side; a vector counts as a column.

    Source: torch.column_stack.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.column_stack([lenet.ones(2), lenet.zeros(2)])
        tensor([[1., 0.],
                [1., 0.]])
    """
    parts = [x if x.array.ndim > 1 else reshape(x, x.array.size, 1) for x in _in_a_row("column_stack", tensors)]
    return cat(parts, 1)


class BlockDiag(Op):
    formula = "y = the matrices along the diagonal, else 0"
    gradient = ("d_arrays = its block of grad",)
    backward_graph = arithmetic

    def forward(ctx: Any, *arrays: Array) -> Array:
        ctx.shapes = [x.shape for x in arrays]
        blocks = [np.atleast_2d(x) for x in in_one_type(arrays)]
        ctx.places = []
        row = column = 0
        for block in blocks:
            ctx.places.append((slice(row, row + block.shape[0]), slice(column, column + block.shape[1])))
            row, column = row + block.shape[0], column + block.shape[1]
        y = np.zeros((row, column), blocks[0].dtype, like=blocks[0])
        for place, block in zip(ctx.places, blocks):
            y[place] = block
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        return tuple([grad[place].reshape(shape) for place, shape in zip(ctx.places, ctx.shapes)])


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of one with zeros elsewhere; a vector counts as a row.

    Raises:
        ShapeError: a tensor of more than two dimensions.

    Source: torch.block_diag.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.block_diag(lenet.tensor([[1, 2]]), lenet.tensor(3))
        tensor([[1, 2, 0],
                [0, 0, 3]])
    """
    wanted_tensors("block_diag", *tensors)
    for i, x in enumerate(tensors):
        if x.array.ndim > 2:
            raise ShapeError(
                f"block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x.array.ndim} dimensions"
            )
    return BlockDiag.apply(*tensors)
