"""Memory for results of native kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lenetcli.kernels import layout
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

Lie = Callable[[Array], Array]

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
    return dense(x.transpose(*range(1, x.ndim), 0))


def pixels(x: Array) -> Array:
    """As lenetcli.kernels.layout.pixels; a copy is a native call where these are recorded."""
    return dense(x.transpose(0, *range(2, x.ndim), 1))


def lies(x: Array) -> tuple[Array, Lie]:
    """Images (N, C, ...) as they lie in memory, batch-last unless channels-last, and the way back from there."""
    if layout.is_channels_last(x):
        return pixels(x), layout.images
    return stored(x), layout.logical


def laid(x: Array, lie: Lie) -> Array:
    """Images in memory as others lie."""
    return pixels(x) if lie is layout.images else stored(x)


def like(x: Array, y: Array) -> Array:
    """Images y as x lies."""
    return layout.images(pixels(y)) if layout.is_channels_last(x) else y


def axes_of(x: Array) -> tuple[int, ...]:
    """The axes of an array from the slowest to the fastest."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))


def back(order: tuple[int, ...]) -> tuple[int, ...]:
    """The order that undoes one."""
    return tuple(order.index(axis) for axis in range(len(order)))


def dense(x: Array) -> Array:
    """In row order, at an address that a float may have; a copy is a native call where these are recorded."""
    if x.flags.c_contiguous and not x.flags.aligned:
        return x.copy()
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
