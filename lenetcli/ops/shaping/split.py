"""One tensor as several, or a part of it: views of the same memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable
from lenetcli.kernels.device import strided
from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.indexing.getitem import Select, Slice
from lenetcli.ops.methods import METHODS, method
from lenetcli.ops.operands import axis, sizes

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def ends(lengths: Sequence[int]) -> list[slice]:
    """Slices of the given lengths, one after the other."""
    stops = np.cumsum(lengths).tolist()
    return [slice(stop - length, stop) for stop, length in zip(stops, lengths)]


def whole(count: int) -> tuple[Any, ...]:
    """The part of an index that leaves the first `count` dimensions as they are."""
    return (slice(None),) * count


def own_axis(name: str, x: Array, dim: int) -> int:
    """`axis`, for ops that have nothing to do on 0-d tensors.

    Raises:
        RuntimeError: the tensor has no dimensions.
    """
    if not x.ndim:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor, got a 0-dim tensor")
    return axis(dim, x.ndim)


class SplitWithSizes(Op):
    formula = "y = the parts of x of the sizes {lengths}"
    gradient = ("d_x = grad of the parts, one after the other",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, along: int, lengths: Sequence[int]) -> tuple[Array, ...]:
        ctx.shape, ctx.along, ctx.lengths = x.shape, along, lengths
        before = whole(along)
        return tuple([x[(*before, part)] for part in ends(lengths)])

    def backward(ctx: Any, *grads: Array | None) -> Array:
        example = next(g for g in grads if g is not None)
        d_x = np.empty_like(example, shape=ctx.shape)
        before = whole(ctx.along)
        for part, grad in zip(ends(ctx.lengths), grads):
            d_x[(*before, part)] = 0 if grad is None else grad
        return d_x


class Split(SplitWithSizes):
    pass


def _even_lengths(size: int, length: int) -> list[int]:
    """`length` again and again, the last one shorter; one part of nothing where there is nothing."""
    if not size:
        return [0]
    return [min(length, size - start) for start in range(0, size, length)]


@method(aliases=("split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"))
def split(tensor: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of a given size, or of a list of sizes, along a dimension.

    Args:
        split_size: of every part (the last one may be smaller), or of each; these must add up to the whole.

    Raises:
        RuntimeError: sizes that are negative or do not add up, or a 0-d tensor.

    Source: torch.split.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(5).split(2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        >>> lenet.arange(5).split([1, 4])
        (tensor([0]), tensor([1, 2, 3, 4]))
    """
    x = tensor.array
    along = own_axis("split", x, dim)
    size = x.shape[along]
    if isinstance(split_size, (list, tuple)):
        lengths = sizes((split_size,))
        if sum(lengths) != size or any(n < 0 for n in lengths):
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to be non-negative and to sum exactly to {size} (input tensor's "
                f"size at dimension {along}), but got split_sizes={list(lengths)}"
            )
        return SplitWithSizes.apply(tensor, along=along, lengths=lengths)
    (length,) = sizes((split_size,))
    if length < 0 or (length == 0 and size):
        raise RuntimeError(
            f"split expects split_size to be positive (0 only for a dimension of size 0), but got "
            f"split_size={length} for a dimension of size {size}"
        )
    return Split.apply(tensor, along=along, lengths=_even_lengths(size, length))


split_with_sizes = unsafe_split = unsafe_split_with_sizes = split


@method(aliases=("unsafe_chunk",))
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal size (the last one may be smaller).

    Raises:
        RuntimeError: fewer than one part, or a 0-d tensor.

    Source: torch.chunk.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(5).chunk(2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    along = own_axis("chunk", input.array, dim)
    (chunks,) = sizes((chunks,))
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input.array.shape[along]
    if not size:
        return SplitWithSizes.apply(input, along=along, lengths=[0] * chunks)
    return Split.apply(input, along=along, lengths=_even_lengths(size, -(-size // chunks)))


unsafe_chunk = chunk


@method
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """`length` slices along a dimension, from `start` on (negative: counted from the end).

    Raises:
        IndexError: `start` is out of range.
        RuntimeError: the part ends behind the tensor, a negative length, or a 0-d tensor.

    Source: torch.narrow.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(5).narrow(0, 1, 3)
        tensor([1, 2, 3])
    """
    along = own_axis("narrow", input.array, dim)
    size = input.array.shape[along]
    first, count = sizes((start, length))
    if count < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {count}")
    if not -size <= first <= size:
        raise IndexError(f"start out of range (expected to be in range of [-{size}, {size}], but got {first})")
    first += size if first < 0 else 0
    if first + count > size:
        raise RuntimeError(f"start ({first}) + length ({count}) exceeds dimension size ({size}).")
    return Slice.apply(input, key=(*whole(along), slice(first, first + count)))


@method
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice along a dimension, without that dimension.

    Raises:
        IndexError: out of range, or a 0-d tensor.

    Source: torch.select.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).select(1, 0)
        tensor([1, 3])
    """
    x = input.array
    if not x.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    along = axis(dim, x.ndim)
    (at,) = sizes((index,))
    if not -x.shape[along] <= at < x.shape[along]:
        raise IndexError(f"select(): index {at} out of range for tensor of size {list(x.shape)} at dimension {along}")
    return Select.apply(input, key=(*whole(along), at, ...))


class Unbind(Op):
    formula = "y = the slices of x along dimension {along}"
    gradient = ("d_x = grad of the slices, side by side",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, along: int) -> tuple[Array, ...]:
        ctx.shape, ctx.along = x.shape, along
        before = whole(along)
        return tuple([x[(*before, i, ...)] for i in range(x.shape[along])])

    def backward(ctx: Any, *grads: Array | None) -> Array:
        zero = np.zeros_like(next(g for g in grads if g is not None))
        return np.stack([zero if g is None else g for g in grads], axis=ctx.along)


@method
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All slices along a dimension, without that dimension; what iterating over a tensor gives for dimension 0.

    Raises:
        IndexError: a 0-d tensor.

    Source: torch.unbind.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).unbind(1)
        (tensor([1, 3]), tensor([2, 4]))
    """
    if not input.array.ndim:
        raise IndexError(f"unbind: Dimension specified as {dim} but tensor has no dimensions")
    return Unbind.apply(input, along=axis(dim, input.array.ndim))


@method
def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int] | Tensor | None = None, dim: int = 0, *,
    indices: Sequence[int] | None = None, sections: int | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Exactly so many parts, the first ones larger by one where it does not come out even; or cut at given places.

    Args:
        indices_or_sections: the number of parts, or the places to cut at (as slices count: negative from the end).
        indices, sections: the same by keyword.

    Raises:
        RuntimeError: fewer than one part, or a 0-d tensor.

    Source: torch.tensor_split.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(5).tensor_split(3)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        >>> lenet.arange(5).tensor_split((1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    along = own_axis("tensor_split", input.array, dim)
    size = input.array.shape[along]
    given = [g for g in (indices_or_sections, indices, sections) if g is not None]
    if len(given) != 1:
        raise TypeError("tensor_split: give one of indices_or_sections, indices and sections")
    cuts = given[0].array.tolist() if isinstance(given[0], Variable) else given[0]
    if isinstance(cuts, (list, tuple)):
        places = [0, *sizes((cuts,)), size]
    else:
        (count,) = sizes((cuts,))
        if count < 1:
            raise RuntimeError(f"tensor_split: number of sections must be larger than 0, got {count}")
        each, more = divmod(size, count)
        places = [0]
        for i in range(count):
            places.append(places[-1] + each + (i < more))
    return tuple(Slice.apply(input, key=(*whole(along), slice(a, b))) for a, b in itertools.pairwise(places))


def _split_along(name: str, input: Tensor, at: int | Sequence[int], dim: int, least: int) -> tuple[Tensor, ...]:
    shape = input.array.shape
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} "
            "dimensions!"
        )
    if isinstance(at, (int, np.integer)) and (at < 1 or shape[dim] % at):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {shape[dim]} is not "
            f"divisible by the split_size {at}!"
        )
    return tensor_split(input, at, dim)


@method
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts side by side: `tensor_split` along dimension 1 (0 for vectors), into parts of equal size or at indices.

    Raises:
        RuntimeError: it does not come out even, or a 0-d tensor.

    Source: torch.hsplit.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(4).hsplit(2)
        (tensor([0, 1]), tensor([2, 3]))
    """
    return _split_along("hsplit", input, indices_or_sections, 0 if input.array.ndim == 1 else 1, 1)


@method
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts one below the other: `tensor_split` along dimension 0, into parts of equal size or at indices.

    Raises:
        RuntimeError: it does not come out even, or fewer than two dimensions.

    Source: torch.vsplit.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]]).vsplit(2)
        (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@method
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts in depth: `tensor_split` along dimension 2, into parts of equal size or at indices.

    Raises:
        RuntimeError: it does not come out even, or fewer than three dimensions.

    Source: torch.dsplit.

    Example:
        >>> import lenetcli as lenet
        >>> [part.shape for part in lenet.ones(1, 2, 4).dsplit(2)]
        [torch.Size([1, 2, 2]), torch.Size([1, 2, 2])]
    """
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


class Unfold(Op):
    formula = "y = the windows of {size} along dimension {along}, {step} apart, the same memory"
    gradient = ("d_x = Σ of grad over the windows that hold it",)
    is_view = True
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, along: int, size: int, step: int) -> Array:
        ctx.shape, ctx.along, ctx.size, ctx.step = x.shape, along, size, step
        if not x.ndim:
            return x.reshape(1)[:size]
        shape, strides = list(x.shape), list(x.strides)
        shape[along] = (shape[along] - size) // step + 1
        strides[along] *= step
        return strided(x, (*shape, size), (*strides, x.strides[along]), writeable=step >= size)

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros(ctx.shape, grad.dtype, like=grad)
        if not d_x.ndim:
            return d_x + sum_over(grad)
        before = whole(ctx.along)
        count = grad.shape[ctx.along]
        for k in range(ctx.size):
            d_x[(*before, slice(k, k + count * ctx.step, ctx.step))] += grad[..., k]
        return d_x


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows along a dimension, as a new last dimension; without a copy. The method, not `F.unfold`.

    Args:
        size: of each window.
        step: from one window to the next.

    Gradient:
        Summed over the windows that share an element.

    Raises:
        RuntimeError: a window larger than the dimension, or a step below 1.

    Source: torch.Tensor.unfold.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(4).unfold(0, 2, 1)
        tensor([[0, 1],
                [1, 2],
                [2, 3]])
    """
    shape = input.array.shape or (1,)
    along = axis(dimension, len(shape))
    size, step = sizes((size, step))
    if size < 0 or step < 1 or size > shape[along]:
        raise RuntimeError(
            f"unfold: maximum size for tensor at dimension {along} is {shape[along]} and step must be > 0, but size is "
            f"{size} and step {step}"
        )
    return Unfold.apply(input, along=along, size=size, step=step)


METHODS["unfold"] = unfold
