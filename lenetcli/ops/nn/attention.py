"""Attention: each query's mean of the values, weighted by how well it fits their keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import restated
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels import softmax as softmaxes
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.dropout import dropout
from lenetcli.ops.nn.softmax import Softmax, softmax
from lenetcli.ops.operands import broadcast_shape, quiet
from lenetcli.ops.pointwise.clamp import where

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

FLOAT = np.dtype(np.float32)


class SafeSoftmax(Op):
    """Softmax of masked scores: a row that is -infinity throughout has nothing to choose from, and gives zeros."""

    formula = "y = e^x / Σ e^x along dimension {dim}; 0 where all of a row is −∞"
    gradient = ("d_x = y · (grad − Σ grad · y)",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        y = softmaxes.softmax(x, dim)
        if x.size:
            y[np.broadcast_to(softmaxes.greatest(x, dim) == -np.inf, x.shape)] = 0
        ctx.dim = dim
        ctx.save(y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        return softmaxes.softmax_backward(grad, y, ctx.dim)

    saves = ("result",)
    backward_graph = Softmax.backward_graph


class Attention(Op):
    """All heads of all sequences at once: query (N, H, L, E), key (N, H, S, E), value (N, H, S, V) -> (N, H, L, V)."""

    backward_name = "ScaledDotProductFlashAttentionForCpu"  # torch's
    formula = "y = w · value, w = softmax({scale:g} · query · keyᵀ + mask)"
    gradient = (
        "d_query = d_s · key, d_s = {scale:g} · w · (grad · valueᵀ − Σ w · (grad · valueᵀ))",
        "d_key = d_sᵀ · query",
        "d_value = wᵀ · grad",
    )
    factors = (0, 1, 2)
    saves = ("query", "key", "value", "mask", None)
    backward_graph = restated

    @staticmethod
    def multiply_adds(y: Array, query: Array, key: Array, value: Array, mask: Any = None) -> int:
        return query.size * key.shape[2] + y.size * key.shape[2]

    @quiet
    def forward(ctx: Any, query: Array, key: Array, value: Array, mask: Array | None, *, scale: float) -> Array:
        n, heads, length, _ = query.shape
        y = np.empty((n, length, heads, value.shape[3]), query.dtype).transpose(0, 2, 1, 3)
        ctx.scale = scale
        ctx.save(query, key, value, mask, _attend(query, key, value, mask, scale, y))
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        query, key, value, _, weights = ctx.saved
        d_query, d_key, d_value = (np.empty_like(x) for x in (query, key, value))
        kernels.attention_backward(grad, query, key, value, weights, ctx.scale, d_query, d_key, d_value)
        return d_query, d_key, d_value, None

    def restate(ctx: Any, query: Any, key: Any, value: Any, mask: Any) -> Any:
        return composed(query, key, value, mask, ctx.scale)


class SelfAttention(Op):
    """Attention within sequences: x (N, L, 3 E), queries, keys and values of all heads -> (N, L, E)."""

    backward_name = Attention.backward_name
    formula = "y = w · v of each head, w = softmax({scale:g} · q · kᵀ + mask), x = (q, k, v)"
    gradient = ("d_x = (d_s · k, d_sᵀ · q, wᵀ · grad), d_s = {scale:g} · w · (grad · vᵀ − Σ w · (grad · vᵀ))",)
    factors = (0, 0)
    saves = ("x", "mask", None)
    backward_graph = restated

    @staticmethod
    def multiply_adds(y: Array, x: Array, mask: Any = None) -> int:
        return 2 * y.size * y.shape[1]

    @quiet
    def forward(ctx: Any, x: Array, mask: Array | None, *, heads: int, scale: float) -> Array:
        ctx.heads, ctx.scale = heads, scale
        y = _room(x, (*x.shape[:2], x.shape[2] // 3))
        q, k, v = _parted(x, heads)
        ctx.save(x, mask, _attend(q, k, v, mask, scale, _by_head(y, heads)))
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        x, _, weights = ctx.saved
        d_x = _room(x, x.shape)
        parts = *_parted(x, ctx.heads), weights, ctx.scale, *_parted(d_x, ctx.heads)
        kernels.attention_backward(_by_head(grad, ctx.heads), *parts)
        return d_x, None

    def restate(ctx: Any, x: Any, mask: Any) -> Any:
        q, k, v = (part.unflatten(-1, (ctx.heads, -1)).permute(0, 2, 1, 3) for part in x.chunk(3, -1))
        y = composed(q, k, v, mask, ctx.scale).permute(0, 2, 1, 3)
        return y.reshape(*x.array.shape[:2], x.array.shape[2] // 3)


def _room(x: Array, shape: tuple[int, ...]) -> Array:
    """An array (N, L, E) whose steps lie beside each other, as those of x do, or its numbers."""
    return np.empty(shape, x.dtype, "C") if x.strides[1] != x.itemsize else np.empty_like(x, shape=shape)


def _by_head(x: Array, heads: int) -> Array:
    """(N, L, H D) -> (N, H, L, D), in the same memory."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def _parted(x: Array, heads: int) -> tuple[Array, Array, Array]:
    """(N, L, 3 E) -> queries, keys and values by head, in the same memory."""
    q, k, v = (_by_head(part, heads) for part in np.split(x, 3, axis=2))
    return q, k, v


def _attend(q: Array, k: Array, v: Array, mask: Array | None, scale: float, y: Array) -> Array:
    """Fills y; gives the weights (N, H, L, S)."""
    weights = np.empty((*q.shape[:3], k.shape[2]), q.dtype)
    if mask is not None:
        mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    kernels.attention(q, k, v, mask, scale, weights, y)
    return weights


def at_once(*tensors: Tensor | None) -> bool:
    """Whether attention may be one op: the native kernel was made for such arrays, and nobody looks at single ops."""
    if kernels.twin != "native" or not switches.fusion:
        return False
    if switches.anomaly or switches.observers or switches.tracer is not None:
        return False
    arrays = [x.array for x in tensors if x is not None]
    return all(type(x) is np.ndarray and x.dtype is FLOAT and x.size for x in arrays)


def composed(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """Attention by single ops."""
    scores = (query * scale).matmul(key.transpose(-2, -1))
    weights = softmax(scores, -1) if mask is None else SafeSoftmax.apply(scores + mask, dim=scores.ndim - 1)
    y: Tensor = weights.matmul(value)
    return y


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Mixes values for each query, by how well it fits their keys.

    Formula:
        softmax(query key.T scale + mask) value

    Args:
        query, key, value: of one type.
        attn_mask: True where a key counts, or numbers that are added to the scores; broadcast to (*, L, S).
        dropout_p: of the weights, always: give 0 in evaluation.
        is_causal: query i sees the keys 0 to i.
        scale: of the scores; None is 1 / sqrt(E).
        enable_gqa: key and value may have fewer heads (dimension -3) than the query, each for a group of its heads.

    Shape:
        query (*, L, E), key (*, S, E), value (*, S, V) -> (*, L, V). A query that no key counts for gives zeros.

    Raises:
        RuntimeError: fewer than two dimensions, other types, a mask of integers, a mask beside `is_causal` where torch
            takes none (three dimensions, or dropout), a probability outside of [0, 1].
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017; torch.nn.functional.scaled_dot_product_attention.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> F.scaled_dot_product_attention(x, x, x, is_causal=True)
        tensor([[1.0000, 0.0000],
                [0.3302, 0.6698]])
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _for_all_heads(query, key), _for_all_heads(query, value)
    _check_sizes(query, key, value)
    width = query.array.shape[-1]
    factor = scale if scale is not None else 1 / math.sqrt(width) if width else 1.0
    mask = _mask(query, key, attn_mask, is_causal)
    leading = {x.array.shape[:2] for x in (query, key, value)}
    plain = query.ndim == key.ndim == value.ndim == 4 and len(leading) == 1 and not dropout_p
    if plain and at_once(query, key, value, mask) and (mask is None or not mask.requires_grad):
        y: Tensor = Attention.apply(query, key, value, mask, scale=factor)
        return y
    if not dropout_p:
        return composed(query, key, value, mask, factor)
    scores = (query * factor).matmul(key.transpose(-2, -1))
    weights = softmax(scores, -1) if mask is None else SafeSoftmax.apply(scores + mask, dim=scores.ndim - 1)
    return dropout(weights, dropout_p).matmul(value)


def _mask(query: Tensor, key: Tensor, attn_mask: Tensor | None, is_causal: bool) -> Tensor | None:
    """What is added to the scores (*, L, S): -infinity where a key does not count."""
    q, k, mask = query.array.shape, key.array.shape, attn_mask
    scores = (*(broadcast_shape(q[:-2], k[:-2]) or ()), q[-2], k[-2])
    if mask is not None:
        if broadcast_shape(mask.array.shape, scores) != scores:
            raise ShapeError(
                f"scaled_dot_product_attention: attn_mask of shape {list(mask.array.shape)} does not broadcast to the "
                f"scores {list(scores)}"
            )
        if mask.array.dtype == np.bool_:
            mask = where(mask, 0.0, -np.inf).to(query.dtype)
    if is_causal:
        causal = causal_mask(query, scores)
        mask = causal if mask is None else mask + causal
    return mask


def causal_mask(query: Tensor, scores: tuple[int, ...]) -> Tensor:
    """(L, S), what is added so that no query sees a later key."""
    x = query.array
    mask: Tensor = like(query, beside(x, np.triu(np.full(scores[-2:], -np.inf, x.dtype), 1)))
    return mask


def _for_all_heads(query: Tensor, x: Tensor) -> Tensor:
    heads, own = query.array.shape[-3], x.array.shape[-3]
    if not own or heads % own:
        raise ShapeError(
            f"scaled_dot_product_attention: {own} heads of key and value do not divide the query's {heads} heads"
        )
    return x.repeat_interleave(heads // own, -3)


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, p: float, is_causal: bool) -> None:
    dims = query.ndim, key.ndim, value.ndim
    if min(dims) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got query.dim: "
            f"{dims[0]} key.dim: {dims[1]} and value.dim: {dims[2]} instead."
        )
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype} key.dtype: "
            f"{key.dtype} and value.dtype: {value.dtype} instead."
        )
    if mask is not None and mask.array.dtype.kind not in "bf":
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{mask.dtype} and query.dtype: {query.dtype} instead."
        )
    if mask is not None and is_causal and (p or min(dims) < 4):
        raise RuntimeError(
            "scaled_dot_product_attention: explicit attn_mask should not be set when is_causal=True, unless there are "
            "four dimensions and no dropout; put the causal mask into attn_mask"
        )
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")


def _check_sizes(query: Tensor, key: Tensor, value: Tensor) -> None:
    q, k, v = (x.array.shape for x in (query, key, value))
    if q[-1] != k[-1] or k[-2] != v[-2]:
        raise ShapeError(
            "scaled_dot_product_attention: wanted query (*, L, E), key (*, S, E) and value (*, S, V), got "
            f"{list(q)}, {list(k)} and {list(v)}"
        )
