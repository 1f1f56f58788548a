"""Products over chosen dimensions: tensordot, inner, kron; made of permutations and matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.tape import Variable
from lenetcli.errors import ShapeError
from lenetcli.ops.linalg.dot import dot
from lenetcli.ops.linalg.mm import check_types, mm
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, sizes, wanted_tensors
from lenetcli.ops.pointwise.add import mul
from lenetcli.ops.reduction.sum import sum as sum_over
from lenetcli.ops.shaping.permute import permute
from lenetcli.ops.shaping.reshape import UnsafeView, View, ViewOwn, reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] | Tensor = 2) -> Tensor:
    """Multiplies and sums over some dimensions of both tensors.

    Args:
        dims: how many: the last of `a` with the first of `b`; or two lists, the dimensions of `a` and those of `b`.

    Shape:
        the dimensions of `a` that remain, then those of `b`

    Raises:
        ShapeError: the sizes do not fit (1 broadcasts), or the lists differ in length.
        RuntimeError: a dimension twice, or different types.

    Source: torch.tensordot.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensordot(lenet.ones(2, 3, 4), lenet.ones(3, 4, 5), dims=2).shape
        torch.Size([2, 5])
    """
    wanted_tensors("tensordot", a, b)
    pairs: Any = dims.array.tolist() if isinstance(dims, Variable) else dims
    if isinstance(pairs, (int, np.integer)):
        if not 0 <= pairs <= min(a.array.ndim, b.array.ndim):
            raise ShapeError(
                f"tensordot: expects dims from 0 to the number of dimensions, got dims={pairs} for shapes "
                f"{list(a.array.shape)} and {list(b.array.shape)}"
            )
        pairs = list(range(a.array.ndim - pairs, a.array.ndim)), list(range(pairs))
    over_a = [axis(d, a.array.ndim) for d in sizes((pairs[0],))]
    over_b = [axis(d, b.array.ndim) for d in sizes((pairs[1],))]
    if len(over_a) != len(over_b):
        raise ShapeError(f"tensordot: both dimension lists should have same length, got {over_a} and {over_b}")
    for over in (over_a, over_b):
        if len(set(over)) != len(over):
            raise RuntimeError(f"tensordot: a dim appears multiple times in the list of dims {over}")
    check_types("tensordot", a.array, b.array)
    for i, j in zip(over_a, over_b):
        m, n = a.array.shape[i], b.array.shape[j]
        if m != n and 1 not in (m, n):
            raise ShapeError(
                f"tensordot: contracted dimensions need to match, but first has size {m} in dim {i} and second has "
                f"size {n} in dim {j}"
            )
        if m > n:
            a = sum_over(a, i, True)
        elif n > m:
            b = sum_over(b, j, True)
    free_a = [d for d in range(a.array.ndim) if d not in over_a]
    free_b = [d for d in range(b.array.ndim) if d not in over_b]
    shape_a, shape_b = a.array.shape, b.array.shape
    inner_size = math.prod(shape_a[d] for d in over_a)
    left = permute(a, free_a + over_a)
    right = permute(b, over_b + free_b)
    shape = [shape_a[d] for d in free_a] + [shape_b[d] for d in free_b]
    if not shape:
        return ViewOwn.apply(dot(reshape(left, inner_size), reshape(right, inner_size)), shape=())
    y = mm(
        reshape(left, math.prod(shape_a[d] for d in free_a), inner_size),
        reshape(right, inner_size, math.prod(shape_b[d] for d in free_b)),
    )
    return ViewOwn.apply(y, shape=tuple(shape))


@method
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Dot products of the last dimensions; with a 0-d tensor the plain product.

    Shape:
        (*, K) and (+, K) -> (*, +)

    Raises:
        ShapeError: the last sizes differ.
        RuntimeError: the types differ.

    Source: torch.inner.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.inner(lenet.tensor([[1, 2], [3, 4]]), lenet.tensor([1, 1]))
        tensor([3, 7])
    """
    wanted_tensors("inner", input, other)
    a, b = input.array, other.array
    if not a.ndim or not b.ndim:
        return mul(input, other)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(a.shape)} and "
            f"{list(b.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


class Spread(View):
    """An operand with sizes of 1 between its own; a view, under torch's name for it."""

    backward_name = "UnsafeView"


@method
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times all of `other`, laid out as blocks.

    Shape:
        (N, M) and (P, Q) -> (N P, M Q); fewer dimensions get 1 in front

    Source: torch.kron.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.kron(lenet.tensor([[1, 2]]), lenet.tensor([[1], [1]]))
        tensor([[1, 2],
                [1, 2]])
    """
    wanted_tensors("kron", input, other)
    ndim = max(input.array.ndim, other.array.ndim)
    a, b = ((1,) * (ndim - x.array.ndim) + x.array.shape for x in (input, other))
    blocks = Spread.apply(input, shape=tuple(n for size in a for n in (size, 1)))
    inside = Spread.apply(other, shape=tuple(n for size in b for n in (1, size)))
    return UnsafeView.apply(mul(blocks, inside), shape=tuple(m * n for m, n in zip(a, b)))
