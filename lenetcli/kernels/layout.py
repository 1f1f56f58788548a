"""The two memory formats of images, whose logical shape is always (N, C, H, W), and of sequences (N, C, L).

Batch-last, stored as (C, H, W, N): im2col is a handful of block copies, a convolution one matrix product whose result
already lies in place, every elementwise op and pool runs over full rows, and flatten is a free view. Thin nets gain
most, and all NumPy kernels make it.

Channels-last, stored as (N, H, W, C): vectors are full whatever the batch, and a pixel's channels are what a sum of
products runs over. Native convolutions of many out-channels choose it (native/conv.py); what comes after them follows:
a kernel's results lie as its images lie, and gradients, which come in any order, are laid as the images they belong to.

docs/decisions/001-batch-last-memory.md has the reasons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def stored(x: Array) -> Array:
    """(N, C, ...) -> (C, ..., N), contiguous; free for a batch-last array, one copy for any other."""
    return np.ascontiguousarray(x.transpose(*range(1, x.ndim), 0), like=x)


def logical(x: Array) -> Array:
    """(C, ..., N) -> (N, C, ...), a view."""
    return x.transpose(x.ndim - 1, *range(x.ndim - 1))


def is_channels_last(x: Array) -> bool:
    """Whether (N, C, ...) lies as (N, ..., C), dense. Single pixels of one image lie both ways."""
    return x.ndim > 2 and x.strides[1] == x.itemsize and x.shape[1] > 1 and _turned(x).flags.c_contiguous


def pixels(x: Array) -> Array:
    """(N, C, ...) -> (N, ..., C), contiguous; free for a channels-last array, one copy for any other."""
    return np.ascontiguousarray(_turned(x), like=x)


def images(x: Array) -> Array:
    """(N, ..., C) -> (N, C, ...), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def _turned(x: Array) -> Array:
    return x.transpose(0, *range(2, x.ndim), 1)


def outline(shape: tuple[int, ...], example: Array) -> Array:
    """Stands for an array of which only shape and type (those of `example`) are asked: it has no memory of its own."""
    if type(example) is np.ndarray:
        return np.ndarray(shape, example.dtype, _NOTHING, 0, (0,) * len(shape))
    return np.broadcast_to(np.zeros((), example.dtype, like=example), shape)


_NOTHING = bytes(16)


def zeros(shape: tuple[int, ...], example: Array) -> Array:
    """Zeros of that shape, and of the type of `example`, that take no memory and cannot be written to."""
    return outline(shape, example)  # of zero bytes


def is_nothing(x: Array) -> bool:
    """Whether an array is known, without a look at it, to hold zeros: one that `zeros` gave."""
    base: Any = x.base
    return base is _NOTHING


def empty(shape: tuple[int, ...], example: Array) -> Array:
    """An uninitialised batch-last array of logical shape (N, C, ...), of the kind and type of `example`."""
    return logical(np.empty_like(example, shape=(*shape[1:], shape[0]), order="C"))
