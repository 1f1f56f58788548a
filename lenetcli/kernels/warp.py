"""Pictures moved, mirrored and warped, each in its own way: a whole batch at once. Arrays are (C, H, W, N)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def moved(x: Array, down: Array, right: Array, mirrored: Array, fill: Array) -> Array:
    """Whole pixels: each picture is mirrored left to right where it should be, then moved.

    Args:
        x: (C, H, W, N).
        down: (N,) integers, pixels that a picture moves downwards.
        right: (N,) integers.
        mirrored: (N,) booleans.
        fill: (C,), what comes in from outside.

    Example:
        >>> import numpy as np
        >>> x = np.arange(3.0).reshape(1, 1, 3, 1)
        >>> moved(x, np.array([0]), np.array([1]), np.array([False]), np.array([9.0])).ravel().tolist()
        [9.0, 0.0, 1.0]
    """
    c, h, w, n = x.shape
    border = int(max(np.abs(down).max(initial=0), np.abs(right).max(initial=0)))
    x = _framed(x, border, fill)
    across = np.arange(w)[:, None] - right  # (W, N)
    across = np.where(mirrored, w - 1 - across, across) + border
    along = np.arange(h)[:, None] - down + border  # (H, N)
    at = (along * ((w + 2 * border) * n))[:, None] + (across * n + np.arange(n))  # (H, W, N)
    return np.take(x.reshape(c, -1), at.reshape(-1), axis=1).reshape(c, h, w, n)


def warped(x: Array, matrix: Array, offset: Array, fill: Array) -> Array:
    """Any planar map, with bilinear interpolation; points count from the middle of the picture.

    Formula:
        y[p] = x[matrix p + offset]

    Args:
        x: (C, H, W, N), float32.
        matrix: (2, 2, N), over (row, column).
        offset: (2, N), in pixels.
        fill: (C,), what lies outside.

    Example:
        >>> import numpy as np
        >>> x = np.array([0.0, 2.0, 4.0], np.float32).reshape(1, 1, 3, 1)
        >>> unturned = np.eye(2, dtype=np.float32)[:, :, None]
        >>> warped(x, unturned, np.array([[0.0], [0.5]], np.float32), np.array([8.0])).ravel().tolist()
        [1.0, 3.0, 6.0]
    """
    c, h, w, n = x.shape
    x = _framed(x, 1, fill).reshape(c, -1)
    exact = np.float32 if (h + 2) * (w + 2) < 1 << 24 else np.float64  # holds every place as a whole number
    matrix, offset = matrix.astype(exact), offset.astype(exact)
    rows = (np.arange(h, dtype=exact) - (h - 1) / 2)[:, None]
    columns = (np.arange(w, dtype=exact) - (w - 1) / 2)[:, None]
    low, share = [], []
    for axis, size in enumerate((h, w)):
        start = rows * matrix[axis, 0] + (offset[axis] + (size + 1) / 2)  # (H, N), + 1 for the frame
        at = start[:, None] + columns * matrix[axis, 1]  # (H, W, N)
        np.clip(at, 0, np.nextafter(exact(size + 1), exact(0)), out=at)
        low.append(np.floor(at))
        at -= low[-1]
        share.append(at.reshape(-1).astype(np.float32, copy=False))
    place = low[0]
    place *= w + 2
    place += low[1]
    corner = place.astype(np.intp)
    corner *= n
    corner += np.arange(n)
    corner, (down, right) = corner.reshape(-1), share
    upper = _between(x, corner, n, right)
    lower = _between(x, corner + (w + 2) * n, n, right)
    lower -= upper
    lower *= down
    upper += lower
    return upper.reshape(c, h, w, n)


def _between(x: Array, at: Array, step: int, share: Array) -> Array:
    """x[at] + share * (x[at + step] - x[at]), in every channel."""
    first = np.take(x, at, axis=1)
    second = np.take(x, at + step, axis=1)
    second -= first
    second *= share
    first += second
    return first


def _framed(x: Array, width: int, fill: Array) -> Array:
    """With a frame of `width` pixels around each picture."""
    if width == 0:
        return np.ascontiguousarray(x)
    c, h, w, n = x.shape
    wide = np.empty((c, h + 2 * width, w + 2 * width, n), x.dtype)
    wide[:, :width] = wide[:, -width:] = wide[:, :, :width] = wide[:, :, -width:] = np.reshape(fill, (-1, 1, 1, 1))
    wide[:, width:-width, width:-width] = x
    return wide
