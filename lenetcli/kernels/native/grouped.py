"""Convolutions of several groups: each a convolution of its own (conv.py), but for groups of very few channels.

Those of channels-last images read and write their channels where they lie (channels_last.py).

These, depthwise convolutions among them, gather pixels where they lie, with any stride: batch-last by images
(window.h), channels-last by channels (lanes.h).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lenetcli.kernels import conv as reference
from lenetcli.kernels.layout import Array, images, is_channels_last, logical
from lenetcli.kernels.native import _native, channels_last, conv
from lenetcli.kernels.native.memory import like, pixels, room, stored
from lenetcli.kernels.native.pool import MOST
from lenetcli.kernels.window import Pair, extent

__all__ = ["conv2d", "conv2d_backward", "conv2d_input_grad", "conv2d_weight_grad"]

FLOAT = np.dtype(np.float32)
ONE = (1, 1)
FEW = 4  # pairs of an in- and an out-channel of a group up to which gathering is faster than the direct kernels
MORE = 16  # and than products
LANES, MORE_LANES = (1, 2, 4, 8), (16, 32)  # channels of a group that are lanes of one vector, and that fill vectors
DEEP = 8  # and from which Winograd's method is faster, a group at a time


def _gathers(weight: Sequence[int], stride: Pair, dilation: Pair, groups: int) -> bool:
    o, c, k, kl = weight
    direct = stride == dilation == ONE and k == kl <= conv.LARGEST
    return c * o // groups <= (FEW if direct else MORE) and k * kl <= MOST


def _by_lanes(x: Array, weight: Sequence[int], groups: int, stride: Pair, *, back: bool = False) -> bool:
    """Whether channels are lanes, as many out as in, for the input's gradient (`back`) those of larger groups, too.

    Args:
        x: images of either side of the convolution.
    """
    o, c, k, kl = weight
    large = channels_last.LARGE
    if c >= DEEP and stride == ONE and k in large and kl in large:
        return False
    fits = c in LANES or (back and stride != ONE and c in MORE_LANES)
    return fits and o == c * groups and k * kl <= MOST and is_channels_last(x)


def _takes(*arrays: Array) -> bool:
    return all(a.dtype is FLOAT and a.size > 0 and a.flags.aligned for a in arrays)


def _parts(groups: int, images: Sequence[Array], filters: Sequence[Array | None] = ()) -> Iterator[tuple[Any, ...]]:
    """For each group, its channels of images, and its entries of arrays that have one for each filter."""

    def own(size: int, group: int) -> slice:
        return slice(size // groups * group, size // groups * (group + 1))

    for g in range(groups):
        yield (
            *(a[:, own(a.shape[1], g)] for a in images),
            *(None if a is None else a[own(len(a), g)] for a in filters),
        )


def _joined(parts: Sequence[Array]) -> Array:
    """Images of the groups, one after the other."""
    return logical(np.concatenate([stored(part) for part in parts]))


def _room(x: Array, channels: int, image: Pair) -> Array:
    """Channels-last images, of which groups write their part."""
    return images(room((len(x), *image, channels)))


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d."""
    if groups == 1:
        return conv.conv2d(x, weight, bias, stride, padding, dilation, 1)
    if not _takes(x, weight):
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    by_lanes = _by_lanes(x, weight.shape, groups, stride)
    o, _, *kernel = weight.shape
    p, q = (extent(x.shape[2 + d], kernel[d], stride[d], padding[d], dilation[d]) for d in (0, 1))
    if not (by_lanes or _gathers(weight.shape, stride, dilation, groups)):
        if is_channels_last(x):
            y = _room(x, o, (p, q))
            if not channels_last.groups_by_winograd(x, weight, bias, stride, padding, dilation, groups, y):
                for own, part, w, b in _parts(groups, [x, y], [weight, bias]):
                    channels_last.conv2d(own, w, b, stride, padding, dilation, False, part)
            return y
        parts = _parts(groups, [x], [weight, bias])
        return _joined([conv.conv2d(own, w, b, stride, padding, dilation, 1) for own, w, b in parts])
    bias = None if bias is None else np.ascontiguousarray(bias)
    weight = np.ascontiguousarray(weight)
    if by_lanes:
        y = room((len(x), p, q, o))
        _native.lanes_forward(pixels(x), weight, bias, stride, padding, dilation, y)
        return images(y)
    y = room((o, p, q, len(x)))
    _native.grouped_forward(stored(x), weight, bias, stride, padding, dilation, y)
    return like(x, logical(y))


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad."""
    if groups == 1:
        return conv.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, 1)
    if not _takes(grad, x):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    d_weight = np.empty((grad.shape[1], x.shape[1] // groups, *kernel), FLOAT)
    if _by_lanes(x, d_weight.shape, groups, stride):
        _native.lanes_weight(pixels(grad), pixels(x), stride, padding, dilation, d_weight)
        return d_weight
    if _gathers(d_weight.shape, stride, dilation, groups):
        _native.grouped_weight(stored(grad), stored(x), stride, padding, dilation, d_weight)
        return d_weight
    if is_channels_last(x):
        grad = images(pixels(grad))
        if not channels_last.group_weights_by_winograd(grad, x, stride, padding, dilation, groups, d_weight):
            for g, own, part in _parts(groups, [grad, x], [d_weight]):
                channels_last.conv2d_weight_grad(g, own, kernel, stride, padding, dilation, part)
        return d_weight
    parts = _parts(groups, [grad, x])
    return np.concatenate([conv.conv2d_weight_grad(g, own, kernel, stride, padding, dilation, 1) for g, own in parts])


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad."""
    if groups == 1:
        return conv.conv2d_input_grad(grad, weight, image, stride, padding, dilation, 1)
    if not _takes(grad, weight):
        return reference.conv2d_input_grad(grad, weight, image, stride, padding, dilation, groups)
    return _input_grad(grad, weight, image, stride, padding, dilation, groups, grad)


def _input_grad(
    grad: Array,
    weight: Array,
    image: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    x: Array,
) -> Array:
    """Lies as x."""
    if _by_lanes(x, weight.shape, groups, stride, back=True):
        d_x = room((len(grad), *image, weight.shape[1] * groups))
        _native.lanes_input(pixels(grad), np.ascontiguousarray(weight), stride, padding, dilation, d_x)
        return images(d_x)
    if _gathers(weight.shape, stride, dilation, groups):
        d_x = room((weight.shape[1] * groups, *image, len(grad)))
        _native.grouped_input(stored(grad), np.ascontiguousarray(weight), stride, padding, dilation, d_x)
        return like(x, logical(d_x))
    if is_channels_last(x):
        whole, grad = _room(grad, weight.shape[1] * groups, image), images(pixels(grad))
        geometry = stride, padding, dilation
        if not channels_last.groups_by_winograd(grad, weight, None, *geometry, groups, whole, back=True):
            for g, part, w in _parts(groups, [grad, whole], [weight]):
                channels_last.conv2d_input_grad(g, w, image, *geometry, part)
        return whole
    parts = _parts(groups, [grad], [weight])
    return _joined([conv.conv2d_input_grad(g, w, image, stride, padding, dilation, 1) for g, w in parts])


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
    geometry = stride, padding, dilation
    if groups == 1:
        return conv.conv2d_backward(grad, x, weight, needs, *geometry, 1)
    if not _takes(grad, x, weight):
        return reference.conv2d_backward(grad, x, weight, needs, *geometry, groups)
    if is_channels_last(x) or _gathers(weight.shape, stride, dilation, groups):
        grad = images(pixels(grad)) if is_channels_last(x) else grad
        return (
            _input_grad(grad, weight, x.shape[2:], *geometry, groups, x) if needs[0] else None,
            conv2d_weight_grad(grad, x, weight.shape[2:], *geometry, groups) if needs[1] else None,
            conv.channel_sums(grad) if needs[2] else None,
        )
    parts = _parts(groups, [grad, x], [weight])
    each = [conv.conv2d_backward(g, own, w, needs, *geometry, 1) for g, own, w in parts]

    def all_of(which: int, join: Callable[[Any], Array]) -> Array | None:
        return join([gradients[which] for gradients in each]) if needs[which] else None

    return all_of(0, _joined), all_of(1, np.concatenate), all_of(2, np.concatenate)
