"""Relu, other activation functions, log-softmax and the mean likelihood of targets (pointwise.h, curve.h)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lenetcli.kernels import activation as curve_reference
from lenetcli.kernels import finite as finite_reference
from lenetcli.kernels import nll as likelihood_reference
from lenetcli.kernels import product as product_reference
from lenetcli.kernels import selection as relu_reference
from lenetcli.kernels import softmax as softmax_reference
from lenetcli.kernels.layout import Array, images, is_channels_last, logical
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import axes_of, back, dense, pixels, room, stored

__all__ = [
    "all_finite",
    "cross_entropy",
    "cross_entropy_backward",
    "curve",
    "curve_backward",
    "log_softmax",
    "log_softmax_backward",
    "nll_mean",
    "nll_mean_backward",
    "plus",
    "relu",
    "relu_backward",
    "softmax",
    "softmax_backward",
    "times",
]

FLOAT, LONG = np.dtype(np.float32), np.dtype(np.int64)
BY_REFERENCE = ("gelu_tanh", "mish")  # curves whose gradient far below 0 is not yet that of torch in the kernel
SMALL = 1024  # elements below which NumPy is as fast


def _orders(x: Array) -> list[tuple[int, ...]]:
    """Axis orders in which an array may be one unbroken block: as it is, batch-last, channels-last, reversed."""
    axes = tuple(range(x.ndim))
    channels_last = [(0, *axes[2:], 1)] if x.ndim > 2 else []
    return [axes, (*axes[1:], 0), *channels_last, axes[::-1]]


def _flat(*arrays: Array) -> list[Array] | None:
    """The arrays as vectors, their elements in one common order; None where they have none."""
    for order in _orders(arrays[0]):
        turned = [a.transpose(order) for a in arrays]
        if all(t.flags.c_contiguous for t in turned):
            return [t.reshape(-1) for t in turned]
    return None


def relu(x: Array) -> Array:
    """As lenetcli.kernels.selection.relu."""
    if x.dtype is FLOAT and x.flags.aligned and (x.size >= SMALL or _native.recording()):
        y = np.empty_like(x)
        flat = _flat(x, y)
        if flat is not None:
            _native.relu(*flat)
            return y
    return relu_reference.relu(x)


def relu_backward(grad: Array, y: Array) -> Array:
    """As lenetcli.kernels.selection.relu_backward."""
    floats = grad.dtype is FLOAT and y.dtype is FLOAT and grad.flags.aligned and y.flags.aligned
    if floats and (y.size >= SMALL or _native.recording()):
        d_x = np.empty_like(y)
        flat = _flat(y, grad, d_x) or _flat(y, _laid(grad, y), d_x)
        if flat is not None:
            _native.relu_backward(flat[1], flat[0], flat[2])
            return d_x
    return relu_reference.relu_backward(grad, y)


def _laid(grad: Array, y: Array) -> Array:
    """A gradient in the memory order of its images."""
    if y.ndim < 3:
        return grad
    return images(pixels(grad)) if is_channels_last(y) else logical(stored(grad))


def curve(x: Array, name: str, *constants: float) -> Array:
    """As lenetcli.kernels.activation.curve."""
    if x.dtype is not FLOAT or not x.size or not x.ndim or not x.flags.aligned:
        return curve_reference.curve(x, name, *constants)
    order = axes_of(x)
    rows = dense(x.transpose(order))
    y = room(rows.shape)
    _native.curve(name, constants, rows.reshape(-1), None, y.reshape(-1))
    return y.transpose(back(order))


def curve_backward(grad: Array, x: Array, name: str, *constants: float) -> Array:
    """As lenetcli.kernels.activation.curve_backward."""
    fits = x.dtype is FLOAT and grad.dtype is FLOAT and x.shape == grad.shape and x.size and x.ndim
    if not fits or name in BY_REFERENCE:
        return curve_reference.curve_backward(grad, x, name, *constants)
    order = axes_of(x)
    rows, d_y = dense(x.transpose(order)), dense(grad.transpose(order))
    d_x = room(rows.shape)
    _native.curve(name, constants, rows.reshape(-1), d_y.reshape(-1), d_x.reshape(-1))
    return d_x.transpose(back(order))


def times(x: Array, y: Array) -> Array:
    """As lenetcli.kernels.product.times."""
    made = _recorded(_native.times, x, y)
    return product_reference.times(x, y) if made is None else made


def plus(x: Array, y: Array) -> Array:
    """As lenetcli.kernels.product.plus."""
    made = _recorded(_native.plus, x, y)
    return product_reference.plus(x, y) if made is None else made


def _recorded(call: Callable[..., None], x: Array, y: Array) -> Array | None:
    """What a call makes of two arrays, where it is recorded; None where it would not be, or cannot."""
    if not (_native.recording() and x.shape == y.shape and x.dtype is FLOAT and y.dtype is FLOAT):
        return None
    made = np.empty_like(x)
    flat = _flat(x, y, made)
    if flat is None and 1 < x.ndim < 5:  # in different memory orders
        turned = _recorded(call, stored(x), stored(y))
        return None if turned is None else logical(turned)
    if flat is None:
        return None
    call(*flat)
    return made


def all_finite(arrays: list[Array]) -> bool:
    """As lenetcli.kernels.finite.all_finite."""
    found = _native.all_finite(arrays)
    return finite_reference.all_finite(arrays) if found is None else found


def softmax(x: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.softmax."""
    return _along(x, None, axis, False) if _has_axes(x) else softmax_reference.softmax(x, axis)


def softmax_backward(grad: Array, y: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.softmax_backward."""
    if not _has_axes(y) or grad.dtype is not FLOAT or grad.shape != y.shape:
        return softmax_reference.softmax_backward(grad, y, axis)
    return _along(y, grad, axis, False)


def _has_axes(x: Array) -> bool:
    return x.dtype is FLOAT and x.size > 0 and x.ndim > 0


def _along(x: Array, grad: Array | None, axis: int, log: bool) -> Array:
    """The kernel for an axis, or of a result and its gradient; in the memory order of x."""
    order = axes_of(x)
    rows = dense(x.transpose(order))
    y = room(rows.shape)
    at = order.index(axis % x.ndim)
    shape = (math.prod(rows.shape[:at]), rows.shape[at], math.prod(rows.shape[at + 1 :]))
    d_y = None if grad is None else dense(grad.transpose(order)).reshape(shape)
    _native.softmax(rows.reshape(shape), d_y, log, y.reshape(shape))
    return y.transpose(back(order))


def log_softmax(x: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.log_softmax."""
    if not _has_axes(x):
        return softmax_reference.log_softmax(x, axis)
    if x.ndim != 2 or axis != 1 or not x.T.flags.c_contiguous or not x.flags.aligned:
        return _along(x, None, axis, True)
    y = np.empty(x.shape[::-1], FLOAT)
    _native.log_softmax(x.T, y)
    return y.T


def log_softmax_backward(grad: Array, y: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.log_softmax_backward."""
    if not _has_axes(y) or grad.dtype is not FLOAT or grad.shape != y.shape:
        return softmax_reference.log_softmax_backward(grad, y, axis)
    fits = y.ndim == 2 and axis == 1 and grad.flags.aligned
    if not fits or not y.T.flags.c_contiguous or not grad.T.flags.c_contiguous:
        return _along(y, grad, axis, True)
    d_x = np.empty(y.shape[::-1], FLOAT)
    _native.log_softmax_backward(grad.T, y.T, d_x)
    return d_x.T


def _counts(log_p: Array, target: Array) -> bool:
    fits = log_p.ndim == 2 and log_p.dtype is FLOAT and log_p.flags.aligned
    return fits and target.dtype is LONG and target.flags.c_contiguous and target.flags.aligned


def nll_mean(log_p: Array, target: Array, ignore: int) -> tuple[Array, Array]:
    """As lenetcli.kernels.nll.nll_mean."""
    if not _counts(log_p, target):
        return likelihood_reference.nll_mean(log_p, target, ignore)
    found = np.empty(2, FLOAT)
    _native.nll(log_p, target, ignore, found)
    return found[:1].reshape(()), found[1:].reshape(())


def nll_mean_backward(grad: Array, log_p: Array, target: Array, ignore: int, count: Array) -> Array:
    """As lenetcli.kernels.nll.nll_mean_backward."""
    if not _counts(log_p, target):
        return likelihood_reference.nll_mean_backward(grad, log_p, target, ignore, count)
    d_log_p = np.empty_like(log_p)
    _native.nll_backward(grad.reshape(1), count.reshape(1), target, ignore, d_log_p)
    return d_log_p


def cross_entropy(x: Array, target: Array, ignore: int) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.nll.cross_entropy; the mean and the count are followed by the number of right answers."""
    if not (_counts(x, target) and x.size and x.T.flags.c_contiguous):
        return likelihood_reference.cross_entropy(x, target, ignore)
    log_p, found = np.empty(x.shape[::-1], FLOAT), np.empty(3, FLOAT)
    _native.cross_entropy(x.T, target, ignore, log_p, found)
    return found[:1].reshape(()), found[1:2].reshape(()), log_p.T


def cross_entropy_backward(grad: Array, log_p: Array, target: Array, ignore: int, count: Array) -> Array:
    """As lenetcli.kernels.nll.cross_entropy_backward."""
    if not (_counts(log_p, target) and log_p.size and log_p.T.flags.c_contiguous and grad.dtype is FLOAT):
        return likelihood_reference.cross_entropy_backward(grad, log_p, target, ignore, count)
    d_x = np.empty(log_p.shape[::-1], FLOAT)
    _native.cross_entropy_backward(grad.reshape(1), count.reshape(1), target, ignore, log_p.T, d_x)
    return d_x.T
