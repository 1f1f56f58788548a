"""Convolutions of many channels in channels-last memory: 3x3 by Winograd's method (winograd.h), others as products.

Layers of many out-channels choose that memory order for their results; those whose images lie so keep it. Thin nets
stay batch-last (conv.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import layout
from lenetcli.kernels.layout import Array, is_channels_last
from lenetcli.kernels.native import _native
from lenetcli.kernels.native.memory import pixels, room
from lenetcli.kernels.window import Pair, extent

FLOAT = np.dtype(np.float32)
ONE = (1, 1)
WIDE = 16  # out-channels from which their vectors are full
FEW, SOME = 4, 8  # in-channels: of a first layer at most, which is read in any order; of another at least
DEEP = 8  # channels, in and out, from which Winograd's transforms pay
TILE, MERE = 4, 4  # outputs of a tile; so many tiles do not pay for the transforms of a weight's gradient
BORDER = 2  # the widest for which they are made


def takes(x: Array, weight: Sequence[int]) -> bool:
    """Whether a convolution of x with such a weight is made in channels-last memory."""
    o, c = weight[:2]
    return (o >= WIDE and not FEW < c < SOME) or is_channels_last(x)


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, relu: bool = False
) -> Array:
    """As lenetcli.kernels.conv.conv2d, of one group; `relu` of it where asked."""
    o, c, k, kl = weight.shape
    p, q = (
        extent(x.shape[2], k, stride[0], padding[0], dilation[0]),
        extent(x.shape[3], kl, stride[1], padding[1], dilation[1]),
    )
    y = _images(len(x), o, p, q)
    weight, bias = np.ascontiguousarray(weight), None if bias is None else np.ascontiguousarray(bias)
    if c > FEW:
        x = _laid(x)
    fits = _is_winograd(weight.shape, stride, padding, dilation)
    if not (fits and _native.winograd(x, weight, bias, padding, relu, False, y, None)):
        _native.pixel_forward(x, weight, bias, stride, padding, dilation, relu, y)
    return y


def conv2d_weight_grad(grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad, of one group."""
    d_weight = np.empty((grad.shape[1], x.shape[1], *kernel), FLOAT)
    grad = _laid(grad)
    if x.shape[1] > FEW:
        x = _laid(x)
    tiles = len(grad) * -(-grad.shape[2] // TILE) * -(-grad.shape[3] // TILE)
    fits = tiles > MERE and _is_winograd(d_weight.shape, stride, padding, dilation)
    if not (fits and _native.winograd_gradient(grad, x, padding, d_weight)):
        _native.pixel_gradient(grad, x, stride, padding, dilation, d_weight)
    return d_weight


def conv2d_input_grad(grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad, of one group."""
    d_x = _images(len(grad), weight.shape[1], *image)
    grad, weight = _laid(grad), np.ascontiguousarray(weight)
    whole = all(grad.shape[2 + d] == image[d] + 2 * padding[d] - 2 for d in (0, 1))
    if whole and _is_winograd(weight.shape, stride, padding, dilation):
        turned = BORDER - padding[0], BORDER - padding[1]
        if _native.winograd(grad, weight, None, turned, False, True, d_x, None):
            return d_x
    _native.pixel_input(grad, weight, stride, padding, dilation, d_x)
    return d_x


def conv2d_backward(
    grad: Array, x: Array, weight: Array, needs: tuple[bool, ...], stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.conv.conv2d_backward, of one group."""
    grad, geometry = _laid(grad), (stride, padding, dilation)
    return (
        conv2d_input_grad(grad, weight, x.shape[2:], *geometry) if needs[0] else None,
        conv2d_weight_grad(grad, x, weight.shape[2:], *geometry) if needs[1] else None,
        channel_sums(grad) if needs[2] else None,
    )


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """As lenetcli.kernels.fused.conv_relu_pool; winners are one group of all images."""
    o, _, k, kl = weight.shape
    n, p, q = len(x), (x.shape[2] + 2 * padding[0] - k + 1) // 2, (x.shape[3] + 2 * padding[1] - kl + 1) // 2
    y, winner = _images(n, o, p, q), np.empty((n, p, q, o), np.uint8)
    done = False
    if _is_winograd(weight.shape, ONE, padding, ONE):
        x, weight = _laid(x), np.ascontiguousarray(weight)
        bias = None if bias is None else np.ascontiguousarray(bias)
        done = _native.winograd(x, weight, bias, padding, True, False, y, winner)
    if not done:
        _native.pixel_pool(conv2d(x, weight, bias, ONE, padding, ONE, True), y, winner)
    return y, layout.images(winner).transpose(1, 2, 3, 0)[None]


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.fused.conv_relu_pool_backward."""
    (n, o), (h, w), (k, kl) = grad.shape[:2], x.shape[2:], weight.shape[2:]
    d_conv = _images(n, o, h + 2 * padding[0] - k + 1, w + 2 * padding[1] - kl + 1)
    taps = winner.transpose(0, 4, 1, 2, 3).reshape(-1, *grad.shape[1:])[: len(grad)]
    _native.pixel_pool_backward(_laid(grad), pixels(taps), d_conv)
    return conv2d_backward(d_conv, x, weight, (need_x, True, True), ONE, padding, ONE)


def channel_sums(x: Array) -> Array:
    """As lenetcli.kernels.conv.channel_sums."""
    sums = np.empty(x.shape[1], FLOAT)
    _native.pixel_sums(pixels(x).reshape(-1, x.shape[1]), sums)
    return sums


def _is_winograd(weight: Sequence[int], stride: Pair, padding: Pair, dilation: Pair) -> bool:
    o, c, *kernel = weight
    return kernel == [3, 3] and stride == dilation == ONE and max(padding) <= BORDER and min(o, c) >= DEEP


def _images(n: int, c: int, h: int, w: int) -> Array:
    return layout.images(room((n, h, w, c)))


def _laid(x: Array) -> Array:
    """The same images, channels-last."""
    return layout.images(pixels(x))
