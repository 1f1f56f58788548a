"""Normalisation over channels (batch norm), and over groups of elements of one sample (layer and group norm).

Letters: N batch, C channels, M = elements of a channel over the whole batch (N times the image), G groups.

Batch norm walks channel by channel over rows (C, M) of a batch-last array, a few channels at a time, so that every pass
but the first finds its values in the cache. It subtracts a value near the mean first: sums of small differences keep
their digits where the mean is large (Chan, Golub and LeVeque 1983, shifted data).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lenetcli.kernels.device import on_device
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.selection import relu, relu_backward
from lenetcli.kernels.sums import sum_over

_BLOCK = 1 << 16  # elements: 256 KiB of float32, a part of the second-level cache
_PIECE = 1 << 10  # elements that a product of rows adds up in their own type


class Moments(NamedTuple):
    """Mean and variance of each channel, all of shape (C,)."""

    centre: Array  # near the mean, exact in the type of the values
    offset: Array  # mean - centre, float64
    var: Array  # biased variance, float64

    @property
    def mean(self) -> Array:
        return self.centre + self.offset


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Moments]:
    """x (N, C, ...), weight and bias (C,) -> (x - mean) / sqrt(var + eps) * weight + bias, with its batch's moments."""
    rows, y, result = _rows(x)
    c, m = rows.shape
    count = max(m, 1)  # an empty batch has mean 0
    moments = Moments(np.empty(c, x.dtype, like=x), np.empty(c, like=x), np.empty(c, like=x))
    ones = np.ones_like(x, shape=(m,))
    # an eighth of a row has its mean within sqrt(7) standard deviations of the row's: near enough to keep all digits
    near = ones[: -(-m // 8)] / x.dtype.type(-(-m // 8))
    for block in _blocks(c, m):
        out = y[block]
        centre = moments.centre[block] = rows[block, : len(near)] @ near
        np.subtract(rows[block], centre[:, None], out=out)
        offset = moments.offset[block] = _dots(out, ones) / count
        var = moments.var[block] = np.maximum(_dots(out, out) / count - offset * offset, 0)
        scale = _scale(var, eps, None if weight is None else weight[block])
        shift = -offset * scale if bias is None else bias[block] - offset * scale
        out *= scale.astype(x.dtype)[:, None]
        out += shift.astype(x.dtype)[:, None]
    if not (on_device(x) or np.isfinite(moments.var).all()):
        settle(x, bias, moments, result)
    return result, moments


def settle(x: Array, bias: Array | None, moments: Moments, y: Array | None = None) -> None:
    """Corrects, in place, the channels of finite values whose squares are too large for their type.

    Their variance is infinite and y is the bias, as torch has it; differences of such values may overflow on the way.
    """
    for c in np.flatnonzero(~np.isfinite(moments.var)).tolist():
        if np.isfinite(x[:, c]).all():
            mean = x[:, c].mean(dtype=np.float64)
            moments.centre[c] = mean
            moments.offset[c], moments.var[c] = mean - moments.centre[c], np.inf
            if y is not None:
                y[:, c] = 0 if bias is None else bias[c]


def track(mean: Array, var: Array, moments: Moments, momentum: float, count: int) -> None:
    """Moves running statistics towards a batch's: running <- (1 - momentum) running + momentum new, in place.

    Args:
        count: elements of a channel, from which the variance is made unbiased.
    """
    for kept, new in ((mean, moments.mean), (var, moments.var * count / (count - 1))):
        kept[...] = kept * (1 - momentum) + new * momentum


def batch_norm_backward(
    grad: Array, x: Array, weight: Array | None, moments: Moments, eps: float
) -> tuple[Array, Array, Array]:
    """grad and x (N, C, ...) -> gradients of x, weight and bias.

    Formula:
        d_x = weight / s (grad - mean(grad) - z mean(grad z)), z = (x - mean) / s, s = sqrt(var + eps)
    """
    rows, d_x, result = _rows(x)
    c, m = rows.shape
    count = max(m, 1)
    d_y = stored(grad).reshape(c, m)
    d_weight, d_bias = np.empty(c, like=x), np.empty(c, like=x)
    ones = np.ones_like(x, shape=(m,))
    work = np.empty((min(c, max(1, _BLOCK // count)), m), x.dtype, like=x)
    for block in _blocks(c, m):
        out, g = d_x[block], d_y[block]
        centre, offset, var = (part[block] for part in moments)
        np.subtract(rows[block], centre[:, None], out=out)
        total = d_bias[block] = _dots(g, ones)
        inverse = 1 / np.sqrt(var + eps)
        d_weight[block] = (_dots(g, out) - offset * total) * inverse
        scale = inverse if weight is None else inverse * weight[block]
        slope = scale * inverse * d_weight[block] / count  # d_x = scale g - slope (x - mean) - scale mean(g)
        out *= (-slope).astype(x.dtype)[:, None]
        out += (slope * offset - scale * total / count).astype(x.dtype)[:, None]
        out += np.multiply(g, scale.astype(x.dtype)[:, None], out=work[: len(g)])
    return result, d_weight.astype(x.dtype), d_bias.astype(x.dtype)


def channel_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """Batch norm with given moments (C,), as in evaluation: x (N, C, ...) -> the same shape."""
    rows, y, result = _rows(x)
    scale = _scale(var.astype(np.float64), eps, weight).astype(x.dtype)
    for block in _blocks(*rows.shape):
        out = np.subtract(rows[block], mean[block, None], out=y[block])
        out *= scale[block, None]
        if bias is not None:
            out += bias[block, None]
    return result


def channel_norm_backward(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Gradients of x, weight and bias of `channel_norm`; the moments are constants."""
    rows, d_x, result = _rows(x)
    c, m = rows.shape
    d_y = stored(grad).reshape(c, m)
    inverse = _scale(var.astype(np.float64), eps, None)
    d_weight, d_bias = np.empty(c, like=x), np.empty(c, like=x)
    scale = (inverse if weight is None else inverse * weight).astype(x.dtype)
    ones = np.ones_like(x, shape=(m,))
    for block in _blocks(c, m):
        out, g = d_x[block], d_y[block]
        np.subtract(rows[block], mean[block, None], out=out)
        d_weight[block] = _dots(g, out) * inverse[block]
        d_bias[block] = _dots(g, ones)
        np.multiply(g, scale[block, None], out=out)
    return result, d_weight.astype(x.dtype), d_bias.astype(x.dtype)


def _rows(x: Array) -> tuple[Array, Array, Array]:
    """(N, C, ...) as rows (C, M), room for a result as rows, and that room as (N, C, ...)."""
    values = stored(x)
    room = np.empty_like(values)
    rows = values.shape[0], math.prod(values.shape[1:])
    return values.reshape(rows), room.reshape(rows), logical(room)


def _blocks(channels: int, elements: int) -> Iterator[slice]:
    """Channels, a few at a time."""
    step = max(1, _BLOCK // max(elements, 1))
    return (slice(first, min(first + step, channels)) for first in range(0, channels, step))


def _scale(var: Array, eps: float, weight: Array | None) -> Array:
    """weight / sqrt(var + eps) in float64."""
    inverse = 1 / np.sqrt(var + eps)
    return inverse if weight is None else inverse * weight


def _dots(a: Array, b: Array) -> Array:
    """Sum of products of each row of a (C, M) with b (C, M) or (M,), float64.

    Long rows are summed in pieces, short enough to keep a float32's digits.
    """
    if on_device(a):
        total: Array = (a * b).sum(axis=-1, dtype=np.float64)
        return total
    m = a.shape[-1]
    pieces = m // _PIECE
    if pieces < 2:
        return np.vecdot(a, b).astype(np.float64)
    whole = pieces * _PIECE
    first, second = (v[..., :whole].reshape(*v.shape[:-1], pieces, _PIECE) for v in (a, b))
    total = np.vecdot(first, second).sum(axis=-1, dtype=np.float64)
    return total if whole == m else total + np.vecdot(a[..., whole:], b[..., whole:])


def standardise(x: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> tuple[Array, Array, Array, Array]:
    """z = (x - mean) / sqrt(var + eps) over the axes of each sample; without `centred` the mean counts as 0.

    Returns:
        z; 1 / sqrt(var + eps) in the type of x; mean and biased variance in float64. The axes keep size 1.
    """
    count = math.prod(x.shape[i] for i in axes)
    mean = np.zeros(1, like=x)
    z = x
    if centred:
        mean = x.sum(axis=axes, keepdims=True, dtype=np.float64) / count
        z = x - mean.astype(x.dtype)
    lost = mean - mean.astype(x.dtype)  # what rounding the mean to the type of x has cut off
    var = np.square(z).sum(axis=axes, keepdims=True, dtype=np.float64) / count - lost * lost
    inverse = 1 / np.sqrt(var + eps)
    z = z * inverse.astype(x.dtype)
    if on_device(lost) or lost.any():
        z -= (lost * inverse).astype(x.dtype)
    return z, inverse.astype(x.dtype), mean, var


def standardise_backward(grad: Array, z: Array, inverse: Array, axes: tuple[int, ...], centred: bool = True) -> Array:
    """Gradient of x from that of z.

    Formula:
        d_x = inverse (grad - mean(grad) - z mean(grad z))
    """
    count = math.prod(z.shape[i] for i in axes)
    slope = (grad * z).sum(axis=axes, keepdims=True, dtype=np.float64) / count
    d_x = grad - z * slope.astype(z.dtype)
    if centred:
        d_x -= (grad.sum(axis=axes, keepdims=True, dtype=np.float64) / count).astype(z.dtype)
    d_x *= inverse
    return d_x


class Seen(NamedTuple):
    """What the gradient of a sample's norm needs: z with 1 / sqrt(var + eps), or x itself with its moments."""

    values: Array
    inverse: Array | None  # None: the values are x
    moments: Moments  # of each group of each sample, (N, groups), or without groups (...), what comes before the dims
    groups: int  # of channels; 0 where the last `dims` dimensions are normalised
    dims: int
    eps: float
    centred: bool


def split(shape: tuple[int, ...], groups: int, dims: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The shape in which moments are taken over whole axes, these axes, and the shape of weights beside the values."""
    if not groups:
        first = len(shape) - dims
        return shape, tuple(range(first, len(shape))), shape[first:]
    n, c, *image = shape
    return (n, groups, c // groups, *image), tuple(range(2, 3 + len(image))), (c, *(1,) * len(image))


def group_norm(x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Seen]:
    """Each group of channels of each sample normalised; x (N, C, ...), weight and bias (C,)."""
    return _sample_norm(x, groups, 0, weight, bias, eps, True)


def element_norm(
    x: Array, dims: int, weight: Array | None, bias: Array | None, eps: float, centred: bool
) -> tuple[Array, Seen]:
    """The last dimensions of each sample normalised; weight and bias have their shape. Not centred: the mean is 0."""
    return _sample_norm(x, 0, dims, weight, bias, eps, centred)


def _sample_norm(
    x: Array, groups: int, dims: int, weight: Array | None, bias: Array | None, eps: float, centred: bool
) -> tuple[Array, Seen]:
    shape, over, place = split(x.shape, groups, dims)
    z, inverse, mean, var = standardise(x.reshape(shape), over, eps, centred)
    z = z.reshape(x.shape)
    y = z.astype(x.dtype) if weight is None else z * weight.reshape(place)
    if bias is not None:
        y += bias.reshape(place)
    first = shape[: len(shape) - len(over)]
    near = mean.astype(x.dtype)
    moments = Moments(
        *(np.broadcast_to(v, (*first, *(1,) * len(over))).reshape(first) for v in (near, mean - near, var))
    )
    return y, Seen(z, inverse, moments, groups, dims, eps, centred)


def sample_norm_backward(grad: Array, seen: Seen, weight: Array | None) -> tuple[Array, Array, Array]:
    """Gradients of x, weight and bias of `group_norm` and `element_norm`."""
    z, inverse = seen.values, seen.inverse
    shape, over, place = split(z.shape, seen.groups, seen.dims)
    if inverse is None:
        mean, var = (v.reshape(*v.shape, *(1,) * len(over)) for v in (seen.moments.mean, seen.moments.var))
        inverse = (1 / np.sqrt(var + seen.eps)).astype(z.dtype)
        z = ((z.reshape(shape) - mean.astype(z.dtype)) * inverse).reshape(z.shape)
    d_z = grad if weight is None else grad * weight.reshape(place)
    d_x = standardise_backward(d_z.reshape(shape), z.reshape(shape), inverse, over, seen.centred).reshape(z.shape)
    extra = z.ndim - len(place)
    each = tuple(i for i in range(z.ndim) if i < extra or place[i - extra] == 1)
    own = place[:1] if seen.groups else place
    return d_x, sum_over(grad * z, each).reshape(own), sum_over(grad, each).reshape(own)


def batch_moments(x: Array) -> Moments:
    """The moments of `batch_norm`, alone."""
    return batch_norm(x, None, None, 0)[1]


def batch_norm_relu(x: Array, moments: Moments, weight: Array | None, bias: Array, eps: float) -> tuple[Array, Array]:
    """max(batch_norm(x), 0) by its moments, NaN and -0 stay; and the bias, which may change before backward."""
    return relu(by_moments(x, moments, weight, bias, eps)), bias.copy()


def by_moments(x: Array, moments: Moments, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """batch_norm(x) by its moments."""
    channels = (-1, *(1,) * (x.ndim - 2))
    scale = _scale(moments.var, eps, weight)
    shift = -moments.offset * scale if bias is None else bias - moments.offset * scale
    y = (x - moments.centre.reshape(channels)) * scale.astype(x.dtype).reshape(channels)
    y += shift.astype(x.dtype).reshape(channels)
    if not np.isfinite(moments.var).all():
        settle(x, bias, moments, y)
    return y


def batch_norm_relu_backward(
    grad: Array, x: Array, weight: Array | None, bias: Array, moments: Moments, eps: float
) -> tuple[Array, Array, Array]:
    """Gradients of x, weight and bias; where the norm was above 0 is found again from x."""
    return batch_norm_backward(relu_backward(grad, by_moments(x, moments, weight, bias, eps)), x, weight, moments, eps)


def channel_norm_relu(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """max(channel_norm(x), 0), NaN and -0 stay."""
    return relu(channel_norm(x, mean, var, weight, bias, eps))
