"""Convolutions of many channels in channels-last memory: 3x3, and of 5x5 to 7x7 in blocks of that, by Winograd's method
(winograd.h), others as products (pixels.h).

A convolution of few out-channels is the input's gradient of the opposite one, whose few in-channels waste no vectors.
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
PARTS = 36  # products of a tile, of each 3x3 block that a kernel is cut into
BLOCK, FULL = 3, 16  # side of such a block; channels that larger kernels have a multiple of
LARGE = (3, 5, 6, 7)  # kernels that are cut so


def takes(x: Array, weight: Sequence[int]) -> bool:
    """Whether a convolution of x with such a weight is made in channels-last memory."""
    o, c = weight[:2]
    return (o >= WIDE and not FEW < c < SOME) or is_channels_last(x)


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    relu: bool = False,
    y: Array | None = None,
) -> Array:
    """As lenetcli.kernels.conv.conv2d, of one group; `relu` of it where asked, written to `y` where given."""
    o, c, k, kl = weight.shape
    p, q = (
        extent(x.shape[2], k, stride[0], padding[0], dilation[0]),
        extent(x.shape[3], kl, stride[1], padding[1], dilation[1]),
    )
    if y is None:
        y = _images(len(x), o, p, q)
    weight, bias = np.ascontiguousarray(weight), None if bias is None else np.ascontiguousarray(bias)
    if c > FEW:
        x = _laid(x)
    if _is_turned(weight.shape, stride, padding, dilation):
        _native.pixel_input(x, weight, bias, ONE, _opposite(weight.shape, padding, ONE), ONE, relu, True, y)
        return y
    fits = _is_winograd(weight.shape, c, (p, q), stride, padding, dilation)
    if not (fits and _native.winograd(x, weight, bias, padding, dilation, relu, False, y, None, 1)):
        _native.pixel_forward(x, weight, bias, stride, padding, dilation, relu, False, y)
    return y


def conv2d_weight_grad(
    grad: Array,
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    d_weight: Array | None = None,
) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad, of one group; written to `d_weight` where given."""
    if d_weight is None:
        d_weight = np.empty((grad.shape[1], x.shape[1], *kernel), FLOAT)
    grad, c = _laid(grad), x.shape[1]
    if c > FEW:
        x = _laid(x)
    if _is_turned(d_weight.shape, stride, padding, dilation):
        _native.pixel_gradient(x, grad, ONE, _opposite(d_weight.shape, padding, ONE), ONE, True, d_weight)
        if _native.is_finite(d_weight.reshape(-1)):  # zeros around gradients times infinity would be NaN
            return d_weight
    places = grad.shape[2], grad.shape[3]
    fits = len(grad) * _tiles(places, dilation) > MERE
    fits = fits and _is_winograd(d_weight.shape, c, places, stride, padding, dilation)
    if not (fits and _native.winograd_gradient(grad, x, padding, dilation, d_weight, 1)):
        _native.pixel_gradient(grad, x, stride, padding, dilation, False, d_weight)
    return d_weight


def conv2d_input_grad(
    grad: Array,
    weight: Array,
    image: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    d_x: Array | None = None,
) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad, of one group; written to `d_x` where given."""
    if d_x is None:
        d_x = _images(len(grad), weight.shape[1], *image)
    grad, weight = _laid(grad), np.ascontiguousarray(weight)
    opposite = _opposite(weight.shape, padding, dilation)
    whole = _is_whole(grad, weight.shape, image, padding, dilation)
    turned = whole and _is_turned(weight.shape, stride, padding, dilation)
    if turned and _native.is_finite(weight.reshape(-1)):
        _native.pixel_forward(grad, weight, None, ONE, opposite, ONE, False, True, d_x)
        return d_x
    fits = whole and _is_winograd(weight.shape, weight.shape[0], image, stride, padding, dilation)
    if not (fits and _native.winograd(grad, weight, None, opposite, dilation, False, True, d_x, None, 1)):
        _native.pixel_input(grad, weight, None, stride, padding, dilation, False, False, d_x)
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
    if _is_winograd(weight.shape, weight.shape[1], (2 * p, 2 * q), ONE, padding, ONE):
        x, weight = _laid(x), np.ascontiguousarray(weight)
        bias = None if bias is None else np.ascontiguousarray(bias)
        done = _native.winograd(x, weight, bias, padding, ONE, True, False, y, winner, 1)
    if not done:
        _native.pixel_pool(conv2d(x, weight, bias, ONE, padding, ONE, True), y, winner)
    return y, layout.images(winner).transpose(1, 2, 3, 0)[None]


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool, need_weight: bool = True
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.fused.conv_relu_pool_backward."""
    (n, o), (h, w), (k, kl) = grad.shape[:2], x.shape[2:], weight.shape[2:]
    d_conv = _images(n, o, h + 2 * padding[0] - k + 1, w + 2 * padding[1] - kl + 1)
    taps = winner.transpose(0, 4, 1, 2, 3).reshape(-1, *grad.shape[1:])[: len(grad)]
    _native.pixel_pool_backward(_laid(grad), pixels(taps), d_conv)
    return conv2d_backward(d_conv, x, weight, (need_x, need_weight, need_weight), ONE, padding, ONE)


def groups_by_winograd(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    y: Array,
    *,
    back: bool = False,
) -> bool:
    """Whether Winograd's method has made a convolution of groups, or `back` the gradient y of its input from x."""
    shape = (weight.shape[0] // groups, *weight.shape[1:])
    if back and not _is_whole(x, weight.shape, y.shape[2:], padding, dilation):
        return False
    if not _is_winograd(shape, shape[0] if back else shape[1], y.shape[2:], stride, padding, dilation):
        return False
    padding = _opposite(weight.shape, padding, dilation) if back else padding
    bias = None if bias is None else np.ascontiguousarray(bias)
    weight = np.ascontiguousarray(weight)
    done: bool = _native.winograd(_laid(x), weight, bias, padding, dilation, False, back, y, None, groups)
    return done


def group_weights_by_winograd(
    grad: Array, x: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int, d_weight: Array
) -> bool:
    """Whether Winograd's method has made the weight's gradient of a convolution of several groups."""
    o, c, *kernel = d_weight.shape
    places = grad.shape[2], grad.shape[3]
    if len(grad) * _tiles(places, dilation) <= MERE:
        return False
    if not _is_winograd((o // groups, c, *kernel), c, places, stride, padding, dilation):
        return False
    done: bool = _native.winograd_gradient(_laid(grad), _laid(x), padding, dilation, d_weight, groups)
    return done


def channel_sums(x: Array) -> Array:
    """As lenetcli.kernels.conv.channel_sums."""
    sums = np.empty(x.shape[1], FLOAT)
    _native.pixel_sums(pixels(x).reshape(-1, x.shape[1]), sums)
    return sums


def _is_winograd(
    weight: Sequence[int], sources: int, places: Sequence[int], stride: Pair, padding: Pair, dilation: Pair
) -> bool:
    """Whether a convolution is made by Winograd's method.

    Args:
        sources: channels that are transformed.
        places: of its results; for an input's gradient, the image.
    """
    o, c, k, kl = weight
    if stride != ONE or min(o, c) < DEEP or k not in LARGE or kl not in LARGE:
        return False
    if (k, kl) != (BLOCK, BLOCK) and sources % FULL:
        return False
    for i, size in ((0, k), (1, kl)):
        if padding[i] > dilation[i] * (size - 1) or padding[i] % dilation[i] or places[i] % dilation[i]:
            return False
    blocks = -(-k // BLOCK) * -(-kl // BLOCK)
    return 4 * PARTS * blocks * _tiles(places, dilation) <= 3 * k * kl * places[0] * places[1]


def _is_whole(grad: Array, weight: Sequence[int], image: Sequence[int], padding: Pair, dilation: Pair) -> bool:
    """Whether they are results of stride 1 of a whole image: a transposed convolution may leave out a border."""
    return all(grad.shape[2 + i] == image[i] + 2 * padding[i] - dilation[i] * (weight[2 + i] - 1) for i in (0, 1))


def _tiles(places: Sequence[int], dilation: Pair) -> int:
    """Tiles of an image."""
    (p, q), (d, e) = places, dilation
    return d * e * -(-p // (d * TILE)) * -(-q // (e * TILE))


def _is_turned(weight: Sequence[int], stride: Pair, padding: Pair, dilation: Pair) -> bool:
    """Whether out-channels are so few that a convolution is better made as the opposite one's gradient."""
    o, c, k, kl = weight
    few = o <= FEW < SOME <= c and k * kl > 1
    return few and stride == dilation == ONE and padding[0] < k and padding[1] < kl


def _opposite(weight: Sequence[int], padding: Pair, dilation: Pair) -> Pair:
    """The padding of the convolution that makes images of this one's results."""
    return dilation[0] * (weight[2] - 1) - padding[0], dilation[1] * (weight[3] - 1) - padding[1]


def _images(n: int, c: int, h: int, w: int) -> Array:
    return layout.images(room((n, h, w, c)))


def _laid(x: Array) -> Array:
    """The same images, channels-last; some channels of such images as they lie."""
    n, c, h, w = x.shape
    steps, size = x.strides, x.itemsize
    step = steps[3] if w > 1 else steps[2] if h > 1 else steps[0] if n > 1 else size * c
    fits = step >= size * c and not step % size and (c == 1 or steps[1] == size)
    if fits and (1 in (h, w) or steps[2] == w * step) and (n == 1 or steps[0] == h * w * step):
        return x
    return layout.images(pixels(x))
