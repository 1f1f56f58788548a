"""ONNX's operators on NumPy arrays, as far as `lower` uses them: what an exported Python file is made of.

Each function is copied into the file as it stands here, so it uses NumPy, math, `Array` and its neighbours only. Names
and arguments are ONNX's: pads are what comes before each dimension, then what comes after.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.kernels.rescale import pixel_weights as pixel_weights
from lenetcli.kernels.rescale import rescaled as rescaled

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]


def windows(x: Array, kernel_shape: Sizes, strides: Sizes, dilations: Sizes) -> Array:
    """(N, C, H, W) -> (N, C, P, Q, K, L): every window of the image (or of a sequence), without a copy."""
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel_shape, dilations))
    found = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(2, x.ndim)))
    steps = (*(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))
    return found[(slice(None), slice(None), *steps)]


def pad(x: Array, pads: Sizes, value: float = 0.0, mode: str = "constant") -> Array:
    half = len(pads) // 2
    crops = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, b, a in zip(x.shape, pads[:half], pads[half:]))
    borders = [(max(b, 0), max(a, 0)) for b, a in zip(pads[:half], pads[half:])]
    if mode == "constant":
        return np.pad(x[crops], borders, constant_values=value)
    return np.pad(x[crops], borders, "reflect" if mode == "reflect" else "edge")


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    kernel_shape: Sizes,
    strides: Sizes,
    pads: Sizes,
    dilations: Sizes,
    group: int,
) -> Array:
    dims = len(kernel_shape)
    seen = windows(pad(x, (0, 0, *pads[:dims], 0, 0, *pads[dims:])), kernel_shape, strides, dilations)
    parts = []
    for image, filters in zip(np.split(seen, group, 1), np.split(weight, group)):
        product = np.tensordot(image, filters, ([1, *range(2 + dims, 2 + 2 * dims)], list(range(1, 2 + dims))))
        parts.append(np.moveaxis(product, -1, 1))
    y = np.concatenate(parts, 1)
    return y if bias is None else y + bias.reshape(-1, *(1,) * dims)


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    kernel_shape: Sizes,
    strides: Sizes,
    pads: Sizes,
    output_padding: Sizes,
    dilations: Sizes,
    group: int,
) -> Array:
    """A convolution of the image with zeros between its pixels, with the filters turned around."""
    dims = len(kernel_shape)
    spread = np.zeros((*x.shape[:2], *((n - 1) * s + 1 for n, s in zip(x.shape[2:], strides))), x.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, s) for s in strides))] = x
    reach = [d * (k - 1) for k, d in zip(kernel_shape, dilations)]
    before = tuple(r - p for r, p in zip(reach, pads[:dims]))
    after = tuple(r - p + more for r, p, more in zip(reach, pads[dims:], output_padding))
    turned = np.flip(weight, tuple(range(2, 2 + dims)))
    filters = np.concatenate([np.swapaxes(one, 0, 1) for one in np.split(turned, group)])
    return conv(
        pad(spread, (0, 0, *before, 0, 0, *after)),
        filters,
        bias,
        kernel_shape=kernel_shape,
        strides=(1,) * dims,
        pads=(0,) * 2 * dims,
        dilations=dilations,
        group=group,
    )


def max_pool(
    x: Array, *, kernel_shape: Sizes, strides: Sizes, pads: Sizes = (), dilations: Sizes = (), ceil_mode: int = 0
) -> Array:
    dims = len(kernel_shape)
    dilations, pads = dilations or (1,) * dims, pads or (0,) * 2 * dims
    more = overhang(x.shape[2:], kernel_shape, strides, pads, dilations) if ceil_mode else (0,) * dims
    framed = pad(x, (0, 0, *pads[:dims], 0, 0, *(p + m for p, m in zip(pads[dims:], more))), -np.inf)
    seen = windows(framed, kernel_shape, strides, dilations)
    return np.asarray(seen.max(tuple(range(2 + dims, 2 + 2 * dims))))


def max_pool_with_indices(
    x: Array, *, kernel_shape: Sizes, strides: Sizes, pads: Sizes, dilations: Sizes, ceil_mode: int = 0
) -> tuple[Array, Array]:
    """The largest of each window, and where it is, counted through all images and channels; of equals the first."""
    dims = len(kernel_shape)
    more = overhang(x.shape[2:], kernel_shape, strides, pads, dilations) if ceil_mode else (0,) * dims
    borders = (0, 0, *pads[:dims], 0, 0, *(p + m for p, m in zip(pads[dims:], more)))
    seen = windows(pad(x, borders, -np.inf), kernel_shape, strides, dilations)
    places = windows(pad(np.arange(x.size).reshape(x.shape), borders, -1), kernel_shape, strides, dilations)
    rows, at = seen.reshape(*seen.shape[: 2 + dims], -1), places.reshape(*seen.shape[: 2 + dims], -1)
    best = ((rows == rows.max(-1, keepdims=True)) & (at >= 0)).argmax(-1)[..., None]
    return np.take_along_axis(rows, best, -1)[..., 0], np.take_along_axis(at, best, -1)[..., 0]


def scatter_elements(x: Array, index: Array, updates: Array, *, axis: int) -> Array:
    y = np.array(x)
    np.put_along_axis(y, np.asarray(index), updates, axis)
    return y


def average_pool(
    x: Array, *, kernel_shape: Sizes, strides: Sizes, pads: Sizes = (), count_include_pad: int = 0, ceil_mode: int = 0
) -> Array:
    dims, ones = len(kernel_shape), (1,) * len(kernel_shape)
    pads, axes = pads or (0,) * 2 * dims, tuple(range(2 + dims, 2 + 2 * dims))
    more = overhang(x.shape[2:], kernel_shape, strides, pads, ones) if ceil_mode else (0,) * dims
    borders = (0, 0, *pads[:dims], 0, 0, *(p + m for p, m in zip(pads[dims:], more)))
    seen = windows(pad(x, borders), kernel_shape, strides, ones)
    if count_include_pad or not any(borders):
        return np.asarray(seen.mean(axes))
    counts = windows(pad(np.ones((1, 1, *x.shape[2:]), x.dtype), borders), kernel_shape, strides, ones)
    return np.asarray(seen.sum(axes) / counts.sum(axes))


def overhang(image: Sizes, kernel_shape: Sizes, strides: Sizes, pads: Sizes, dilations: Sizes) -> Sizes:
    """How far past the borders the last windows reach, where as many are taken as begin before the end."""
    rooms = [n - d * (k - 1) - 1 for n, k, d in zip(image, kernel_shape, dilations)]
    rooms = [n + before + after for n, before, after in zip(rooms, pads, pads[len(image) :])]
    return tuple(-room % s for room, s in zip(rooms, strides))


def global_average_pool(x: Array) -> Array:
    return np.asarray(x.mean(tuple(range(2, x.ndim)), keepdims=True))


def batch_normalization(x: Array, scale: Array, bias: Array, mean: Array, var: Array, *, epsilon: float) -> Array:
    column = (-1, *(1,) * (x.ndim - 2))
    factor = scale / np.sqrt(var + epsilon)
    return x * factor.reshape(column) + (bias - mean * factor).reshape(column)


def instance_normalization(x: Array, scale: Array, bias: Array, *, epsilon: float) -> Array:
    column = (-1, *(1,) * (x.ndim - 2))
    return standardized(x, tuple(range(2, x.ndim)), epsilon) * scale.reshape(column) + bias.reshape(column)


def layer_normalization(x: Array, scale: Array, bias: Array | None = None, *, axis: int, epsilon: float) -> Array:
    y = standardized(x, tuple(range(axis, 0)), epsilon) * scale
    return y if bias is None else y + bias


def standardized(x: Array, axes: Sizes, epsilon: float) -> Array:
    beside = x - x.mean(axes, keepdims=True)
    return np.asarray(beside / np.sqrt((beside * beside).mean(axes, keepdims=True) + epsilon))


def gemm(
    x: Array, weight: Array, bias: Array | None = None, *, transB: int = 0, alpha: float = 1, beta: float = 1
) -> Array:
    y = x @ (weight.T if transB else weight)
    y = y if alpha == 1 else y * np.float32(alpha)
    return np.asarray(y if bias is None else y + (bias if beta == 1 else bias * np.float32(beta)))


def softmax(x: Array, *, axis: int) -> Array:
    if not x.size:
        return x
    shares = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(shares / shares.sum(axis, keepdims=True))


def log_softmax(x: Array, *, axis: int) -> Array:
    if not x.size:
        return x
    shifted = x - x.max(axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis, keepdims=True)))


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def softsign(x: Array) -> Array:
    return x / (1 + np.abs(x))


def erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, [x.dtype])(x) if x.size else x)


def elu(x: Array, *, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def leaky_relu(x: Array, *, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * x)


def p_relu(x: Array, slope: Array) -> Array:
    return np.where(x > 0, x, slope * x)


def hard_sigmoid(x: Array, *, alpha: float, beta: float) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


def hard_swish(x: Array) -> Array:
    return x * np.clip(x / 6 + 0.5, 0, 1)


def flatten(x: Array, *, axis: int) -> Array:
    return x.reshape(*x.shape[:axis], math.prod(x.shape[axis:]))


def reshape(x: Array, shape: Sizes) -> Array:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def concat(*arrays: Array, axis: int) -> Array:
    return np.concatenate(arrays, axis)


def cum_sum(x: Array, axis: int) -> Array:
    return np.cumsum(x, int(axis), dtype=x.dtype)


def gather_elements(x: Array, index: Array, *, axis: int) -> Array:
    index = np.asarray(index)
    whole = tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(index.shape))
    return np.take_along_axis(x[whole], index, axis)


def arg_max(x: Array, *, axis: int, keepdims: int) -> Array:
    return np.asarray(np.argmax(x, axis, keepdims=bool(keepdims)), np.int64)


def arg_min(x: Array, *, axis: int, keepdims: int) -> Array:
    return np.asarray(np.argmin(x, axis, keepdims=bool(keepdims)), np.int64)


def top_k(x: Array, k: Sizes, *, axis: int, largest: int, sorted: int) -> tuple[Array, Array]:
    """Of equal values the first ones come first."""
    if largest:
        last = x.shape[axis] - 1
        at = np.flip(last - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    else:
        at = np.argsort(x, axis, kind="stable")
    at = np.take(at, np.arange(k[0]), axis)
    return np.take_along_axis(x, at, axis), at


def clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def div(x: Array, y: Array) -> Array:
    """Of whole numbers the whole part."""
    if np.result_type(x, y).kind == "f":
        return np.asarray(x / y)
    return np.asarray((np.abs(x) // np.abs(y)) * np.sign(x) * np.sign(y))


def mod(x: Array, y: Array, *, fmod: int) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.fmod(x, y) if fmod else np.mod(x, y))


def depth_to_space(x: Array, *, blocksize: int, mode: str) -> Array:
    n, c, h, w = x.shape
    blocks = x.reshape(n, c // blocksize**2, blocksize, blocksize, h, w)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


def resize(
    x: Array,
    roi: None,
    scales: Array,
    *,
    mode: str,
    coordinate_transformation_mode: str,
    nearest_mode: str = "",
    cubic_coeff_a: float = -0.75,
) -> Array:
    """Each axis behind the channels for itself; places beyond the edge show the edge."""
    for axis, (size, scale) in enumerate(zip(x.shape[2:], scales[2:]), 2):
        out = int(size * scale)
        at = np.arange(out).astype(scales.dtype)
        if coordinate_transformation_mode == "asymmetric":
            where = at / scale
        elif coordinate_transformation_mode == "align_corners":
            where = at * (scales.dtype.type(size - 1) / scales.dtype.type(max(out - 1, 1)))
        else:
            where = (at + scales.dtype.type(0.5)) / scale - scales.dtype.type(0.5)
        low = np.floor(where if nearest_mode != "round_prefer_ceil" else where + scales.dtype.type(0.5))
        t, a = where - low, cubic_coeff_a
        taps = [(0, np.ones_like(t))]
        if mode == "linear":
            taps = [(0, 1 - t), (1, t)]
        elif mode == "cubic":
            near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
            far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (t + 1, 2 - t)]
            taps = [(-1, far[0]), (0, near[0]), (1, near[1]), (2, far[1])]
        column = (-1, *(1,) * (x.ndim - 1 - axis))
        places = [(np.clip(low + i, 0, size - 1).astype(np.int64), share.astype(x.dtype)) for i, share in taps]
        x = np.asarray(sum(np.take(x, index, axis) * share.reshape(column) for index, share in places))
    return x


def part(x: Array, starts: Sizes, ends: Sizes, axes: Sizes, steps: Sizes = ()) -> Array:
    found = [slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        step = steps[i] if steps else 1
        end = None if abs(ends[i]) >= 2**63 - 1 else ends[i]
        found[axis] = slice(starts[i], end, step)
    return x[tuple(found)]


def rnn(
    x: Array,
    weight: Array,
    recurrence: Array,
    bias: Array | None = None,
    lengths: None = None,
    h: Array | None = None,
    *,
    hidden_size: int,
    direction: str,
    activations: tuple[str, ...],
) -> tuple[Array, Array]:
    y, h, given, added = walked(x, weight, recurrence, bias, h, hidden_size)
    bend = np.tanh if activations[0] == "Tanh" else lambda x: np.maximum(x, 0)
    for t in range(len(x)) if direction == "forward" else reversed(range(len(x))):
        y[t, 0] = h = bend(given[t] + h @ recurrence[0].T + added)
    return y, h[None]


def gru(
    x: Array,
    weight: Array,
    recurrence: Array,
    bias: Array | None = None,
    lengths: None = None,
    h: Array | None = None,
    *,
    hidden_size: int,
    direction: str,
    linear_before_reset: int,
) -> tuple[Array, Array]:
    y, h, given, added = walked(x, weight, recurrence, bias, h, hidden_size)
    for t in range(len(x)) if direction == "forward" else reversed(range(len(x))):
        z, r, n = np.split(given[t], 3, 1)
        h_z, h_r, h_n = np.split(h @ recurrence[0].T + added, 3, 1)
        z = sigmoid(z + h_z)
        y[t, 0] = h = (1 - z) * np.tanh(n + sigmoid(r + h_r) * h_n) + z * h
    return y, h[None]


def lstm(
    x: Array,
    weight: Array,
    recurrence: Array,
    bias: Array | None = None,
    lengths: None = None,
    h: Array | None = None,
    c: Array | None = None,
    *,
    hidden_size: int,
    direction: str,
) -> tuple[Array, Array, Array]:
    y, h, given, added = walked(x, weight, recurrence, bias, h, hidden_size)
    c = np.zeros_like(h) if c is None else c[0]
    for t in range(len(x)) if direction == "forward" else reversed(range(len(x))):
        i, o, f, g = np.split(given[t] + h @ recurrence[0].T + added, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        y[t, 0] = h = sigmoid(o) * np.tanh(c)
    return y, h[None], c[None]


def walked(
    x: Array, weight: Array, recurrence: Array, bias: Array | None, h: Array | None, size: int
) -> tuple[Array, Array, Array, Array]:
    """Room for the outputs of all steps, the first state, what inputs add to the gates, and the states' own bias."""
    rows = weight.shape[1]
    biases = np.zeros(2 * rows, x.dtype) if bias is None else bias[0]
    first = np.zeros((x.shape[1], size), x.dtype) if h is None else h[0]
    return np.empty((len(x), 1, x.shape[1], size), x.dtype), first, x @ weight[0].T + biases[:rows], biases[rows:]
