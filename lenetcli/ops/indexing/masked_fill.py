"""Elements that a mask names: masked_fill, masked_select, masked_scatter; and where the elements are that are not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic, linear
from lenetcli.autograd.tape import like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.indexing.index_select import one_value
from lenetcli.ops.indexing.scatter import check_type
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes, broadcast_shape, wanted_tensors
from lenetcli.ops.reduction.sum import Dims

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _mask(name: str, input: Tensor, mask: Tensor) -> tuple[Array, tuple[int, ...]]:
    """The mask's own array, and the shape it has together with the input.

    Raises:
        RuntimeError: not boolean, or the shapes do not broadcast.
    """
    wanted_tensors(name, input, mask)
    if mask.array.dtype != np.bool_:
        raise RuntimeError(f"{name}: expected a boolean mask, but got one of type {mask.array.dtype}")
    return mask.array.copy(), broadcast_shape(input.array.shape, mask.array.shape)


class MaskedFill(Op):
    formula = "y = value where mask, else x"
    gradient = ("d_x = grad where not mask, else 0", "d_value = Σ grad where mask")
    backward_graph = arithmetic

    def forward(ctx: Any, x: Array, value: Any, *, mask: Array, shape: tuple[int, ...]) -> Array:
        ctx.mask = mask
        y = x.copy(order="K") if x.shape == shape else np.broadcast_to(x, shape).copy()
        np.copyto(y, value, where=mask, casting="unsafe")
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        need_x, need_value = ctx.needs_input_grad
        zero = grad.dtype.type(0)
        return (
            np.where(ctx.mask, zero, grad) if need_x else None,
            np.where(ctx.mask, grad, zero) if need_value else None,
        )


@method(in_place=True)
@whole
def masked_fill(input: Tensor, mask: Tensor, value: float | Tensor) -> Tensor:
    """A copy of `input` with one value where the mask is true; the mask broadcasts.

    Args:
        value: a number or a 0-d tensor.

    Gradient:
        To input where the mask is false; to value the sum of the rest.

    Raises:
        RuntimeError: a mask that is not boolean or does not broadcast; a value that is no single number, or that the
            type cannot hold.

    Source: torch.masked_fill.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, -2.0, 3.0])
        >>> x.masked_fill(x < 0, 0)
        tensor([1., 0., 3.])
    """
    own, shape = _mask("masked_fill", input, mask)
    return MaskedFill.apply(input, one_value("masked_fill", value, input), mask=own, shape=shape)


class MaskedSelect(Op):
    formula = "y = the elements of x where mask, one after the other"
    gradient = ("d_x = grad at the places they were taken from, else 0",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, mask: Array, shape: tuple[int, ...]) -> Array:
        ctx.mask = np.broadcast_to(mask, shape)
        return as_array(np.broadcast_to(x, shape)[ctx.mask])

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros_like(grad, shape=ctx.mask.shape)
        d_x[ctx.mask] = grad
        return d_x


@method
@whole
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements for which the mask is true, in row order, as a vector; both broadcast.

    Source: torch.masked_select.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([[1.0, -2.0], [3.0, 4.0]])
        >>> lenet.masked_select(x, x > 0)
        tensor([1., 3., 4.])
    """
    own, shape = _mask("masked_select", input, mask)
    return MaskedSelect.apply(input, mask=own, shape=shape)


class MaskedScatter(Op):
    formula = "y = the elements of source in order where mask, else x"
    gradient = (
        "d_x = grad where not mask, else 0",
        "d_source = grad at the places they were put to, 0 for those not used",
    )
    backward_graph = linear

    def forward(ctx: Any, x: Array, source: Array, *, mask: Array, shape: tuple[int, ...]) -> Array:
        ctx.mask, ctx.shape = np.broadcast_to(mask, shape), source.shape
        y = np.broadcast_to(x, shape).copy()
        y[ctx.mask] = source.reshape(-1)[: int(np.count_nonzero(ctx.mask))]
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        taken = grad[ctx.mask]
        d_source = np.zeros_like(grad, shape=ctx.shape, order="C")
        d_source.reshape(-1)[: taken.size] = taken
        return np.where(ctx.mask, grad.dtype.type(0), grad), d_source

    def operand_shapes(ctx: Any) -> Any:
        return ctx.mask.shape, ctx.shape


@method(in_place=True)
@whole
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the elements of `source`, in row order, where the mask is true; the mask broadcasts.

    Raises:
        RuntimeError: the source has fewer elements than the mask has true ones, or another type.

    Source: torch.Tensor.masked_scatter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(3).masked_scatter(lenet.tensor([True, False, True]), lenet.tensor([1.0, 2.0, 3.0]))
        tensor([1., 0., 2.])
    """
    own, shape = _mask("masked_scatter", input, mask)
    wanted_tensors("masked_scatter", source)
    check_type("masked_scatter", input, source)
    wanted = int(np.count_nonzero(np.broadcast_to(own, shape)))
    if source.array.size < wanted:
        raise RuntimeError(
            f"masked_scatter: Number of elements of source < number of ones in mask: {source.array.size} < {wanted}"
        )
    return MaskedScatter.apply(input, source, mask=own, shape=shape)


@method
@whole
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Indices of the elements that are not 0, in row order.

    Shape:
        (K, input.ndim), or with `as_tuple` one tensor (K,) per dimension, ready for x[...]

    Source: torch.nonzero.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nonzero(lenet.tensor([[0, 1], [2, 0]]))
        tensor([[0, 1],
                [1, 0]])
    """
    wanted_tensors("nonzero", input)
    x = input.array
    if as_tuple:
        return tuple(like(input, index.astype(np.int64, copy=False)) for index in np.atleast_1d(x).nonzero())
    if not x.ndim:
        return like(input, np.zeros((int(bool(x)), 0), np.int64, like=x))
    return like(input, np.stack(x.nonzero(), axis=1, dtype=np.int64))


@method
def argwhere(input: Tensor) -> Tensor:
    """Indices of the elements that are not 0: `nonzero(input)`. Source: torch.argwhere.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.argwhere(lenet.tensor([0, 3, 0, 4]))
        tensor([[1],
                [3]])
    """
    return nonzero(input)


@method
@whole
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not 0, over some dimensions or all. Source: torch.count_nonzero.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.count_nonzero(lenet.tensor([[0, 1], [2, 3]]), dim=1)
        tensor([1, 2])
    """
    wanted_tensors("count_nonzero", input)
    over = axes(dim, input.array.ndim)
    return like(input, as_array((input.array != 0).sum(axis=over)).astype(np.int64, copy=False))
