"""The batch-last memory format: logical shape (N, C, H, W), stored as (C, H, W, N), as channels_last does for C.

With the batch as the fastest axis, im2col is a handful of block copies, a convolution one matrix product whose result
already lies in place, every elementwise op and pool runs over full rows, and flatten is a free view.
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


def outline(shape: tuple[int, ...], example: Array) -> Array:
    """Stands for an array of which only shape and type (those of `example`) are asked: it has no memory of its own."""
    if type(example) is np.ndarray:
        return np.ndarray(shape, example.dtype, _NOTHING, 0, (0,) * len(shape))
    return np.broadcast_to(np.zeros((), example.dtype, like=example), shape)


_NOTHING = bytes(16)


def empty(shape: tuple[int, ...], example: Array) -> Array:
    """An uninitialised batch-last array of logical shape (N, C, ...), of the kind and type of `example`."""
    return logical(np.empty_like(example, shape=(*shape[1:], shape[0]), order="C"))
