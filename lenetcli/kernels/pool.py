"""Max pooling over windows, and its gradient. Layout and letters as in conv.py."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.conv import pad_image
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.window import Pair, extent, taps


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """x (N, C, H, W) -> the maxima and, for each, which tap of the window won; both (N, C, P, Q).

    The first of equal values wins, in row order; NaN beats every number, as in torch.
    """
    h, w = x.shape[2:]
    p = extent(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    q = extent(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    padded = pad_image(stored(x), padding, _lowest(x), _overhang((h, w), kernel, stride, padding, dilation, (p, q)))
    best: Array | None = None
    for i, j, rows, columns in taps(kernel, stride, dilation, (p, q)):
        value = padded[:, rows, columns]
        if best is None:
            best = value.copy()
            winner = np.zeros_like(best, dtype=np.uint8 if kernel[0] * kernel[1] <= 256 else np.int32)
            continue
        wins = value > best
        if value.dtype.kind == "f":
            wins |= np.isnan(value) & ~np.isnan(best)
        np.copyto(best, value, where=wins)
        np.copyto(winner, i * kernel[1] + j, where=wins)
    assert best is not None, "a kernel has at least one tap"
    return logical(best), logical(winner)


def max_pool2d_backward(
    grad: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """grad and winner (N, C, P, Q), image (H, W) -> (N, C, H, W): each gradient goes to the tap that won."""
    d_y, won = stored(grad), stored(winner)
    c, p, q, n = d_y.shape
    (h, w), (pad_h, pad_w) = image, padding
    more = _overhang(image, kernel, stride, padding, dilation, (p, q))
    d_x = np.zeros_like(d_y, shape=(c, h + 2 * pad_h + more[0], w + 2 * pad_w + more[1], n))
    apart = stride[0] >= kernel[0] and stride[1] >= kernel[1] and dilation == (1, 1)
    for i, j, rows, columns in taps(kernel, stride, dilation, (p, q)):
        here = d_x[:, rows, columns]
        if apart:  # windows do not overlap: every cell is written once
            np.multiply(d_y, won == i * kernel[1] + j, out=here)
        else:
            here += d_y * (won == i * kernel[1] + j)
    if padding == more == (0, 0):
        return logical(d_x)
    return logical(np.ascontiguousarray(d_x[:, pad_h : pad_h + h, pad_w : pad_w + w]))


def winner_index(winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Winning taps as positions in the flattened image, row * W + column, as torch's return_indices gives them."""
    _, _, p, q = winner.shape
    tap = winner.astype(np.int64)
    row = np.arange(p)[:, None] * stride[0] - padding[0] + tap // kernel[1] * dilation[0]
    column = np.arange(q) * stride[1] - padding[1] + tap % kernel[1] * dilation[1]
    return np.asarray(row * image[1] + column)


def _lowest(x: Array) -> float | int:
    return -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)


def _overhang(image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair) -> Pair:
    """How far the last windows reach past the padded image (with ceil_mode)."""
    rows, columns = (
        max(0, (out[d] - 1) * stride[d] + dilation[d] * (kernel[d] - 1) + 1 - image[d] - 2 * padding[d]) for d in (0, 1)
    )
    return rows, columns
