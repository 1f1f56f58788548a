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


def stored(x: Array) -> Array:
    """As lenetcli.kernels.layout.stored; a copy is a native call where these are recorded."""
    turned = x.transpose(*range(1, x.ndim), 0)
    if x.dtype is not FLOAT or x.ndim > 4 or turned.flags.c_contiguous or not _native.recording():
        return layout.stored(x)
    y = room(turned.shape)
    ones = (1,) * (4 - x.ndim)
    _native.copy(turned.reshape(*ones, *turned.shape), y.reshape(*ones, *y.shape))
    return y


def constant(x: Array) -> Array:
    """An array that follows from shapes and arguments alone: a recording may keep it."""
    if _native.recording():
        constants.append(x)
    return x


constants: list[Array] = []  # of the recording that is being made
