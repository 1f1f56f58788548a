"""Max pooling over windows, its gradient and its undoing. Layout and letters as in conv.py.

A window's maximum is the maximum of its rows' maxima, so that K + L comparisons do for K L pixels. Of equal values the
first one wins, in row order; of NaNs, which beat every number, the last one: as in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.kernels.conv import pad_image
from lenetcli.kernels.device import as_array, on_device
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.scatter import add_at
from lenetcli.kernels.selection import larger
from lenetcli.kernels.window import Pair, extent, spans, taps


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """x (N, C, H, W) -> the maxima and, for each, which tap of the window won; both (N, C, P, Q)."""
    h, w = x.shape[2:]
    p = extent(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    q = extent(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    more = overhang((h, w), kernel, stride, padding, dilation, (p, q))
    padded = pad_image(stored(x), padding, lowest(x.dtype), more)
    rows, columns = (spans(kernel[d], stride[d], dilation[d], (p, q)[d]) for d in (0, 1))
    best, winner = maxima(padded, rows, columns)
    if padding != (0, 0) or more != (0, 0):
        _keep_inside(best, winner, (h, w), kernel, stride, padding, dilation)
    return logical(best), logical(winner)


def maxima(x: Array, rows: Sequence[Any], columns: Sequence[Any]) -> tuple[Array, Array]:
    """The greatest value over all taps of a stored image, and the number of the tap that has it.

    rows, columns: for each tap of the kernel's height and width, an index of the P rows or Q columns it meets.
    """
    kind = np.uint8 if len(rows) * len(columns) <= 256 else np.int32
    across, tap = _greatest([x[:, :, seen] for seen in columns], [kind(i) for i in range(len(columns))])
    return _greatest(
        [across[:, seen] for seen in rows], [tap[:, seen] + kind(i * len(columns)) for i, seen in enumerate(rows)]
    )


def _greatest(values: Sequence[Array], taps: Sequence[Any]) -> tuple[Array, Array]:
    """Elementwise maximum of arrays, and the tap (a number, or one for each element) of the one that has it.

    Taps grow from array to array.
    """
    best = values[0]
    winner = np.full_like(best, taps[0], dtype=taps[0].dtype)
    owned = False
    for value, tap in zip(values[1:], taps[1:]):
        wins = np.greater(value, best).view(np.uint8)
        best = larger(value, best, out=best if owned else None)
        np.maximum(winner, wins * tap, out=winner)
        owned = True
    if best.dtype.kind == "f" and best.size and (on_device(best) or np.isnan(best.max())):  # a look there would wait
        for value, tap in zip(values, taps):
            np.copyto(winner, tap, where=np.isnan(value))
    return best if owned else best.copy(), winner


def max_pool2d_backward(
    grad: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """grad and winner (N, C, P, Q), image (H, W) -> (N, C, H, W): each gradient goes to the tap that won."""
    d_y, won = stored(grad), stored(winner)
    c, p, q, n = d_y.shape
    (h, w), (pad_h, pad_w) = image, padding
    more = overhang(image, kernel, stride, padding, dilation, (p, q))
    apart = stride[0] >= kernel[0] and stride[1] >= kernel[1] and dilation == (1, 1)
    size = c, h + 2 * pad_h + more[0], w + 2 * pad_w + more[1], n
    tiled = stride == kernel and size[1:3] == (p * kernel[0], q * kernel[1])
    d_x = (np.empty_like if tiled and apart else np.zeros_like)(d_y, shape=size)
    bits = np.dtype(f"i{d_y.itemsize}")  # masked as integers: 0 times an infinite gradient would be NaN
    for i, j, rows, columns in taps(kernel, stride, dilation, (p, q)):
        keep = np.negative((won == i * kernel[1] + j).view(np.int8), dtype=bits)
        if apart:  # windows do not overlap: every cell is written once
            np.bitwise_and(d_y.view(bits), keep, out=d_x.view(bits)[:, rows, columns])
        else:
            d_x[:, rows, columns] += (d_y.view(bits) & keep).view(d_y.dtype)
    return logical(np.ascontiguousarray(d_x[:, pad_h : pad_h + h, pad_w : pad_w + w], like=d_x))


def of_winners(x: Array, winner: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """x (N, C, H, W), winner (N, C, P, Q) -> of each window what x has at the tap that won, (N, C, P, Q)."""
    won = stored(winner)
    p, q = won.shape[1:3]
    more = overhang(x.shape[2:], kernel, stride, padding, dilation, (p, q))
    image = pad_image(stored(x), padding, 0, more)
    bits = np.dtype(f"i{x.itemsize}")  # masked as integers: 0 times an infinite number would be NaN
    y = np.zeros_like(won, dtype=bits)
    for i, j, rows, columns in taps(kernel, stride, dilation, (p, q)):
        keep = np.negative((won == i * kernel[1] + j).view(np.int8), dtype=bits)
        keep &= image[:, rows, columns].view(bits)
        y |= keep
    return logical(y.view(x.dtype))


def winner_index(winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Winning taps as positions in the flattened image, row * W + column, as torch's return_indices gives them."""
    _, _, p, q = winner.shape
    tap = winner.astype(np.int64)
    row = np.arange(p, like=tap)[:, None] * stride[0] - padding[0] + tap // kernel[1] * dilation[0]
    column = np.arange(q, like=tap) * stride[1] - padding[1] + tap % kernel[1] * dilation[1]
    return as_array(row * image[1] + column)


def put(values: Array, index: Array, image: Pair, how: np.ufunc | None = None) -> Array:
    """values and index (N, C, P, Q), image (H, W) -> zeros (N, C, H, W) with the values at positions row * W + column.

    how: the function that joins values of one position, such as np.add; without it the last one stays.
    """
    v = stored(values)
    y = np.zeros_like(v, shape=(v.shape[0], *image, v.shape[-1]))
    at = _positions(index, y)
    if how is None:
        y.reshape(-1)[at] = v
    else:
        add_at(y, at, v, how)
    return logical(y)


def take(x: Array, index: Array) -> Array:
    """x (N, C, H, W), index (N, C, P, Q) -> the values (N, C, P, Q) at positions row * W + column."""
    image = stored(x)
    return logical(image.reshape(-1)[_positions(index, image)])


def _positions(index: Array, image: Array) -> Array:
    """Where in the flattened memory of a stored image the pixels lie that `index` names."""
    c, h, w, n = image.shape
    channel = np.arange(c, like=image)[:, None, None, None]
    return as_array((channel * (h * w) + stored(index)) * n + np.arange(n, like=image))


def lowest(kind: np.dtype[Any]) -> float | int:
    """What no value of this type is less than."""
    return -np.inf if kind.kind == "f" else int(np.iinfo(kind).min)


def _keep_inside(
    best: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """Where no pixel is above the border's value, the window's first pixel inside the image wins, not the border."""
    beaten = best == lowest(best.dtype)
    if not on_device(beaten) and not beaten.any():
        return
    row, column = (
        -((np.arange(count, like=best) * s - pad) // d)
        for count, s, pad, d in zip(best.shape[1:3], stride, padding, dilation)
    )
    first = np.maximum(row, 0)[:, None] * kernel[1] + np.maximum(column, 0)
    np.copyto(winner, first[:, :, None].astype(winner.dtype), where=beaten)


def overhang(image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair) -> Pair:
    """How far the last windows reach past the padded image (with ceil_mode)."""
    rows, columns = (
        max(0, (out[d] - 1) * stride[d] + dilation[d] * (kernel[d] - 1) + 1 - image[d] - 2 * padding[d]) for d in (0, 1)
    )
    return rows, columns
