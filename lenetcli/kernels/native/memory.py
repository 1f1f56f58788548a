"""Memory for results of native kernels."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels import layout
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

FLOAT = np.dtype(np.float32)
LINE = 128  # bytes: two cache lines, which processors fetch together
LARGE = 8192  # elements above which several threads may write


def room(shape: tuple[int, ...]) -> Array:
    """An uninitialised float32 array in row order, a large one at the beginning of a cache line.

    Threads share out images in blocks that fill cache lines. Elsewhere in memory every row of a result would hold lines
    that two threads write, which costs more than the rest of the work.
    """
    size = math.prod(shape)
    if size < LARGE:
        return np.empty(shape, FLOAT)
    memory = np.empty(size + LINE // 4, FLOAT)
    first = -memory.__array_interface__["data"][0] % LINE // 4
    return memory[first : first + size].reshape(shape)


def room_as(x: Array, shape: tuple[int, ...]) -> Array:
    """An uninitialised float32 array of logical shape (N, C, ...) that lies as x lies, channels-last or batch-last."""
    if layout.is_channels_last(x):
        return layout.images(room((shape[0], *shape[2:], shape[1])))
    return layout.logical(room((*shape[1:], shape[0])))


def stored(x: Array) -> Array:
    """As lenetcli.kernels.layout.stored; a copy is a native call where these are recorded."""
    return _dense(x.transpose(*range(1, x.ndim), 0))


def pixels(x: Array) -> Array:
    """As lenetcli.kernels.layout.pixels; a copy is a native call where these are recorded."""
    return _dense(x.transpose(0, *range(2, x.ndim), 1))


def _dense(x: Array) -> Array:
    if x.dtype is not FLOAT or x.ndim > 4 or x.flags.c_contiguous or not _native.recording():
        return np.ascontiguousarray(x)
    y = room(x.shape)
    ones = (1,) * (4 - x.ndim)
    _native.copy(x.reshape(*ones, *x.shape), y.reshape(*ones, *y.shape))
    return y


def constant(x: Array) -> Array:
    """An array that follows from shapes and arguments alone: a recording may keep it."""
    if _native.recording():
        constants.append(x)
    return x


constants: list[Array] = []  # of the recording that is being made
