"""Memory for results of native kernels."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels.layout import Array

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
