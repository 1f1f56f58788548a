"""The same values several times over: expanded without a copy, or repeated in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable, like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, broadcast_shape, sizes, wanted_tensors
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Expand(Op):
    formula = "y = x repeated along new or stretched dimensions"
    gradient = ("d_x = Σ grad over the repetitions",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, shape: tuple[int, ...]) -> Array:
        fresh = (1,) * (len(shape) - x.ndim)
        if shape == fresh + x.shape:
            return x.reshape(shape)  # np.broadcast_to would be read-only
        return np.broadcast_to(x, shape)

    def backward(ctx: Any, grad: Array) -> Array:
        return grad  # the tape sums over what was stretched


def expanded_shape(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The wanted sizes with each -1 replaced by the size that is there.

    Raises:
        ShapeError: a size other than 1 would change, or there are too few sizes.
    """
    extra = len(wanted) - len(shape)
    if extra < 0:
        raise ShapeError(
            f"expand: the number of sizes provided ({len(wanted)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(shape)}): {list(shape)} cannot become {list(wanted)}"
        )
    found = []
    for i, size in enumerate(wanted):
        there = shape[i - extra] if i >= extra else None
        if size == -1 and there is not None:
            size = there
        elif size < 0 or there not in (None, 1, size):
            raise ShapeError(
                f"The expanded size of the tensor ({size}) must match the existing size ({there}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
        found.append(size)
    return tuple(found)


@method
def expand(input: Tensor, *sizes_: Any, size: Sequence[int] | None = None, implicit: bool = False) -> Tensor:
    """Stretches dimensions of size 1, and adds new ones in front, without a copy; -1 keeps a size.

    Several elements of the result are the same memory: it cannot be changed in place before a clone().

    Args:
        sizes_: the sizes, one by one or as one sequence.
        size: the same by keyword.
        implicit: accepted as in torch, has no effect.

    Gradient:
        Summed over what was stretched.

    Raises:
        ShapeError: a size other than 1 would change.

    Source: torch.Tensor.expand.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1], [2]]).expand(2, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return Expand.apply(input, shape=expanded_shape(input.array.shape, sizes(sizes_, size)))


@method
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor. Source: torch.Tensor.expand_as.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(1).expand_as(lenet.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    wanted_tensors("expand_as", other)
    return expand(input, other.array.shape)


@method
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` under NumPy's name. Source: torch.broadcast_to.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.broadcast_to(lenet.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return expand(input, size)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Expands tensors to their common shape.

    Raises:
        ShapeError: the shapes do not broadcast.

    Source: torch.broadcast_tensors.

    Example:
        >>> import lenetcli as lenet
        >>> a, b = lenet.broadcast_tensors(lenet.ones(3, 1), lenet.ones(4))
        >>> a.shape, b.shape
        (torch.Size([3, 4]), torch.Size([3, 4]))
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    wanted_tensors("broadcast_tensors", *given)
    if not given:
        return ()
    shape = broadcast_shape(*(x.array.shape for x in given))
    return tuple(x if x.array.shape == shape else expand(x, shape) for x in given)


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """The common shape of several shapes.

    Raises:
        ShapeError: they do not broadcast.

    Source: torch.broadcast_shapes.

    Example:
        >>> import lenetcli as lenet
        >>> tuple(lenet.broadcast_shapes((3, 1), (4,)))
        (3, 4)
    """
    return broadcast_shape((), *(sizes((shape,)) for shape in shapes))


class Repeat(Op):
    formula = "y = x laid side by side, {repeats} times along its dimensions"
    gradient = ("d_x = Σ grad over the repetitions",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, repeats: tuple[int, ...]) -> Array:
        ctx.shape = x.shape
        old = (1,) * (len(repeats) - x.ndim) + x.shape
        x = x.reshape(old)
        y = np.empty_like(x, shape=tuple(r * s for r, s in zip(repeats, old)))  # keeps a batch-last order
        parts = [n for pair in zip(repeats, old) for n in pair]
        y.reshape(parts)[...] = x.reshape([n for size in old for n in (1, size)])
        ctx.parts = parts
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        over = tuple(range(0, len(ctx.parts), 2))
        return sum_over(grad.reshape(ctx.parts), over).reshape(ctx.shape)


def _repeated(input: Tensor, repeats: tuple[int, ...]) -> Tensor:
    if any(r < 0 for r in repeats):
        raise RuntimeError(f"Trying to create tensor with negative dimension: repeats {list(repeats)}")
    return Repeat.apply(input, repeats=repeats)


@method
def repeat(input: Tensor, *counts: Any, repeats: Sequence[int] | None = None) -> Tensor:
    """The tensor laid side by side, `counts[i]` times along dimension i, in new memory.

    Args:
        counts: at least one for each dimension, one by one or as one sequence; more of them add dimensions in front.
        repeats: the same by keyword.

    Gradient:
        Summed over the repetitions.

    Raises:
        ShapeError: fewer counts than dimensions.
        RuntimeError: a negative count.

    Source: torch.Tensor.repeat.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    found = sizes(counts, repeats)
    if len(found) < input.array.ndim:
        raise ShapeError(
            "repeat: Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
            f"{list(found)} for shape {list(input.array.shape)}"
        )
    return _repeated(input, found)


@method
def tile(input: Tensor, *counts: Any, dims: Sequence[int] | None = None) -> Tensor:
    """As `repeat`, with 1 for the first dimensions where there are fewer counts than dimensions.

    Source: torch.tile.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tile(lenet.tensor([[1, 2]]), (2,))
        tensor([[1, 2, 1, 2]])
    """
    found = sizes(counts, dims)
    return _repeated(input, (1,) * (input.array.ndim - len(found)) + found)


class RepeatEach(Op):
    """Each slice along an axis as often as its own count says."""

    formula = "y = each slice of x, repeated"
    gradient = ("d_x = Σ grad over the repetitions",)

    backward_name = "IndexSelect"
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, repeats: Array, along: int) -> Array:
        ctx.shape, ctx.repeats, ctx.along = x.shape, repeats, along
        ends = np.cumsum(repeats)
        source = np.searchsorted(ends, np.arange(int(ends[-1]) if ends.size else 0, like=x), "right")
        return np.take(x, source, axis=along)

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros_like(grad, shape=ctx.shape)
        present = np.flatnonzero(ctx.repeats)
        if grad.size:
            starts = (np.cumsum(ctx.repeats) - ctx.repeats)[present]
            d_x[(slice(None),) * ctx.along + (present,)] = np.add.reduceat(grad, starts, axis=ctx.along)
        return d_x


class RepeatAlike(RepeatEach):
    """One count for all, which torch makes of views."""

    backward_name = "View"


@method
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element several times in a row: of the flattened tensor, or each slice along `dim`.

    Args:
        repeats: how often: a number for all, or a tensor of integers, one for each. Without it `input` itself holds
            the counts, and the result is the index of each repetition.
        output_size: size of the result along `dim`; checked.

    Gradient:
        Summed over the repetitions.

    Raises:
        RuntimeError: negative counts, not as many counts as slices, another output_size.
        NotImplementedError: counts that are no integers.

    Source: torch.repeat_interleave.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([1, 2]).repeat_interleave(2)
        tensor([1, 1, 2, 2])
        >>> lenet.tensor([[1, 2], [3, 4]]).repeat_interleave(lenet.tensor([1, 2]), dim=0)
        tensor([[1, 2],
                [3, 4],
                [3, 4]])
    """
    if repeats is None:
        order = like(input, np.arange(input.array.size, like=input.array))
        if input.array.ndim != 1:
            raise RuntimeError(f"repeat_interleave only accepts 1D vector as repeat, got {list(input.array.shape)}")
        return repeat_interleave(order, input, 0, output_size=output_size)
    if dim is None:
        input, dim = reshape(input, -1), 0
    x = input.array
    along = axis(dim, x.ndim)
    counts = repeats.array if isinstance(repeats, Variable) else np.asarray(repeats)
    if counts.dtype.kind not in "iu":
        raise NotImplementedError(f"repeat_interleave: repeats must be integers, got {counts.dtype}")
    if not x.ndim:
        raise IndexError("repeat_interleave: a 0-d tensor has no dimension to repeat along")
    if counts.ndim > 1 or counts.size not in (1, x.shape[along]):
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats of shape {list(counts.shape)} and "
            f"input.size({along}) = {x.shape[along]}"
        )
    if (counts < 0).any():
        raise RuntimeError(f"Repeats must be non-negative, got {counts.tolist()}")
    counts = np.broadcast_to(beside(x, counts), x.shape[along]).copy()
    if output_size is not None and output_size != counts.sum():
        raise RuntimeError(f"repeat_interleave: Invalid output_size, expected {counts.sum()} but got {output_size}")
    kind = RepeatEach if isinstance(repeats, Variable) else RepeatAlike
    return kind.apply(input, repeats=counts, along=along)
