"""Normalisation (norm.h): which values share moments, as shapes of the memory that they lie in.

Images lie batch-last or channels-last, and results as they do; one image batch-last lies by channels and rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lenetcli.kernels import norm as reference
from lenetcli.kernels.layout import Array, is_channels_last, logical
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import back, dense, room
from lenetcli.kernels.norm import Moments, Seen

__all__ = [
    "batch_moments",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_relu",
    "batch_norm_relu_backward",
    "by_moments",
    "channel_norm",
    "channel_norm_backward",
    "channel_norm_relu",
    "element_norm",
    "group_norm",
    "sample_norm_backward",
    "track",
]

FLOAT, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
OF_SLAB, OF_LANE, OF_ELEMENT = range(3)  # what a weight belongs to


class Lie(NamedTuple):
    """How values that are normalised lie: (slabs, rows, lanes), and which share their moments (bind_norm.cc)."""

    shape: tuple[int, int, int]
    order: tuple[int, ...]  # of the axes in memory
    scheme: tuple[int, bool, int, int]  # units, columns, adjacent, place
    moments: tuple[int, ...]  # their shape in memory
    by_sample: bool  # whether the batch is the last of these axes

    def slabs(self, x: Array) -> Array:
        """An array as the kernels take it."""
        return dense(x.transpose(self.order)).reshape(self.shape)

    def room(self, x: Array) -> tuple[Array, Array]:
        """An uninitialised array of the shape of x, also as slabs."""
        y = room(tuple(x.shape[axis] for axis in self.order))
        return y.transpose(back(self.order)), y.reshape(self.shape)


def _takes(*arrays: Array | None) -> bool:
    return all(a is None or (a.dtype is FLOAT and a.size > 0 and a.flags.aligned) for a in arrays)


def _dense(v: Array | None) -> Array | None:
    return None if v is None else np.ascontiguousarray(v)


def _of_batch(x: Array) -> Lie:
    """Channels with moments of their own: x (N, C, ...)."""
    n, c, *image = x.shape
    places = math.prod(image)
    if is_channels_last(x) or (x.ndim == 2 and x.flags.c_contiguous and c > 1):
        return Lie((1, n * places, c), (0, *range(2, x.ndim), 1), (1, True, 1, OF_LANE), (c,), False)
    return Lie((c, 1, n * places), (*range(1, x.ndim), 0), (c, False, 1, OF_SLAB), (c,), False)


def _of_groups(x: Array, groups: int) -> Lie:
    """Groups of channels of each sample: x (N, C, ...)."""
    n, c, *image = x.shape
    places = math.prod(image)
    if is_channels_last(x):
        return Lie((n, places, c), (0, *range(2, x.ndim), 1), (n, True, c // groups, OF_LANE), (n, groups), False)
    order = (*range(1, x.ndim), 0)
    if n == 1:
        return Lie((c, 1, places), order, (groups, False, 1, OF_SLAB), (1, groups), False)
    return Lie((c, places, n), order, (groups, True, 1, OF_SLAB), (groups, n), True)


def _of_elements(x: Array, dims: int) -> Lie:
    """The last dimensions of x, with weights of single elements."""
    before, elements = x.shape[:-dims], math.prod(x.shape[-dims:])
    order = (*range(1, x.ndim), 0)
    if before and x.shape[0] > 1 and not x.flags.c_contiguous and x.transpose(order).flags.c_contiguous:
        units = math.prod(before[1:])
        return Lie((units, elements, x.shape[0]), order, (units, True, 1, OF_ELEMENT), (*before[1:], len(x)), True)
    units = math.prod(before)
    return Lie((units, 1, elements), tuple(range(x.ndim)), (units, False, 1, OF_ELEMENT), before, False)


def _forward(
    lie: Lie,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    *,
    centred: bool = True,
) -> tuple[Array, Moments, bool]:
    y, slabs = lie.room(x)
    made = [np.empty(lie.moments, kind) for kind in (FLOAT, DOUBLE, DOUBLE)]
    flat = [v.reshape(-1) for v in made]
    finite = _native.norm_forward(
        lie.slabs(x), lie.scheme, _dense(weight), _dense(bias), eps, centred, False, *flat, slabs
    )
    return y, Moments(*(logical(v) if lie.by_sample else v for v in made)), finite


def _backward(
    lie: Lie,
    grad: Array,
    x: Array,
    weight: Array | None,
    moments: Moments,
    eps: float,
    shape: tuple[int, ...],
    *,
    bias: Array | None = None,
    given: bool = False,
    centred: bool = True,
    relu: bool = False,
) -> tuple[Array, Array, Array]:
    """Gradients of x, and of weight and bias of a shape."""
    d_x, slabs = lie.room(x)
    d_weight, d_bias = np.empty(shape, FLOAT), np.empty(shape, FLOAT)
    flat = [(v.transpose(*range(1, v.ndim), 0) if lie.by_sample else v).reshape(-1) for v in moments]
    _native.norm_backward(
        lie.slabs(grad), lie.slabs(x), lie.scheme, _dense(weight), _dense(bias), eps, given, centred, relu, *flat,
        slabs, d_weight.reshape(-1), d_bias.reshape(-1),
    )  # fmt: skip
    return d_x, d_weight, d_bias


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Moments]:
    """As lenetcli.kernels.norm.batch_norm."""
    if not _takes(x, weight, bias):
        return reference.batch_norm(x, weight, bias, eps)
    y, moments, finite = _forward(_of_batch(x), x, weight, bias, eps)
    if not finite:
        reference.settle(x, bias, moments, y)
    return y, moments


def batch_moments(x: Array) -> Moments:
    """As lenetcli.kernels.norm.batch_moments."""
    if not _takes(x):
        return reference.batch_moments(x)
    lie = _of_batch(x)
    moments = Moments(*(np.empty(lie.moments, kind) for kind in (FLOAT, DOUBLE, DOUBLE)))
    if not _native.norm_moments(lie.slabs(x), lie.scheme, True, *moments):
        reference.settle(x, None, moments)
    return moments


def batch_norm_relu(x: Array, moments: Moments, weight: Array | None, bias: Array, eps: float) -> tuple[Array, Array]:
    """As lenetcli.kernels.norm.batch_norm_relu."""
    if not _takes(x, weight, bias):
        return reference.batch_norm_relu(x, moments, weight, bias, eps)
    kept = np.empty(bias.shape, FLOAT)
    _native.copy(bias.reshape(1, 1, 1, -1), kept.reshape(1, 1, 1, -1))
    return _by_moments(x, moments, weight, bias, eps, True), kept


def by_moments(x: Array, moments: Moments, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As lenetcli.kernels.norm.by_moments."""
    if not _takes(x, weight, bias):
        return reference.by_moments(x, moments, weight, bias, eps)
    return _by_moments(x, moments, weight, bias, eps, False)


def _by_moments(x: Array, moments: Moments, weight: Array | None, bias: Array | None, eps: float, relu: bool) -> Array:
    lie = _of_batch(x)
    y, slabs = lie.room(x)
    _native.norm_apply(lie.slabs(x), lie.scheme, _dense(weight), _dense(bias), eps, relu, *moments, slabs)
    if not np.isfinite(moments.var).all():
        reference.settle(x, np.maximum(bias, 0) if relu and bias is not None else bias, moments, y)
    return y


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
    return _backward(_of_batch(x), grad, x, weight, moments, eps, x.shape[1:2])


def batch_norm_relu_backward(
    grad: Array, x: Array, weight: Array | None, bias: Array, moments: Moments, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.batch_norm_relu_backward."""
    if not _takes(grad, x, weight, bias):
        return reference.batch_norm_relu_backward(grad, x, weight, bias, moments, eps)
    return _backward(_of_batch(x), grad, x, weight, moments, eps, x.shape[1:2], bias=bias, relu=True)


def channel_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As lenetcli.kernels.norm.channel_norm."""
    if not _takes(x, mean, var, weight, bias):
        return reference.channel_norm(x, mean, var, weight, bias, eps)
    return _given_forward(x, mean, var, weight, bias, eps, False)


def channel_norm_relu(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As lenetcli.kernels.norm.channel_norm_relu."""
    if not _takes(x, mean, var, weight, bias):
        return reference.channel_norm_relu(x, mean, var, weight, bias, eps)
    return _given_forward(x, mean, var, weight, bias, eps, True)


def channel_norm_backward(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.channel_norm_backward."""
    if not _takes(grad, x, mean, weight):
        return reference.channel_norm_backward(grad, x, mean, var, weight, eps)
    return _backward(_of_batch(x), grad, x, weight, _given(mean, var), eps, x.shape[1:2], given=True)


def _given(mean: Array, var: Array) -> Moments:
    return Moments(np.ascontiguousarray(mean), np.zeros(len(mean)), np.ascontiguousarray(var, DOUBLE))


def _given_forward(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool
) -> Array:
    lie = _of_batch(x)
    y, slabs = lie.room(x)
    _native.norm_given(
        lie.slabs(x), lie.scheme, _dense(weight), _dense(bias), eps, relu, _dense(mean), _dense(var), slabs
    )
    return y


def group_norm(x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Seen]:
    """As lenetcli.kernels.norm.group_norm."""
    if not _takes(x, weight, bias):
        return reference.group_norm(x, groups, weight, bias, eps)
    y, moments, _ = _forward(_of_groups(x, groups), x, weight, bias, eps)
    return y, Seen(x, None, moments, groups, 0, eps, True)


def element_norm(
    x: Array, dims: int, weight: Array | None, bias: Array | None, eps: float, centred: bool
) -> tuple[Array, Seen]:
    """As lenetcli.kernels.norm.element_norm."""
    if not _takes(x, weight, bias):
        return reference.element_norm(x, dims, weight, bias, eps, centred)
    flat = [None if v is None else v.reshape(-1) for v in (weight, bias)]
    y, moments, _ = _forward(_of_elements(x, dims), x, flat[0], flat[1], eps, centred=centred)
    return y, Seen(x, None, moments, 0, dims, eps, centred)


def sample_norm_backward(grad: Array, seen: Seen, weight: Array | None) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.sample_norm_backward."""
    x, moments = seen.values, seen.moments
    if seen.inverse is not None or not _takes(grad, weight):
        return reference.sample_norm_backward(grad, seen, weight)
    lie = _of_groups(x, seen.groups) if seen.groups else _of_elements(x, seen.dims)
    shape = x.shape[1:2] if seen.groups else x.shape[-seen.dims :]
    flat = None if weight is None else weight.reshape(-1)
    return _backward(lie, grad, x, flat, moments, seen.eps, shape, centred=seen.centred)
