"""Attention: each query's mean of the values, weighted by how well it fits their keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels import softmax as kernels
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.dropout import dropout
from lenetcli.ops.nn.softmax import Softmax, softmax
from lenetcli.ops.operands import broadcast_shape, quiet
from lenetcli.ops.pointwise.clamp import where

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class SafeSoftmax(Op):
    """Softmax of masked scores: a row that is -infinity throughout has nothing to choose from, and gives zeros."""

    formula = "y = e^x / Σ e^x along dimension {dim}; 0 where all of a row is −∞"
    gradient = ("d_x = y · (grad − Σ grad · y)",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        y = kernels.softmax(x, dim)
        if x.size:
            y[np.broadcast_to(kernels.greatest(x, dim) == -np.inf, x.shape)] = 0
        ctx.dim = dim
        ctx.save(y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        return kernels.softmax_backward(grad, y, ctx.dim)

    saves = ("result",)
    backward_graph = Softmax.backward_graph


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
    scores = (query * factor).matmul(key.transpose(-2, -1))
    mask = _mask(scores, attn_mask, is_causal)
    weights = softmax(scores, -1) if mask is None else SafeSoftmax.apply(scores + mask, dim=scores.ndim - 1)
    return dropout(weights, dropout_p).matmul(value) if dropout_p else weights.matmul(value)


def _mask(scores: Tensor, attn_mask: Tensor | None, is_causal: bool) -> Tensor | None:
    """What is added to the scores: -infinity where a key does not count."""
    x, mask = scores.array, attn_mask
    if mask is not None:
        if broadcast_shape(mask.array.shape, x.shape) != x.shape:
            raise ShapeError(
                f"scaled_dot_product_attention: attn_mask of shape {list(mask.array.shape)} does not broadcast to the "
                f"scores {list(x.shape)}"
            )
        if mask.array.dtype == np.bool_:
            mask = where(mask, 0.0, -np.inf).to(scores.dtype)
    if is_causal:
        causal = causal_mask(scores)
        mask = causal if mask is None else mask + causal
    return mask


def causal_mask(scores: Tensor) -> Tensor:
    """(L, S), what is added so that no query sees a later key."""
    x = scores.array
    mask: Tensor = like(scores, beside(x, np.triu(np.full(x.shape[-2:], -np.inf, x.dtype), 1)))
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
