"""The same values with their dimensions in another order: views, all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, sizes

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Permute(Op):
    formula = "y = x with its dimensions in another order"
    gradient = ("d_x = grad with them back in order",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, dims: tuple[int, ...]) -> Array:
        ctx.dims = dims
        return x.transpose(dims)

    def backward(ctx: Any, grad: Array) -> Array:
        return grad.transpose(sorted(range(grad.ndim), key=ctx.dims.__getitem__))


@method
def permute(input: Tensor, *order: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The dimensions in another order.

    Args:
        order: old places of the dimensions, one by one or as one sequence.
        dims: the same by keyword.

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
    places = tuple(axis(d, ndim) for d in sizes(order, dims))
    if sorted(places) != list(range(ndim)):
        raise RuntimeError(f"permute: {list(places)} must name each of the {ndim} dimensions once")
    return Permute.apply(input, dims=places)


class Transpose(Permute):
    formula = "y = x with two dimensions exchanged"
    gradient = ("d_x = grad with them exchanged back",)


@method(rearranges=True)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swaps two dimensions.

    Source: torch.transpose.

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


@method(rearranges=True)
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose` under NumPy's name. Source: torch.swapaxes.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).swapaxes(0, 1).shape
        torch.Size([3, 2])
    """
    return transpose(input, axis0, axis1)


@method(rearranges=True)
def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`transpose` under another name. Source: torch.swapdims.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).swapdims(0, 1).shape
        torch.Size([3, 2])
    """
    return transpose(input, dim0, dim1)


@method
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped, as for matrices of real numbers; the property `mH`.

    Raises:
        RuntimeError: the tensor has one dimension.

    Source: torch.adjoint.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(4, 2, 3).adjoint().shape
        torch.Size([4, 3, 2])
    """
    ndim = input.array.ndim
    if ndim == 1:
        raise RuntimeError("adjoint, mT, mH: only supported on matrices or batches of matrices. Got 1-D tensor.")
    return transpose(input, -2, -1) if ndim else transpose(input, 0, 0)


class T(Op):
    formula = "y = xᵀ: y[i,j] = x[j,i], the same memory"
    gradient = ("d_x = gradᵀ",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array) -> Array:
        return x.T

    def backward(ctx: Any, grad: Array) -> Array:
        return grad.T

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        value = float(seen["x"][at[::-1]])
        return f"{seen.element('y', at)} = {seen.element('x', at[::-1])}", seen.number(value), value

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        value = float(seen.grad[at[::-1]])
        return f"{seen.element('d_x', at)} = {seen.element('grad', at[::-1])}", seen.number(value), value


@method(rearranges=True)
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and numbers stay as they are.

    Raises:
        RuntimeError: more than two dimensions.

    Source: torch.t.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).t().shape
        torch.Size([3, 2])
    """
    if input.array.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D")
    return T.apply(input)


@method
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Moves dimensions to other places; the rest keeps its order.

    Args:
        source: the dimension, or several, by their old places.
        destination: the new place of each.

    Shape:
        movedim(x, 1, -1): (N, C, H, W) -> (N, H, W, C)

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: not as many places as dimensions, or one twice.

    Source: torch.movedim.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3, 4, 5).movedim(1, -1).shape
        torch.Size([2, 4, 5, 3])
    """
    ndim = input.array.ndim
    old = tuple(axis(d, ndim) for d in sizes((source,)))
    new = tuple(axis(d, ndim) for d in sizes((destination,)))
    if len(old) != len(new):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(old)} dims) should contain the same number "
            f"of dims as destination ({list(new)} dims)"
        )
    for name, dims in (("source", old), ("destination", new)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(dims)})")
    if not ndim:
        return Permute.apply(input, dims=())
    rest = iter(d for d in range(ndim) if d not in old)
    moved = dict(zip(new, old))
    return Permute.apply(input, dims=tuple(moved[d] if d in moved else next(rest) for d in range(ndim)))


@method
def moveaxis(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """`movedim` under NumPy's name. Source: torch.moveaxis.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3, 4, 5).moveaxis(1, -1).shape
        torch.Size([2, 4, 5, 3])
    """
    return movedim(input, source, destination)
