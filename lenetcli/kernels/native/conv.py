"""Batch-last convolutions: directly with stride 1 and small square kernels (conv.h), else as products (product.h).

Those of several groups are in grouped.py, which comes before; those of many channels go to channels_last.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import conv as reference
from lenetcli.kernels import fused as fused_reference
from lenetcli.kernels.fused import ONE, winner_shape
from lenetcli.kernels.layout import Array, is_channels_last, logical
from lenetcli.kernels.native import _native, channels_last
from lenetcli.kernels.native.memory import room, stored
from lenetcli.kernels.native.pool import MOST
from lenetcli.kernels.pool import of_winners
from lenetcli.kernels.window import Pair, extent

__all__ = [
    "channel_sums",
    "conv_at_winners",
    "conv_relu_pool",
    "conv_relu_pool_backward",
]

FLOAT = np.dtype(np.float32)
LARGEST = 7  # kernel size
FEW = 8  # out-channels below which the reference's blocks are faster than one product of few rows
SOME, SMALL = 12, 100  # images that do not fill vectors, and pixels of one that are few
HALVES = (2, 2), (2, 2), (0, 0), (1, 1)  # kernel, stride, padding and dilation of the pool
WIDE = 32  # channels, in and out, from which they are many


def takes(x: Array, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> bool:
    """Whether the direct kernels were made for such an image and such filters."""
    return stride == dilation == ONE and kernel[0] == kernel[1] <= LARGEST and takes_columns(x, groups)


def takes_columns(x: Array, groups: int) -> bool:
    """Whether it can be done by im2col and the native matrix product."""
    return groups == 1 and x.dtype is FLOAT and x.size > 0 and x.flags.aligned


def _directly(x: Array, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> bool:
    """Whether they are the best for it: single pixels are columns as they lie."""
    return kernel != ONE and takes(x, kernel, stride, dilation, groups)


def _is_short(grad: Array, x: Array) -> bool:
    """Whether a weight's gradient has so many sums, of so few numbers each, that a product makes them faster."""
    n, o, p, q = grad.shape
    return n < SOME and p * q <= SMALL and min(x.shape[1], o) >= WIDE


def images(n: int, c: int, h: int, w: int) -> Array:
    """Uninitialised batch-last images."""
    return room((c, h, w, n)).transpose(3, 0, 1, 2)


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d."""
    o, _, k, kl = weight.shape
    if _wide(x, weight.shape, groups, weight):
        return channels_last.conv2d(x, weight, bias, stride, padding, dilation)
    if not (_directly(x, (k, kl), stride, dilation, groups) and weight.dtype is FLOAT):
        if takes_columns(x, groups) and weight.dtype is FLOAT and o >= FEW:
            return _by_columns(x, weight, bias, stride, padding, dilation)
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    n, _, h, w = x.shape
    y = images(n, o, h + 2 * padding[0] - k + 1, w + 2 * padding[1] - k + 1)
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.conv_forward(x, np.ascontiguousarray(weight), bias, *padding, False, y, None)
    return y


def _wide(x: Array, weight: Sequence[int], groups: int, *others: Array) -> bool:
    """Whether a convolution of x is made in channels-last memory."""
    return (
        channels_last.takes(x, weight)
        and takes_columns(x, groups)
        and all(a.dtype is FLOAT and a.flags.aligned for a in others)
    )


def _by_columns(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """weight (O, C K L) @ columns (C K L, P Q N)."""
    o, _, *kernel = weight.shape
    p, q = (extent(x.shape[2 + d], kernel[d], stride[d], padding[d], dilation[d]) for d in (0, 1))
    cols = _columns(x, (kernel[0], kernel[1]), stride, padding, dilation, (p, q))
    y = room((o, p, q, len(x)))
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.linear(cols.T, weight.reshape(o, -1), bias, False, y.reshape(o, -1).T)
    return logical(y)


def _columns(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair) -> Array:
    """(N, C, H, W) -> (C K L, P Q N)."""
    cols: Array = reference.columns(stored(x), kernel, stride, padding, dilation, out)[0]
    return cols


def channel_sums(x: Array) -> Array:
    """As lenetcli.kernels.conv.channel_sums."""
    if x.dtype is not FLOAT or not x.flags.aligned:
        return reference.channel_sums(x)
    if is_channels_last(x):
        return channels_last.channel_sums(x)
    rows = stored(x)
    sums = np.empty(len(rows), FLOAT)
    _native.row_sums(rows.reshape(len(rows), -1) if rows.size else rows.reshape(len(rows), 0), sums)
    return sums


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad."""
    if not (takes_columns(x, groups) and grad.dtype is FLOAT and grad.flags.aligned):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    o, p, q = grad.shape[1:]
    if channels_last.takes(x, (o, x.shape[1])):
        return channels_last.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation)
    d_weight = np.empty((o, x.shape[1], *kernel), FLOAT)
    if not _directly(x, kernel, stride, dilation, groups) or _is_short(grad, x):
        cols = _columns(x, kernel, stride, padding, dilation, (p, q))
        _native.product(stored(grad).reshape(o, -1), cols.T, d_weight.reshape(o, -1))
        return d_weight
    if not _native.conv_backward(grad, x, None, None, *padding, None, d_weight, None):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    return d_weight


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad."""
    o, c, k, kl = weight.shape
    if not (takes_columns(grad, groups) and weight.dtype is FLOAT and k * kl <= MOST):
        return reference.conv2d_input_grad(grad, weight, image, stride, padding, dilation, groups)
    if channels_last.takes(grad, weight.shape):
        return channels_last.conv2d_input_grad(grad, weight, image, stride, padding, dilation)
    n, _, p, q = grad.shape
    whole = (p, q) == (image[0] + 2 * padding[0] - k + 1, image[1] + 2 * padding[1] - kl + 1)
    single = (k, kl) == stride == ONE and padding == (0, 0) and image == (p, q)  # columns are the image itself
    if single or not (
        whole and takes(grad, (k, kl), stride, dilation, groups)
    ):  # a transposed convolution may leave out a border
        d_cols = room((c * k * kl, p * q * n))
        _native.product(weight.reshape(o, -1).T, stored(grad).reshape(o, -1), d_cols)
        if single:
            return logical(d_cols.reshape(c, p, q, n))
        d_image = room((c, *image, n))
        _native.image_sums(d_cols.reshape(c, k, kl, p, q, n), stride, padding, dilation, d_image)
        return logical(d_image)
    d_x = images(n, c, *image)
    if not _native.conv_backward(grad, None, np.ascontiguousarray(weight), None, *padding, d_x, None, None):
        return reference.conv2d_input_grad(grad, weight, image, stride, padding, dilation, groups)
    return d_x


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
    """As lenetcli.kernels.conv.conv2d_backward."""
    need_x, need_weight, need_bias = needs
    geometry, kernel = (stride, padding, dilation, groups), weight.shape[2:]
    if _wide(x, weight.shape, groups, grad, weight):
        return channels_last.conv2d_backward(grad, x, weight, needs, stride, padding, dilation)
    fits = _directly(x, kernel, stride, dilation, groups) and all(
        a.dtype is FLOAT and a.flags.aligned for a in (grad, weight)
    )
    if fits and (need_x or need_weight) and not _is_short(grad, x):
        d_x = images(*x.shape) if need_x else None
        d_weight = np.empty(weight.shape, FLOAT) if need_weight else None
        d_bias = np.empty(len(weight), FLOAT) if need_bias else None
        filters = np.ascontiguousarray(weight) if need_x else None
        image = x if need_weight else None
        if _native.conv_backward(grad, image, filters, None, *padding, d_x, d_weight, d_bias):
            return d_x, d_weight, d_bias
    return (
        conv2d_input_grad(grad, weight, x.shape[2:], *geometry) if need_x else None,
        conv2d_weight_grad(grad, x, kernel, *geometry) if need_weight else None,
        channel_sums(grad) if need_bias else None,
    )


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """As lenetcli.kernels.fused.conv_relu_pool."""
    o, _, k, kl = weight.shape
    if _wide(x, weight.shape, 1, weight):
        return channels_last.conv_relu_pool(x, weight, bias, padding)
    if not (takes(x, (k, kl), ONE, ONE, 1) and weight.dtype is FLOAT):
        return fused_reference.conv_relu_pool(x, weight, bias, padding)
    n, _, h, w = x.shape
    p, q = (h + 2 * padding[0] - k + 1) // 2, (w + 2 * padding[1] - k + 1) // 2
    y = images(n, o, p, q)
    winner = np.empty(winner_shape(n, o, p, q), np.uint8)
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.conv_forward(x, np.ascontiguousarray(weight), bias, *padding, True, y, winner)
    return y, winner


def conv_at_winners(x: Array, weight: Array, bias: Array | None, winner: Array, padding: Pair) -> Array:
    """As lenetcli.kernels.fused.conv_at_winners."""
    o, _, k, kl = weight.shape
    if _wide(x, weight.shape, 1, weight):
        return of_winners(
            conv2d(x, weight, bias, ONE, padding, ONE, 1), fused_reference.taps_of(winner, len(x)), *HALVES
        )
    if not (takes(x, (k, kl), ONE, ONE, 1) and weight.dtype is FLOAT):
        return fused_reference.conv_at_winners(x, weight, bias, winner, padding)
    y = images(len(x), o, *winner.shape[2:4])
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.conv_forward(x, np.ascontiguousarray(weight), bias, *padding, False, y, winner, True)
    return y


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool, need_weight: bool = True
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.fused.conv_relu_pool_backward."""
    o, _, k, kl = weight.shape
    if _wide(x, weight.shape, 1, weight, grad):
        return channels_last.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x, need_weight)
    if not (takes(x, (k, kl), ONE, ONE, 1) and weight.dtype is FLOAT and grad.dtype is FLOAT and grad.flags.aligned):
        return fused_reference.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x, need_weight)
    d_x = images(*x.shape) if need_x else None
    d_weight, d_bias = (np.empty(weight.shape, FLOAT), np.empty(o, FLOAT)) if need_weight else (None, None)
    filters, image = np.ascontiguousarray(weight) if need_x else None, x if need_weight else None
    if not _native.conv_backward(grad, image, filters, winner, *padding, d_x, d_weight, d_bias):
        return fused_reference.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x, need_weight)
    return d_x, d_weight, d_bias
