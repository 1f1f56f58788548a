"""2-d convolution as matrix products per group, and its two gradients.

    columns[c k l, p q n] = x[c, p stride + k dilation - padding, q stride + l dilation - padding, n]
    y = W @ columns          (O, C K L) @ (C K L, P Q N)
    dW = dy @ columns.T
    dx = col2im(W.T @ dy)

Axes: N batch, C in-channels, H W image, O out-channels, K L kernel, P Q output, G groups. Arrays have torch's logical
shapes; results are batch-last. A transposed convolution is the same three functions with the roles of x and y swapped.

The long axis P Q N is cut into blocks whose columns stay in the cache: NumPy's stacked product over them takes half the
time of one product of a few rows with tens of thousands of columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.sums import sum_over
from lenetcli.kernels.window import Pair, clipped_taps, extent, taps

CACHE = 1 << 18  # bytes of columns in a block


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (O, C / G, K, L), bias (O,) -> (N, O, P, Q)."""
    n, _, h, w = x.shape
    o, _, k, kl = weight.shape
    p = extent(h, k, stride[0], padding[0], dilation[0])
    q = extent(w, kl, stride[1], padding[1], dilation[1])
    cols = columns(stored(x), (k, kl), stride, padding, dilation, (p, q), groups)  # (G, C/G K L, P Q N)
    y = np.empty_like(cols, shape=(groups, o // groups, p * q * n))
    blocks = _blocks(cols, p * q)
    np.matmul(_filters(weight, groups), _cut(cols, blocks), out=_cut(y, blocks))
    if bias is not None:
        y += bias.reshape(groups, o // groups, 1)
    return logical(y.reshape(o, p, q, n))


def channel_sums(x: Array) -> Array:
    """x (N, C, H, W) -> the sum of each channel, (C,): the gradient of a bias."""
    return sum_over(x, (0, 2, 3))


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, P, Q), x (N, C, H, W) -> (O, C / G, K, L)."""
    o, p, q = grad.shape[1:]
    cols = columns(stored(x), kernel, stride, padding, dilation, (p, q), groups)
    d_y = stored(grad).reshape(groups, o // groups, -1)  # (G, O/G, P Q N)
    blocks = _blocks(cols, p * q, least=16 * o // groups)  # each block has a sum of its own: few beside the columns
    d_weight = sum_over(np.matmul(_cut(d_y, blocks), _cut(cols, blocks).swapaxes(2, 3)), 1)
    return d_weight.reshape(o, x.shape[1] // groups, *kernel)


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, P, Q), weight (O, C / G, K, L), image (H, W) -> (N, C, H, W)."""
    n, o, p, q = grad.shape
    _, c, k, kl = weight.shape
    d_y = stored(grad).reshape(groups, o // groups, -1)
    d_cols = np.empty_like(d_y, shape=(groups, c * k * kl, p * q * n))
    blocks = _blocks(d_cols, p * q)
    np.matmul(_filters(weight, groups).swapaxes(2, 3), _cut(d_y, blocks), out=_cut(d_cols, blocks))
    d_x = image_of_columns(d_cols.reshape(c * groups, k, kl, p, q, n), image, stride, padding, dilation)
    return logical(d_x)


def conv2d_backward(
    grad: Array,
    x: Array,
    weight: Array,
    needs: tuple[bool, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[Array | None, Array | None, Array | None]:
    """grad (N, O, P, Q) -> the gradients of x, weight and bias, those that are needed."""
    geometry = stride, padding, dilation, groups
    return (
        conv2d_input_grad(grad, weight, x.shape[2:], *geometry) if needs[0] else None,
        conv2d_weight_grad(grad, x, weight.shape[2:], *geometry) if needs[1] else None,
        channel_sums(grad) if needs[2] else None,
    )


def columns(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair, groups: int = 1) -> Array:
    """im2col of a stored image: (C, H, W, N) -> (G, C / G K L, P Q N), one block copy per tap."""
    c, n = x.shape[0], x.shape[-1]
    if kernel == stride == (1, 1) and padding == (0, 0):
        return x.reshape(groups, c // groups, -1)
    x = pad_image(x, padding)
    cols = np.empty_like(x, shape=(c, *kernel, *out, n))
    for i, j, rows, across in taps(kernel, stride, dilation, out):
        cols[:, i, j] = x[:, rows, across]
    return cols.reshape(groups, c // groups * kernel[0] * kernel[1], out[0] * out[1] * n)


def image_of_columns(cols: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """col2im: (C, K, L, P, Q, N) -> a stored image (C, H, W, N), adding where columns show the same pixel."""
    c, k, kl, p, q, n = cols.shape
    x = np.zeros_like(cols, shape=(c, *image, n))
    for i, j, seen, at in clipped_taps(image, (k, kl), stride, padding, dilation, (p, q)):
        x[:, seen[0], seen[1]] += cols[:, i, j, at[0], at[1]]
    return x


def pad_image(x: Array, padding: Pair, value: Any = 0, more: Pair = (0, 0)) -> Array:
    """A stored image with a border of `value`: `padding` on each side, `more` at the end."""
    pad_h, pad_w = padding
    if padding == more == (0, 0):
        return x
    c, h, w, n = x.shape
    padded = np.full_like(x, value, shape=(c, h + 2 * pad_h + more[0], w + 2 * pad_w + more[1], n))
    padded[:, pad_h : pad_h + h, pad_w : pad_w + w] = x
    return padded


def _filters(weight: Array, groups: int) -> Array:
    """(O, C / G, K, L) -> (G, 1, O / G, C / G K L), one matrix for all blocks of a group."""
    o = weight.shape[0]
    return weight.reshape(groups, 1, o // groups, weight.size // o)


def _blocks(cols: Array, places: int, least: int = 1) -> int:
    """Into how many blocks of the cache's size, and at least `least` columns, the places divide without a rest."""
    rows, length = cols.shape[1:]
    width = max(CACHE // max(rows * cols.itemsize, 1), least)
    return next((count for count in range(max(1, length // width), places + 1) if places % count == 0), 1)


def _cut(x: Array, blocks: int) -> Array:
    """(G, M, P Q N) -> (G, blocks, M, P Q N / blocks), a view."""
    groups, rows, length = x.shape
    return x.reshape(groups, rows, blocks, length // blocks).transpose(0, 2, 1, 3)
