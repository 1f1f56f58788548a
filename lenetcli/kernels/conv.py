"""2-d convolution as one matrix product per group, and its two gradients.

    columns[c k l, p q n] = x[c, p stride + k dilation - padding, q stride + l dilation - padding, n]
    y = W @ columns          (O, C K L) @ (C K L, P Q N)
    dW = dy @ columns.T
    dx = col2im(W.T @ dy)

Axes: N batch, C in-channels, H W image, O out-channels, K L kernel, P Q output, G groups. Arrays have torch's logical
shapes; results are batch-last. A transposed convolution is the same three functions with the roles of x and y swapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.window import Pair, extent, taps


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (O, C / G, K, L), bias (O,) -> (N, O, P, Q)."""
    n, _, h, w = x.shape
    o, _, k, kl = weight.shape
    p = extent(h, k, stride[0], padding[0], dilation[0])
    q = extent(w, kl, stride[1], padding[1], dilation[1])
    cols = _columns(stored(x), (k, kl), stride, padding, dilation, (p, q), groups)  # (G, C/G K L, P Q N)
    y = np.matmul(weight.reshape(groups, o // groups, -1), cols).reshape(o, p, q, n)
    if bias is not None:
        y += bias[:, None, None, None]
    return logical(y)


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, P, Q), x (N, C, H, W) -> (O, C / G, K, L)."""
    o, p, q = grad.shape[1:]
    cols = _columns(stored(x), kernel, stride, padding, dilation, (p, q), groups)
    d_y = stored(grad).reshape(groups, o // groups, -1)  # (G, O/G, P Q N)
    return np.matmul(d_y, cols.transpose(0, 2, 1)).reshape(o, x.shape[1] // groups, *kernel)


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, P, Q), weight (O, C / G, K, L), image (H, W) -> (N, C, H, W)."""
    n, o, p, q = grad.shape
    _, c, k, kl = weight.shape
    (h, w), (pad_h, pad_w) = image, padding
    d_y = stored(grad).reshape(groups, o // groups, -1)
    d_cols = np.matmul(weight.reshape(groups, o // groups, -1).transpose(0, 2, 1), d_y)
    d_cols = d_cols.reshape(c * groups, k, kl, p, q, n)
    d_x = np.zeros_like(d_y, shape=(c * groups, h + 2 * pad_h, w + 2 * pad_w, n))
    for i, j, rows, columns in taps((k, kl), stride, dilation, (p, q)):
        d_x[:, rows, columns] += d_cols[:, i, j]
    return logical(np.ascontiguousarray(d_x[:, pad_h : pad_h + h, pad_w : pad_w + w]))


def _columns(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair, groups: int) -> Array:
    """im2col of a stored image: (C, H, W, N) -> (G, C / G K L, P Q N), one block copy per tap."""
    c, n = x.shape[0], x.shape[-1]
    if kernel == stride == (1, 1) and padding == (0, 0):
        return x.reshape(groups, c // groups, -1)
    x = pad_image(x, padding)
    cols = np.empty_like(x, shape=(c, *kernel, *out, n))
    for i, j, rows, columns in taps(kernel, stride, dilation, out):
        cols[:, i, j] = x[:, rows, columns]
    return cols.reshape(groups, c // groups * kernel[0] * kernel[1], -1)


def pad_image(x: Array, padding: Pair, value: Any = 0, more: Pair = (0, 0)) -> Array:
    """A stored image with a border of `value`: `padding` on each side, `more` at the end."""
    pad_h, pad_w = padding
    if padding == more == (0, 0):
        return x
    c, h, w, n = x.shape
    padded = np.full_like(x, value, shape=(c, h + 2 * pad_h + more[0], w + 2 * pad_w + more[1], n))
    padded[:, pad_h : pad_h + h, pad_w : pad_w + w] = x
    return padded
