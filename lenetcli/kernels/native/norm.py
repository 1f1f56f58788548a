"""Batch norm (norm.h)."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels import norm as reference
from lenetcli.kernels.layout import Array, logical
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import room, stored
from lenetcli.kernels.norm import Moments

__all__ = ["batch_norm", "batch_norm_backward", "channel_norm", "channel_norm_backward", "track"]

FLOAT, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def _takes(*arrays: Array | None) -> bool:
    return all(a is None or (a.dtype is FLOAT and a.size > 0 and a.flags.aligned) for a in arrays)


def _rows(x: Array) -> Array:
    """(N, C, ...) -> (C, M)."""
    values = stored(x)
    return values.reshape(len(values), math.prod(values.shape[1:]))


def _room(x: Array) -> tuple[Array, Array]:
    """An uninitialised batch-last array of the shape of x, also as rows."""
    values = room((*x.shape[1:], len(x)))
    return logical(values), values.reshape(len(values), -1)


def _dense(v: Array | None) -> Array | None:
    return None if v is None else np.ascontiguousarray(v)


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Moments]:
    """As lenetcli.kernels.norm.batch_norm."""
    if not _takes(x, weight, bias):
        return reference.batch_norm(x, weight, bias, eps)
    y, rows = _room(x)
    c = x.shape[1]
    moments = Moments(np.empty(c, FLOAT), np.empty(c), np.empty(c))
    if not _native.norm_forward(_rows(x), _dense(weight), _dense(bias), eps, *moments, rows):
        reference.settle(x, bias, moments, y)
    return y, moments


def track(mean: Array, var: Array, moments: Moments, momentum: float, count: int) -> None:
    """As lenetcli.kernels.norm.track."""
    if not (_takes(mean, var, moments.centre) and mean.flags.c_contiguous and var.flags.c_contiguous and count > 1):
        reference.track(mean, var, moments, momentum, count)
    else:
        _native.track(mean, var, *moments, momentum, count)


def batch_norm_backward(
    grad: Array, x: Array, weight: Array | None, moments: Moments, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.batch_norm_backward."""
    if not _takes(grad, x, weight):
        return reference.batch_norm_backward(grad, x, weight, moments, eps)
    return _backward(grad, x, weight, moments, eps, False)


def channel_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As lenetcli.kernels.norm.channel_norm."""
    if not _takes(x, mean, var, weight, bias):
        return reference.channel_norm(x, mean, var, weight, bias, eps)
    y, rows = _room(x)
    _native.norm_given(_rows(x), _dense(weight), _dense(bias), eps, _dense(mean), _dense(var), rows)
    return y


def channel_norm_backward(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.channel_norm_backward."""
    if not _takes(grad, x, mean, weight):
        return reference.channel_norm_backward(grad, x, mean, var, weight, eps)
    return _backward(grad, x, weight, _given(mean, var), eps, True)


def _given(mean: Array, var: Array) -> Moments:
    return Moments(np.ascontiguousarray(mean), np.zeros(len(mean)), np.ascontiguousarray(var, DOUBLE))


def _backward(
    grad: Array, x: Array, weight: Array | None, moments: Moments, eps: float, given: bool
) -> tuple[Array, Array, Array]:
    d_x, rows = _room(x)
    d_weight, d_bias = np.empty(x.shape[1], FLOAT), np.empty(x.shape[1], FLOAT)
    _native.norm_backward(_rows(grad), _rows(x), _dense(weight), eps, given, *moments, rows, d_weight, d_bias)
    return d_x, d_weight, d_bias
