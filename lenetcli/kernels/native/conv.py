"""Convolutions of stride 1 with small square kernels, alone or followed by relu and 2x2 max-pooling (conv.h)."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import conv as reference
from lenetcli.kernels import fused as fused_reference
from lenetcli.kernels.fused import winner_shape
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import room
from lenetcli.kernels.window import Pair

__all__ = [
    "channel_sums",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "conv_relu_pool",
    "conv_relu_pool_backward",
]

FLOAT = np.dtype(np.float32)
ONE = (1, 1)
LARGEST = 7  # kernel size


def takes(x: Array, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> bool:
    """Whether the kernels were made for such an image and such filters."""
    return (
        stride == ONE
        and dilation == ONE
        and groups == 1
        and kernel[0] == kernel[1] <= LARGEST
        and x.dtype is FLOAT
        and x.size > 0
        and x.flags.aligned
    )


def images(n: int, c: int, h: int, w: int) -> Array:
    """Uninitialised batch-last images."""
    return room((c, h, w, n)).transpose(3, 0, 1, 2)


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d."""
    o, _, k, kl = weight.shape
    if not (takes(x, (k, kl), stride, dilation, groups) and weight.dtype is FLOAT):
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if k == 1 and padding == (0, 0):
        return _pointwise(x, weight, bias)
    n, _, h, w = x.shape
    y = images(n, o, h + 2 * padding[0] - k + 1, w + 2 * padding[1] - k + 1)
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.conv_forward(x, np.ascontiguousarray(weight), bias, *padding, False, y, None)
    return y


def _pointwise(x: Array, weight: Array, bias: Array | None) -> Array:
    """A convolution by single pixels is a matrix product: weight (O, C) @ pixels (C, H W N)."""
    pixels = stored(x)
    y = room((len(weight), *pixels.shape[1:]))
    rows = y.reshape(len(weight), -1)
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.linear(pixels.reshape(len(pixels), -1).T, weight[:, :, 0, 0], bias, False, rows.T)
    return logical(y)


def channel_sums(x: Array) -> Array:
    """As lenetcli.kernels.conv.channel_sums."""
    if x.dtype is not FLOAT or not x.flags.aligned:
        return reference.channel_sums(x)
    rows = stored(x)
    sums = np.empty(len(rows), FLOAT)
    _native.row_sums(rows.reshape(len(rows), -1) if rows.size else rows.reshape(len(rows), 0), sums)
    return sums


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad."""
    if not (takes(x, kernel, stride, dilation, groups) and grad.dtype is FLOAT and grad.flags.aligned):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    d_weight = np.empty((grad.shape[1], x.shape[1], *kernel), FLOAT)
    if kernel == ONE and padding == (0, 0):
        pixels, d_y = stored(x), stored(grad)
        _native.product(d_y.reshape(len(d_y), -1), pixels.reshape(len(pixels), -1).T, d_weight[:, :, 0, 0])
        return d_weight
    if not _native.conv_backward(grad, x, None, None, *padding, None, d_weight, None):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    return d_weight


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad."""
    _, c, k, kl = weight.shape
    rows, columns = image[0] + 2 * padding[0] - k + 1, image[1] + 2 * padding[1] - kl + 1
    fits = takes(grad, (k, kl), stride, dilation, groups) and weight.dtype is FLOAT
    if not fits or grad.shape[2:] != (rows, columns):  # a transposed convolution may leave out a border
        return reference.conv2d_input_grad(grad, weight, image, stride, padding, dilation, groups)
    d_x = images(grad.shape[0], c, *image)
    if k == 1 and padding == (0, 0):
        d_y, rows = stored(grad), d_x.transpose(1, 2, 3, 0).reshape(c, -1)
        _native.product(weight[:, :, 0, 0].T, d_y.reshape(len(d_y), -1), rows)
        return d_x
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
    fits = takes(x, kernel, stride, dilation, groups) and all(
        a.dtype is FLOAT and a.flags.aligned for a in (grad, weight)
    )
    if fits and kernel != ONE and (need_x or need_weight):
        d_x = images(*x.shape) if need_x else None
        d_weight = np.empty(weight.shape, FLOAT) if need_weight else None
        d_bias = np.empty(len(weight), FLOAT) if need_bias else None
        filters = np.ascontiguousarray(weight)
        if _native.conv_backward(grad, x, filters, None, *padding, d_x, d_weight, d_bias):
            return d_x, d_weight, d_bias
    return (
        conv2d_input_grad(grad, weight, x.shape[2:], *geometry) if need_x else None,
        conv2d_weight_grad(grad, x, kernel, *geometry) if need_weight else None,
        channel_sums(grad) if need_bias else None,
    )


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """As lenetcli.kernels.fused.conv_relu_pool."""
    o, _, k, kl = weight.shape
    if not (takes(x, (k, kl), ONE, ONE, 1) and weight.dtype is FLOAT):
        return fused_reference.conv_relu_pool(x, weight, bias, padding)
    n, _, h, w = x.shape
    p, q = (h + 2 * padding[0] - k + 1) // 2, (w + 2 * padding[1] - k + 1) // 2
    y = images(n, o, p, q)
    winner = np.empty(winner_shape(n, o, p, q), np.uint8)
    bias = None if bias is None else np.ascontiguousarray(bias)
    _native.conv_forward(x, np.ascontiguousarray(weight), bias, *padding, True, y, winner)
    return y, winner


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool
) -> tuple[Array | None, Array, Array]:
    """As lenetcli.kernels.fused.conv_relu_pool_backward."""
    o, _, k, kl = weight.shape
    if not (takes(x, (k, kl), ONE, ONE, 1) and weight.dtype is FLOAT and grad.dtype is FLOAT and grad.flags.aligned):
        return fused_reference.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x)
    d_x = images(*x.shape) if need_x else None
    d_weight, d_bias = np.empty(weight.shape, FLOAT), np.empty(o, FLOAT)
    if not _native.conv_backward(grad, x, np.ascontiguousarray(weight), winner, *padding, d_x, d_weight, d_bias):
        return fused_reference.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x)
    return d_x, d_weight, d_bias
