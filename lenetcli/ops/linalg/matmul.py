"""Products of tensors of any number of dimensions, and of chains of matrices, made of the products in `linalg`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside
from lenetcli.ops.linalg.bmm import bmm
from lenetcli.ops.linalg.dot import dot, mv
from lenetcli.ops.linalg.inverse import inv, square
from lenetcli.ops.linalg.mm import check_types, mm
from lenetcli.ops.methods import method
from lenetcli.ops.operands import broadcast_shape, wanted_tensors
from lenetcli.ops.pointwise.clone import clone
from lenetcli.ops.pointwise.fill_ import copy_
from lenetcli.ops.shaping.expand import expand
from lenetcli.ops.shaping.permute import adjoint, t
from lenetcli.ops.shaping.reshape import Squeeze, UnsafeView, ViewOwn, reshape, unsqueeze

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class SqueezeOwn(Squeeze):
    """Drops the row that a vector was made into for a product that nobody else sees."""

    formula = "y = x in the shape {shape}"

    is_view = False
    backward_name = "Squeeze"


@method
@whole
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of vectors, matrices or batches of matrices: what `@` computes.

    Shape:
        (K,) and (K,) -> (), the dot product; (N, K) and (K,) -> (N,); (K,) and (K, M) -> (M,);
        (N, K) and (K, M) -> (N, M); (*, N, K) and (*, K, M) -> (*, N, M), where * broadcasts; a vector beside a batch
        counts as a matrix of one row (first operand) or column (second), which is dropped from the result

    Raises:
        ShapeError: an operand has no dimensions, or the sizes do not fit.
        RuntimeError: the types differ.

    Source: torch.matmul.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.matmul(lenet.ones(2, 3), lenet.tensor([1.0, 2.0, 3.0]))
        tensor([6., 6.])
    """
    wanted_tensors("matmul", input, other)
    a, b = input.array.shape, other.array.shape
    if len(a) == 2 and len(b) == 2:
        return mm(input, other)
    if not a or not b:
        raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ShapeError(
            f"matmul: shapes {list(a)} and {list(b)} cannot be multiplied: the last size of the first must match "
            f"the {'last but one' if len(b) > 1 else 'only'} size of the second"
        )
    check_types("matmul", input.array, other.array)
    if len(b) == 1:
        if len(a) == 1:
            return dot(input, other)
        return mv(input, other) if len(a) == 2 else UnsafeView.apply(mv(_rows(input), other), shape=a[:-1])
    if len(b) == 2:
        if len(a) == 1:
            return SqueezeOwn.apply(mm(unsqueeze(input, 0), other), shape=b[1:])
        return UnsafeView.apply(mm(_rows(input), other), shape=(*a[:-1], b[1]))
    if len(a) == 1:
        return UnsafeView.apply(mv(_rows(adjoint(other)), input), shape=(*b[:-2], b[-1]))
    if len(a) == 2:
        return clone(adjoint(matmul(adjoint(other), t(input))))
    batch = broadcast_shape(a[:-2], b[:-2])
    y = bmm(_batch(input, batch), _batch(other, batch))
    return UnsafeView.apply(y, shape=(*batch, a[-2], b[-1]))


def _rows(x: Tensor) -> Tensor:
    """(*, K) -> (N, K)"""
    shape = x.array.shape
    return reshape(x, math.prod(shape[:-1]), shape[-1])


def _batch(x: Tensor, batch: tuple[int, ...]) -> Tensor:
    """(*, N, K) -> (B, N, K), expanded to the common batch dimensions"""
    *_, n, k = x.array.shape
    return reshape(expand(x, *batch, n, k), math.prod(batch), n, k)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, multiplied in the order that takes the fewest multiplications.

    Args:
        tensors: matrices; the first may be a vector (a row), and so may the last (a column).

    Raises:
        ShapeError: fewer than two tensors, or the sizes do not fit.
        RuntimeError: the types differ.

    Source: torch.linalg.multi_dot; Cormen et al., Introduction to Algorithms, section 15.2.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.multi_dot([lenet.ones(2, 3), lenet.ones(3, 4), lenet.ones(4)])
        tensor([12., 12.])
    """
    chain = list(tensors)
    wanted_tensors("multi_dot", *chain)
    if len(chain) < 2:
        raise ShapeError(f"multi_dot(): expected at least 2 tensors but got {len(chain)}")
    row, column = chain[0].array.ndim == 1, chain[-1].array.ndim == 1
    if row:
        chain[0] = unsqueeze(chain[0], 0)
    if column:
        chain[-1] = unsqueeze(chain[-1], 1)
    for i, x in enumerate(chain):
        if x.array.ndim != 2:
            raise ShapeError(f"multi_dot(): tensor {i} must be 2D but got {x.array.ndim}D")
        if i and x.array.shape[0] != chain[i - 1].array.shape[1]:
            raise ShapeError(
                f"multi_dot(): tensors {i - 1} and {i} with shapes {list(chain[i - 1].array.shape)} and "
                f"{list(x.array.shape)} cannot be multiplied"
            )
    check_types("multi_dot", *(x.array for x in chain))
    result = _multiplied(chain, _best_splits([x.array.shape for x in chain]), 0, len(chain) - 1)
    rows, columns = result.array.shape
    return ViewOwn.apply(result, shape=(() if row else (rows,)) + (() if column else (columns,)))


def _best_splits(shapes: list[tuple[int, ...]]) -> dict[tuple[int, int], int]:
    """For each part of the chain the place to split it at: dynamic programming over the number of multiplications."""
    costs = {(i, i): 0 for i in range(len(shapes))}
    splits = {}
    for length in range(1, len(shapes)):
        for i in range(len(shapes) - length):
            j = i + length
            costs[i, j], splits[i, j] = min(
                (costs[i, k] + costs[k + 1, j] + shapes[i][0] * shapes[k][1] * shapes[j][1], k) for k in range(i, j)
            )
    return splits


def _multiplied(chain: list[Tensor], splits: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return chain[i]
    k = splits[i, j]
    return mm(_multiplied(chain, splits, i, k), _multiplied(chain, splits, k + 1, j))


def chain_matmul(*matrices: Tensor) -> Tensor:
    """`linalg.multi_dot` of matrices given one by one; a single one stays as it is. Source: torch.chain_matmul.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.chain_matmul(lenet.ones(2, 3), lenet.ones(3, 4), lenet.ones(4, 2)).shape
        torch.Size([2, 2])
    """
    wanted_tensors("chain_matmul", *matrices)
    for i, x in enumerate(matrices):
        if x.array.ndim != 2:
            raise ShapeError(f"chain_matmul: tensor {i} must be 2D but got {x.array.ndim}D")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@method
def matrix_power(input: Tensor, n: int) -> Tensor:
    """Square matrices multiplied with themselves: n factors, by repeated squaring; `lenetcli.linalg.matrix_power`.

    The power 0 is the unit matrix, powers below are those of the inverse.

    Raises:
        ShapeError: no square matrices.
        RuntimeError: n below 0 of singular matrices or of integers.

    Source: torch.linalg.matrix_power.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.matrix_power(lenet.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
        tensor([[1., 5.],
                [0., 1.]])
    """
    square("linalg.matrix_power", input, integers=True)
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"linalg.matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
    n = index(n)
    if n == 0:
        unit = np.eye(input.array.shape[-1], dtype=input.array.dtype)
        return copy_(clone(input), like(input, beside(input.array, unit)))  # its gradient is 0, not missing
    if n < 0:
        return matrix_power(inv(input), -n)
    if n == 1:
        return clone(input)
    half = input if n < 4 else matrix_power(input, n // 2)
    doubled = matmul(half, half)
    return matmul(doubled, input) if n % 2 else doubled
