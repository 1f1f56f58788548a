"""Other shapes for the same values: views where the memory allows, copies where not.

A tensor that is contiguous in torch may lie batch-last here, so `view` never refuses a shape of the right size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, sizes

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class View(Op):
    is_view = True

    @staticmethod
    def forward(ctx: Any, x: Array, *, shape: tuple[int, ...]) -> Array:
        ctx.shape = x.shape
        return x.reshape(shape)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad.reshape(ctx.shape)


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
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same values in row order under another shape; one size may be -1. Shares memory where it can.

    Raises:
        ShapeError: the number of elements differs.

    Source: torch.reshape.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    return View.apply(input, shape=filled_shape(sizes(shape), input.array.size))


@method
def view(input: Tensor, *shape: Any) -> Tensor:
    """As `reshape`; copies where the memory order does not allow a view (see the module's text).

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(10).view(1, -1).shape
        torch.Size([1, 10])
    """
    return reshape(input, *shape)


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
    joined = 1
    for size in shape[first : last + 1]:
        joined *= size
    return View.apply(input, shape=(*shape[:first], joined, *shape[last + 1 :]))


class Permute(Op):
    is_view = True

    @staticmethod
    def forward(ctx: Any, x: Array, *, dims: tuple[int, ...]) -> Array:
        ctx.dims = dims
        return x.transpose(dims)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad.transpose(np.argsort(ctx.dims))


@method
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: not every dimension is named exactly once.

    Source: torch.permute.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3, 4).permute(2, 0, 1).shape
        torch.Size([4, 2, 3])
    """
    ndim = input.array.ndim
    order = tuple(axis(d, ndim) for d in sizes(dims))
    if sorted(order) != list(range(ndim)):
        raise RuntimeError(f"permute: {list(order)} must name each of the {ndim} dimensions once")
    return Permute.apply(input, dims=order)


class Transpose(Permute):
    pass


@method
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swaps two dimensions.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).transpose(0, 1).shape
        torch.Size([3, 2])
    """
    ndim = input.array.ndim
    order = list(range(ndim))
    a, b = axis(dim0, ndim), axis(dim1, ndim)
    if ndim:
        order[a], order[b] = order[b], order[a]
    return Transpose.apply(input, dims=tuple(order))


class T(Op):
    is_view = True

    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        return x.T

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad.T


@method
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and numbers stay as they are.

    Raises:
        RuntimeError: more than two dimensions.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).t().shape
        torch.Size([3, 2])
    """
    if input.array.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D")
    return T.apply(input)


class Unsqueeze(View):
    pass


@method(in_place=False)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Inserts a dimension of size 1; `x.unsqueeze(0)` makes a batch of one.

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


@method
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Drops dimensions of size 1: all of them, or those named that have size 1.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(1, 3, 1).squeeze(0).shape
        torch.Size([3, 1])
    """
    shape = input.array.shape
    if dim is None:
        drop = set(range(len(shape)))
    else:
        drop = {axis(d, len(shape)) for d in ((dim,) if isinstance(dim, int) else dim)}
    return Squeeze.apply(input, shape=tuple(s for i, s in enumerate(shape) if i not in drop or s != 1))
