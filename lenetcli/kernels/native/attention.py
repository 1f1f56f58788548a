"""Attention of several heads (attention.h, bind_attention.cc)."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import attention as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["attention", "attention_backward"]

FLOAT = np.dtype(np.float32)


def _takes(weights: Array, *heads: Array) -> bool:
    for x in heads:
        if x.dtype is not FLOAT or x.itemsize not in x.strides[2:] or not (x.size and x.flags.aligned):
            return False
    return weights.dtype is FLOAT and weights.flags.carray


def attention(q: Array, k: Array, v: Array, mask: Array | None, scale: float, weights: Array, y: Array) -> None:
    """As lenetcli.kernels.attention.attention."""
    masked = mask is None or (mask.dtype is FLOAT and mask.ndim == 4 and mask.flags.aligned)
    take = _native.attention if masked and _takes(weights, q, k, v, y) else reference.attention
    take(q, k, v, mask, scale, weights, y)


def attention_backward(
    grad: Array, q: Array, k: Array, v: Array, weights: Array, scale: float, d_q: Array, d_k: Array, d_v: Array
) -> None:
    """As lenetcli.kernels.attention.attention_backward."""
    fits = _takes(weights, grad, q, k, v, d_q, d_k, d_v)
    take = _native.attention_backward if fits else reference.attention_backward
    take(grad, q, k, v, weights, scale, d_q, d_k, d_v)
