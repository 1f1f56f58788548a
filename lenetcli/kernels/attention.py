"""Attention of H heads over N sequences: queries (N, H, L, D), keys (N, H, S, D), values (N, H, S, V).

    weights = softmax(scale q k' + mask), y = weights v

Results go into arrays of the caller, so that they may lie as heads do in one array of all of them.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import matmul
from lenetcli.kernels.softmax import greatest, softmax, softmax_backward


def attention(q: Array, k: Array, v: Array, mask: Array | None, scale: float, weights: Array, y: Array) -> None:
    """Attention.

    Args:
        mask: is added to the scores, broadcast; -infinity where a key does not count.
        weights: (N, H, L, S), become those of the values; 0 for a query that no key counts for.
        y: (N, H, L, V), becomes the result.
    """
    scores = matmul(q * q.dtype.type(scale), k.swapaxes(-1, -2))
    if mask is not None:
        scores = scores + mask
    weights[...] = softmax(scores, 3)
    if mask is not None and scores.size:
        weights[np.broadcast_to(greatest(scores, 3) == -np.inf, scores.shape)] = 0
    y[...] = matmul(weights, v)


def attention_backward(
    grad: Array, q: Array, k: Array, v: Array, weights: Array, scale: float, d_q: Array, d_k: Array, d_v: Array
) -> None:
    """The gradients of queries, keys and values, from that of y."""
    d_v[...] = matmul(weights.swapaxes(-1, -2), grad)
    d_scores = softmax_backward(matmul(grad, v.swapaxes(-1, -2)), weights, 3)
    d_scores *= d_scores.dtype.type(scale)
    d_q[...] = matmul(d_scores, k)
    d_k[...] = matmul(d_scores.swapaxes(-1, -2), q)
