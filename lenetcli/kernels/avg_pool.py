"""Average pooling and adaptive pooling, and their gradients. Layout and letters as in conv.py.

Both are separable: windows are summed across, then down. Adaptive window i of an axis of size H cut into P runs from
floor(i H / P) to ceil((i + 1) H / P).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.kernels.conv import pad_image
from lenetcli.kernels.device import as_array, beside
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.pool import maxima, overhang
from lenetcli.kernels.sums import BLOCK, sum_over
from lenetcli.kernels.window import Pair, spans

Bounds = list[tuple[int, int]]  # first and last + 1 of each window along an axis


def avg_pool2d(x: Array, divisor: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """x (N, C, H, W), divisor (P, Q) -> (N, C, P, Q): the sum over each window, divided."""
    p, q = divisor.shape
    more = overhang((x.shape[2], x.shape[3]), kernel, stride, padding, (1, 1), (p, q))
    padded = pad_image(stored(x), padding, 0, more)
    across = _total([padded[:, :, seen] for seen in spans(kernel[1], stride[1], 1, q)])
    y = _total([across[:, seen] for seen in spans(kernel[0], stride[0], 1, p)])
    y /= beside(y, divisor[:, :, None])
    return logical(y)


def avg_pool2d_backward(grad: Array, divisor: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """grad (N, C, P, Q), divisor (P, Q), image (H, W) -> (N, C, H, W): each gradient, divided, to its whole window."""
    (p, q), (h, w), (pad_h, pad_w) = divisor.shape, image, padding
    more = overhang(image, kernel, stride, padding, (1, 1), (p, q))
    share = stored(grad) / beside(grad, divisor[:, :, None])
    c, n = share.shape[0], share.shape[-1]
    down = np.zeros_like(share, shape=(c, h + 2 * pad_h + more[0], q, n))
    for seen in spans(kernel[0], stride[0], 1, p):
        down[:, seen] += share
    d_x = np.zeros_like(share, shape=(c, down.shape[1], w + 2 * pad_w + more[1], n))
    for seen in spans(kernel[1], stride[1], 1, q):
        d_x[:, :, seen] += down
    return logical(np.ascontiguousarray(d_x[:, pad_h : pad_h + h, pad_w : pad_w + w], like=d_x))


def window_counts(size: int, kernel: int, stride: int, padding: int, out: int, include_padding: bool) -> Array:
    """How many pixels each window along one axis counts: those in the image, or in the padded image."""
    start = np.arange(out) * stride - padding
    end = np.minimum(start + kernel, size + padding)
    return end - start if include_padding else np.minimum(end, size) - np.maximum(start, 0)


def _total(parts: Sequence[Array]) -> Array:
    if len(parts) > BLOCK:
        half = len(parts) // 2
        return _total(parts[:half]) + _total(parts[half:])
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def adaptive_bounds(size: int, out: int) -> Bounds:
    """The windows of an adaptive pool along one axis."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_avg_pool2d(x: Array, out: Pair) -> Array:
    """x (N, C, H, W), out (P, Q) -> (N, C, P, Q)."""
    h, w = x.shape[2:]
    return logical(_means(_means(stored(x), 1, adaptive_bounds(h, out[0])), 2, adaptive_bounds(w, out[1])))


def adaptive_avg_pool2d_backward(grad: Array, image: Pair, channels_last: bool) -> Array:
    """grad (N, C, P, Q), image (H, W) -> (N, C, H, W); native twins lay it as the images, channels-last or not."""
    (p, q), (h, w) = grad.shape[2:], image
    return logical(_shares(_shares(stored(grad), 1, h, adaptive_bounds(h, p)), 2, w, adaptive_bounds(w, q)))


def _means(x: Array, axis: int, bounds: Bounds) -> Array:
    """The mean of each window along one axis."""
    y = np.empty_like(x, shape=(*x.shape[:axis], len(bounds), *x.shape[axis + 1 :]))
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
    for i, (start, end) in enumerate(bounds):
        target[i] = sum_over(source[start:end], 0)
        target[i] /= end - start
    return y


def _shares(grad: Array, axis: int, size: int, bounds: Bounds) -> Array:
    """The gradient of `_means`: each window's, in equal shares to its pixels."""
    d_x = np.zeros_like(grad, shape=(*grad.shape[:axis], size, *grad.shape[axis + 1 :]))
    source, target = np.moveaxis(grad, axis, 0), np.moveaxis(d_x, axis, 0)
    for i, (start, end) in enumerate(bounds):
        target[start:end] += source[i] / (end - start)
    return d_x


def adaptive_max_pool2d(x: Array, out: Pair) -> tuple[Array, Array]:
    """x (N, C, H, W), out (P, Q) -> the maxima and their positions row * W + column, both (N, C, P, Q)."""
    h, w = x.shape[2:]
    rows, columns = beside(x, _places(h, out[0])), beside(x, _places(w, out[1]))
    best, winner = maxima(stored(x), list(rows), list(columns))
    tap = winner.astype(np.int64)  # (C, P, Q, N)
    row = rows[tap // len(columns), np.arange(out[0], like=tap)[:, None, None]]
    column = columns[tap % len(columns), np.arange(out[1], like=tap)[:, None]]
    return logical(best), logical(as_array(row * w + column))


def _places(size: int, out: int) -> Array:
    """(K, P): the place that tap k of window i meets; shorter windows meet their last place again."""
    start, end = np.array(adaptive_bounds(size, out), dtype=np.int64).reshape(-1, 2).T
    taps: Any = np.arange((end - start).max(initial=1))[:, None]
    return as_array(np.minimum(start + taps, end - 1))
