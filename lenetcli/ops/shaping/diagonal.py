"""Diagonals of matrices and the triangles beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import number_as
from lenetcli.autograd.inplace import assign
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import diagonal as diagonal_map
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import METHODS, method
from lenetcli.ops.operands import axis, quiet
from lenetcli.ops.reduction.sum import sum_type
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def on_diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """The diagonal of two axes as last axis: a view that can be written to where `x` can."""
    y = np.diagonal(x, offset, dim1, dim2)
    if type(x) is np.ndarray and x.flags.writeable:
        y.flags.writeable = True  # NumPy makes it read-only
    return y


class Diagonal(Op):
    formula = "y = the diagonal of x in dimensions {dims}, the same memory"
    gradient = ("d_x = grad on the diagonal, else 0",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, offset: int, dims: tuple[int, int]) -> Array:
        ctx.shape, ctx.offset, ctx.dims = x.shape, offset, dims
        return on_diagonal(x, offset, *dims)

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros(ctx.shape, grad.dtype, like=grad)
        on_diagonal(d_x, ctx.offset, *ctx.dims)[...] = grad
        return d_x


def _two(name: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    if ndim < 2:
        raise IndexError(f"{name}: Dimension out of range: a tensor of {ndim} dimensions has no two of them")
    first, second = axis(dim1, ndim), axis(dim2, ndim)
    if first == second:
        raise RuntimeError(f"{name}: diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


@method
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as a new last dimension; a view.

    Args:
        offset: 0 is the main diagonal, 1 the one above it, -1 the one below.

    Shape:
        diagonal(x, 0, 1, 2): (B, N, M) -> (B, min(N, M))

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the same dimension twice.

    Source: torch.diagonal.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).diagonal()
        tensor([1, 4])
    """
    return Diagonal.apply(input, offset=offset, dims=_two("diagonal", dim1, dim2, input.array.ndim))


def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """`diagonal` of the last two dimensions; `lenetcli.linalg.diagonal`. Source: torch.linalg.diagonal.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.diagonal(lenet.ones(4, 2, 3)).shape
        torch.Size([4, 2])
    """
    return diagonal(A, offset, dim1, dim2)


class DiagonalCopy(Diagonal):
    """A diagonal in new memory."""

    formula = "y = the diagonal of x in dimensions {dims}"

    is_view = False

    def forward(ctx: Any, x: Array, *, offset: int, dims: tuple[int, int]) -> Array:
        return Diagonal.forward(ctx, x, offset=offset, dims=dims).copy()

    def name(self) -> str:
        return "DiagonalBackward_copy"


class DiagEmbed(Op):
    formula = "y = x on the diagonal of matrices, else 0"
    gradient = ("d_x = the diagonal of grad",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, offset: int, dims: tuple[int, int]) -> Array:
        ctx.offset, ctx.dims = offset, dims
        size = x.shape[-1] + abs(offset)
        shape = list(x.shape[:-1])
        for d in sorted(dims):
            shape.insert(d, size)
        y = np.zeros(shape, x.dtype, like=x)
        on_diagonal(y, offset, *dims)[...] = x
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        return np.diagonal(grad, ctx.offset, *ctx.dims)


@method
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension as diagonal of a matrix with zeros elsewhere.

    Args:
        offset: 0 is the main diagonal, 1 the one above it, -1 the one below.
        dim1, dim2: where the two dimensions of the matrix come to stand.

    Shape:
        (*, N) -> (*, N + |offset|, N + |offset|)

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the same dimension twice.

    Source: torch.diag_embed.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.diag_embed(lenet.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    return DiagEmbed.apply(input, offset=offset, dims=_two("diag_embed", dim1, dim2, input.array.ndim + 1))


@method
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Of a matrix its diagonal, in new memory; of a vector the matrix with that diagonal.

    Args:
        diagonal: 0 is the main diagonal, 1 the one above it, -1 the one below.

    Raises:
        ShapeError: neither vector nor matrix.

    Source: torch.diag.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.diag(lenet.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
        >>> lenet.diag(lenet.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    ndim = input.array.ndim
    if ndim not in (1, 2):
        raise ShapeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return (DiagEmbed if ndim == 1 else DiagonalCopy).apply(input, offset=diagonal, dims=(0, 1))


@method
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """`diag_embed` of the flattened tensor. Source: torch.diagflat.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.diagflat(lenet.tensor([[1], [2]]))
        tensor([[1, 0],
                [0, 2]])
    """
    return diag_embed(reshape(input, -1), offset)


class Trace(Op):
    formula = "y = Σ_i x[i,i]"
    gradient = ("d_x = grad on the diagonal, else 0",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array) -> Array:
        ctx.shape = x.shape
        return as_array(np.trace(x, dtype=sum_type(x, None)))

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros(ctx.shape, grad.dtype, like=grad)
        np.fill_diagonal(d_x, grad)
        return d_x


@method
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal; integers add up in int64.

    Raises:
        ShapeError: no matrix.

    Source: torch.trace.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).trace()
        tensor(5)
    """
    if input.array.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, but got tensor with dim {input.array.ndim}")
    if input.array.dtype == np.bool_:
        raise NotImplementedError("trace: not implemented for bool; convert to a number type first")
    return Trace.apply(input)


class Tril(Op):
    formula = "y = x on and below diagonal {diagonal}, else 0"
    gradient = ("d_x = grad on and below the diagonal, else 0",)
    keep: Any = staticmethod(np.tril)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, diagonal: int) -> Array:
        ctx.diagonal = diagonal
        return ctx.keep(x, diagonal)

    def backward(ctx: Any, grad: Array) -> Array:
        return ctx.keep(grad, ctx.diagonal)


class Triu(Tril):
    formula = "y = x on and above diagonal {diagonal}, else 0"
    gradient = ("d_x = grad on and above the diagonal, else 0",)
    keep = staticmethod(np.triu)


def _matrices(name: str, input: Tensor) -> None:
    if input.array.ndim < 2:
        raise ShapeError(f"{name}: input tensor must have at least 2 dimensions, it has {input.array.ndim}")


@method(in_place=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of each matrix, with zeros above it.

    Args:
        diagonal: the last diagonal kept: 0 the main one, 1 the one above it, -1 the one below.

    Raises:
        ShapeError: fewer than two dimensions.

    Source: torch.tril.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tril(lenet.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
    """
    _matrices("tril", input)
    return Tril.apply(input, diagonal=diagonal)


@method(in_place=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of each matrix, with zeros below it.

    Args:
        diagonal: the first diagonal kept: 0 the main one, 1 the one above it, -1 the one below.

    Raises:
        ShapeError: fewer than two dimensions.

    Source: torch.triu.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.triu(lenet.ones(2, 2))
        tensor([[1., 1.],
                [0., 1.]])
    """
    _matrices("triu", input)
    return Triu.apply(input, diagonal=diagonal)


class FillDiagonal(Op):
    formula = "y = x with {value} on the diagonal"
    gradient = ("d_x = grad, 0 on the diagonal",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, value: Any, wrap: bool) -> Array:
        ctx.wrap = wrap
        y = x.copy(order="C")
        np.fill_diagonal(y, value, wrap)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = grad.copy(order="C")
        np.fill_diagonal(d_x, 0, ctx.wrap)
        return d_x

    jvp = diagonal_map


def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Sets the elements with equal indices to a number.

    Args:
        wrap: in a tall matrix the diagonal starts again below its end, after one row between.

    Raises:
        ShapeError: fewer than two dimensions, or more than two of different sizes.

    Source: torch.Tensor.fill_diagonal_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 2).fill_diagonal_(5)
        tensor([[5., 0.],
                [0., 5.]])
    """
    shape = self.array.shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(
            f"fill_diagonal_: dimensions must be larger than 1, and of equal length if more than 2: {list(shape)}"
        )
    value = number_as(fill_value, self.array.dtype)
    return assign(self, FillDiagonal.apply, value=value, wrap=wrap)


METHODS["fill_diagonal_"] = fill_diagonal_
