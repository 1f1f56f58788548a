"""Norms of matrices, and `linalg.norm` and `norm`, which choose between those and the norms of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import saved_tensors
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, quiet, sizes, wanted_tensors
from lenetcli.ops.reduction.max import amax, amin
from lenetcli.ops.reduction.norm import vector_norm
from lenetcli.ops.reduction.sum import Dims, sum
from lenetcli.ops.shaping.permute import movedim
from lenetcli.ops.shaping.reshape import unsqueeze

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class LinalgSvd(Op):
    """Singular values alone."""

    formula = "y = the singular values of x"
    gradient = ("d_x = U diag(grad) Vᵀ, x = U diag(y) Vᵀ",)

    def forward(ctx: Any, x: Array) -> Array:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        ctx.save(u, x, vh)
        return s

    def backward(ctx: Any, grad: Array) -> Array:
        u, _, vh = ctx.saved
        return np.matmul(u * grad[..., None, :], vh)

    saves = (None, "x", None)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        u, vh = SingularVectors.apply(saved_tensors(ctx)[1])
        return (u * grad.unsqueeze(-2)) @ vh


class SingularVectors(Op):
    """U and Vᵀ, of x = U S Vᵀ, for the gradients of singular values."""

    formula = "U and Vᵀ, of x = U S Vᵀ"
    gradient = ("d_x = U ((skew(Uᵀ grad_U) S + S skew(Vᵀ grad_V)) / E) Vᵀ, E[i,j] = S[j]² − S[i]²",)

    def forward(ctx: Any, x: Array) -> Any:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        ctx.save(u, s, vh)
        return u, vh

    @quiet
    def backward(ctx: Any, d_u: Array | None, d_vh: Array | None) -> Array:
        u, s, vh = ctx.saved
        ut, v = u.swapaxes(-1, -2), vh.swapaxes(-1, -2)
        gaps = (s[..., None, :] - s[..., :, None]) * (s[..., None, :] + s[..., :, None])
        gaps += np.eye(s.shape[-1], dtype=s.dtype)
        inner = np.zeros_like(gaps)
        outer = np.zeros_like(np.matmul(u, vh))
        if d_u is not None:
            turn = np.matmul(ut, d_u)
            inner += (turn - turn.swapaxes(-1, -2)) / gaps * s[..., None, :]
            if u.shape[-2] > s.shape[-1]:
                outer += np.matmul((d_u - np.matmul(u, turn)) / s[..., None, :], vh)
        if d_vh is not None:
            turn = np.matmul(vh, d_vh.swapaxes(-1, -2))
            inner += s[..., :, None] * ((turn - turn.swapaxes(-1, -2)) / gaps)
            if v.shape[-2] > s.shape[-1]:
                outer += np.matmul(u / s[..., None, :], d_vh - np.matmul(turn.swapaxes(-1, -2), vh))
        return np.matmul(np.matmul(u, inner), vh) + outer

    saves = (None, None, None)


def svdvals(A: Tensor) -> Tensor:
    """Singular values of matrices, the greatest first.

    Shape:
        (*, N, M) -> (*, min(N, M))

    Raises:
        ShapeError: fewer than two dimensions.
        RuntimeError: integers.

    Source: torch.linalg.svdvals.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.svdvals(lenet.tensor([[3.0, 0.0], [0.0, 4.0]]))
        tensor([4., 3.])
    """
    wanted_tensors("linalg.svdvals", A)
    _floating_matrices("linalg.svdvals", A)
    return LinalgSvd.apply(A)


def _floating_matrices(name: str, A: Tensor) -> None:
    if A.array.ndim < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions, it has {A.array.ndim}")
    if A.array.dtype.kind != "f":
        raise RuntimeError(f"{name}: expected a floating-point tensor, got {A.dtype}; call float() first")


def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Dtype | None = None,
) -> Tensor:
    """Norm of matrices.

    Formula:
        'fro': sqrt(sum x^2); 'nuc': the sum of the singular values; 2 and -2: the greatest and the smallest of them;
        inf and -inf: the greatest and the smallest sum of |x| in a row; 1 and -1: the same of columns

    Args:
        dim: rows and columns.
        dtype: the input is converted to it first; it must not be narrower.

    Raises:
        ShapeError: fewer than two dimensions.
        RuntimeError: another `ord`, the same dimension twice, integers.

    Source: torch.linalg.matrix_norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.matrix_norm(lenet.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1)
        tensor(6.)
    """
    wanted_tensors("linalg.matrix_norm", A)
    _floating_matrices("linalg.matrix_norm", A)
    A = _converted("linalg.matrix_norm", A, dtype)
    named = sizes((dim,))
    if len(named) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {list(named)}")
    rows, columns = (axis(d, A.array.ndim) for d in named)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {list(named)}")
    if ord not in ("fro", "nuc") and (isinstance(ord, str) or abs(ord) not in (1, 2, math.inf)):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    nothing = 0 in (A.array.shape[rows], A.array.shape[columns])
    if ord == "fro" or (nothing and (ord == "nuc" or float(ord) > 0)):  # the norm of nothing is 0, like the sum's
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord == "nuc" or abs(float(ord)) == 2:
        values = svdvals(movedim(A, (rows, columns), (-2, -1)))
        y = sum(values, -1) if ord == "nuc" else amax(values, -1) if ord == 2 else amin(values, -1)
        first, second = sorted((rows, columns))
        return unsqueeze(unsqueeze(y, first), second) if keepdim else y
    added, chosen = (columns, rows) if abs(float(ord)) == math.inf else (rows, columns)
    sums = vector_norm(A, 1, added, keepdim)
    return (amax if float(ord) > 0 else amin)(sums, chosen - (chosen > added and not keepdim), keepdim)


def _converted(name: str, A: Tensor, dtype: Dtype | None) -> Tensor:
    if dtype is None:
        return A
    if np.result_type(A.array.dtype, dtype.numpy) != dtype.numpy:
        raise RuntimeError(
            f"{name}: the dtype of the input ({A.dtype}) should be convertible without narrowing to the specified "
            f"dtype ({dtype})"
        )
    return A.to(dtype)


def linalg_norm(
    A: Tensor, ord: float | str | None = None, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """Norm of vectors or matrices; `lenetcli.linalg.norm`.

    Args:
        ord: without it the length of everything flattened, or over `dim`; with it, matrices (two dimensions) have the
            norms of `matrix_norm` and vectors (one dimension) those of `vector_norm`.
        dim: one dimension for vectors, two for matrices.

    Raises:
        RuntimeError: `ord` without `dim` for other than one or two dimensions, more than two `dim`, integers.

    Source: torch.linalg.norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.norm(lenet.tensor([[3.0, 0.0], [0.0, 4.0]]))
        tensor(5.)
    """
    wanted_tensors("linalg.norm", A)
    if A.array.dtype.kind != "f":
        raise RuntimeError(f"linalg.norm: expected a floating-point tensor, got {A.dtype}; call float() first")
    A = _converted("linalg.norm", A, dtype)
    ndim = A.array.ndim
    over = None if dim is None else sizes((dim,))
    if over is not None and len(over) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(over)}")
    if ord is None:
        return vector_norm(A, 2, over, keepdim)
    if over is None and ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {ndim}D.")
    over = over if over is not None else tuple(range(ndim))
    if len(over) == 2:
        return matrix_norm(A, ord, over, keepdim)
    if isinstance(ord, str):
        raise RuntimeError(f"linalg.norm: ord={ord!r} is a norm of matrices, which need two dimensions")
    return vector_norm(A, ord, over, keepdim)


@method
def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False, dtype: Dtype | None = None
) -> Tensor:
    """Vector norm, of everything or over `dim`; 'fro' and None mean p=2, 'nuc' is the nuclear norm of matrices.

    Source: torch.norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[3.0, 4.0]]).norm(dim=1)
        tensor([5.])
    """
    if p == "fro" or p is None:
        p = 2
    if isinstance(p, str):
        given = tuple(range(input.array.ndim)) if dim is None else sizes((dim,))
        return matrix_norm(input, p, given, keepdim, dtype=dtype)
    return vector_norm(input, p, dim, keepdim, dtype=dtype)
