"""Lengths and distances of vectors: unit vectors, cosine similarity, pairwise distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import restated
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scatter import add_at
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.linalg.matrix_norm import norm
from lenetcli.ops.operands import axis, broadcast_shape, quiet, together
from lenetcli.ops.pointwise.exp import signs
from lenetcli.ops.reduction.norm import vector_norm

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divides vectors by their length.

    Formula:
        x / max(norm(x), eps)

    Args:
        input: holds the vectors.
        p: order of the norm.
        dim: dimension or dimensions that the vectors lie along.
        eps: least divisor.
        out: must be None.

    Source: torch.nn.functional.normalize.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.normalize(lenet.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    if out is not None:
        raise NotImplementedError("normalize: out is not supported")
    return input / norm(input, p, dim, keepdim=True).clamp_min(eps)


class CosineSimilarity(Op):
    formula = "y = a·b / (|a| |b|)"
    gradient = ("d_a = grad · (b/|b| − y a/|a|) / |a|", "d_b = grad · (a/|a| − y b/|b|) / |b|")
    backward_name = "Sum"  # torch: (x1 / length1 * x2 / length2).sum(dim)
    backward_graph = restated

    @quiet
    def forward(ctx: Any, a: Array, b: Array, *, dim: int, eps: float) -> Array:
        a, b = np.broadcast_arrays(*together(a, b))
        if a.dtype.kind != "f":
            raise RuntimeError(f"cosine_similarity: expected floating-point tensors, got {a.dtype}; call float() first")
        dim = axis(dim, a.ndim)
        single = a.shape[dim : dim + 1] in ((), (1,))  # of one element the length is exact, without a square
        lengths = [np.abs(v) if single else np.sqrt(sum_over(v * v, dim, keepdims=True)) for v in (a, b)]
        units = [v / np.maximum(length, v.dtype.type(eps)) for v, length in zip((a, b), lengths)]
        ctx.dim, ctx.eps = dim, eps
        need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_a else units[0], b if need_b else units[1], *lengths)  # of a constant its direction alone
        return sum_over(units[0] * units[1], dim)

    def backward(ctx: Any, grad: Array) -> Any:
        a, b, a_length, b_length = ctx.saved
        eps, grad = a.dtype.type(ctx.eps), np.expand_dims(grad, ctx.dim)
        need_a, need_b = ctx.needs_input_grad
        a_unit = a / np.maximum(a_length, eps) if need_a else a
        b_unit = b / np.maximum(b_length, eps) if need_b else b
        cosine = sum_over(a_unit * b_unit, ctx.dim, keepdims=True)

        def slope(x: Array, length: Array, other: Array) -> Array:
            along = np.where(length == 0, x.dtype.type(0), x / length)
            return grad * (other - cosine * along) / np.maximum(length, eps)

        return slope(a, a_length, b_unit) if need_a else None, slope(b, b_length, a_unit) if need_b else None

    saves = ("a", "b", None, None)

    def restate(ctx: Any, a: Any, b: Any) -> Any:
        units = [v / vector_norm(v, 2, ctx.dim, keepdim=True).clamp_min(ctx.eps) for v in (a, b)]
        return (units[0] * units[1]).sum(ctx.dim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors.

    Formula:
        sum(x1 x2) / (max(norm(x1), eps) max(norm(x2), eps))

    Args:
        x1, x2: hold the vectors, with broadcasting.
        dim: dimension that the vectors lie along.
        eps: least length.

    Gradient:
        A vector of length 0 gets that of the other one divided by eps.

    Raises:
        RuntimeError: integers.

    Source: torch.nn.functional.cosine_similarity.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.cosine_similarity(lenet.tensor([[3.0, 4.0]]), lenet.tensor([[1.0, 0.0]]))
        tensor([0.6000])
    """
    return CosineSimilarity.apply(x1, x2, dim=dim, eps=eps)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Distance between vectors, which lie along the last dimension.

    Formula:
        norm(x1 - x2 + eps), of order p

    Args:
        x1, x2: hold the vectors, with broadcasting.
        p: order of the norm.
        eps: added to each difference, so that the gradient at 0 exists.
        keepdim: keep the last dimension with size 1.

    Source: torch.nn.functional.pairwise_distance.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.pairwise_distance(lenet.tensor([[3.0, 4.0]]), lenet.zeros(1, 2))
        tensor([5.0000])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)


class Cdist(Op):
    formula = "y[i,j] = the {p:g}-norm of a[i] − b[j]"
    gradient = (
        "d_a[i] = Σ_j grad[i,j] · sign(d) (|d| / y[i,j])^({p:g} − 1), 0 for p = 0, d = a[i] − b[j]",
        "d_b[j] = −Σ_i grad[i,j] · sign(d) (|d| / y[i,j])^({p:g} − 1), 0 for p = 0, d = a[i] − b[j]",
    )

    @quiet
    def forward(ctx: Any, a: Array, b: Array, *, p: float) -> Array:
        d = a[..., :, None, :] - b[..., None, :, :]  # (*, P, 1, M) - (*, 1, R, M)
        y = _lengths(d, p)
        ctx.p, ctx.shapes = p, (a.shape, b.shape)
        ctx.save(d, y)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        d, y = ctx.saved
        slope = _slope(grad, d, y, ctx.p)
        return sum_over(slope, slope.ndim - 2), -sum_over(slope, slope.ndim - 3)


class Pdist(Op):
    formula = "y = the {p:g}-norms of x[i] − x[j], i < j"
    gradient = ("d_x[i] = Σ_j ± grad[i,j] · sign(d) (|d| / y[i,j])^({p:g} − 1), 0 for p = 0, d = x[i] − x[j]",)

    @quiet
    def forward(ctx: Any, x: Array, *, p: float) -> Array:
        ctx.first, ctx.second = (beside(x, rows) for rows in np.triu_indices(len(x), 1))
        y = _lengths(x[ctx.first] - x[ctx.second], p)
        ctx.p = p
        ctx.save(x, y)
        return y

    @quiet
    def backward(ctx: Any, grad: Array) -> Array:
        x, y = ctx.saved
        slope = _slope(grad, x[ctx.first] - x[ctx.second], y, ctx.p)
        d_x = np.zeros_like(x, order="C")
        add_at(d_x, _rows(ctx.first, x), slope)
        add_at(d_x, _rows(ctx.second, x), -slope)
        return d_x


def _lengths(d: Array, p: float) -> Array:
    """The p-norms of differences, which lie along the last dimension."""
    size, last = np.abs(d), d.ndim - 1
    if p == 0:
        return (d != 0).sum(axis=-1).astype(d.dtype)
    if p == math.inf:
        return size.max(axis=-1) if size.shape[-1] else size.sum(axis=-1)
    if p == 2:
        return np.sqrt(sum_over(np.square(size), last))
    return sum_over(size**p, last) ** (1 / p)


def _slope(grad: Array, d: Array, y: Array, p: float) -> Array:
    """The gradient of differences from that of their norms y."""
    size, y, grad = np.abs(d), y[..., None], grad[..., None]
    if p == 0:
        return np.zeros_like(d)
    if p == 1:
        return grad * signs(d)
    if p == math.inf:
        return grad * signs(d) * (size == y)
    slope = grad * signs(d) * size ** (p - 1) / y ** (p - 1)
    slope[(y == 0) | ((d == 0) & (p < 1))] = 0
    return slope


def _rows(rows: Array, x: Array) -> Array:
    """Places in the flattened x of whole rows."""
    return rows[:, None] * x.shape[1] + np.arange(x.shape[1], like=x)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Distances of every vector of a set to those that come after it.

    Args:
        input: the vectors.
        p: order of the norm, >= 0.

    Shape:
        (N, M) -> (N (N - 1) / 2,)

    Gradient:
        0 at distance 0. It has no second derivative, as in torch.

    Raises:
        ShapeError: other than two dimensions.
        RuntimeError: integers, or p below 0.

    Source: torch.nn.functional.pdist.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.pdist(lenet.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
        tensor([5.0000, 1.0000, 4.2426])
    """
    if input.array.ndim != 2:
        raise ShapeError(f"pdist only supports 2D tensors, got: {input.array.ndim}D")
    if input.array.dtype.kind != "f":
        raise RuntimeError(f"pdist only supports floating-point dtypes, got {input.dtype}")
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    return Pdist.apply(input, p=float(p))


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Distances of every vector of one set to every vector of the other.

    Args:
        x1, x2: sets of vectors; dimensions before the last two broadcast.
        p: order of the norm, >= 0.
        compute_mode: torch's choices are accepted and mean the same here: differences, without matrix products.

    Shape:
        (*, P, M) and (*, R, M) -> (*, P, R)

    Gradient:
        0 at distance 0; at ties of p = inf each of the greatest differences gets it all.

    Raises:
        ShapeError: fewer than two dimensions, or vectors of different length.

    Source: torch.cdist.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cdist(lenet.tensor([[0.0, 0.0], [3.0, 0.0]]), lenet.tensor([[3.0, 4.0]]))
        tensor([[5.],
                [4.]])
    """
    modes = [f"{word}use_mm_for_euclid_dist{end}" for word, end in (("", "_if_necessary"), ("", ""), ("donot_", ""))]
    if compute_mode not in modes:
        raise ValueError(f"cdist: {compute_mode} is not a valid value for compute_mode; use one of {', '.join(modes)}")
    a, b = x1.array, x2.array
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"cdist: wanted (*, P, M) and (*, R, M), got {list(a.shape)} and {list(b.shape)}")
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        raise RuntimeError(f"cdist: only floating-point tensors are supported, got {x1.dtype} and {x2.dtype}")
    if p < 0:
        raise RuntimeError(f"cdist: only non-negative p values are supported, got {p}")
    broadcast_shape(a.shape[:-2], b.shape[:-2])
    return Cdist.apply(x1, x2, p=float(p))
