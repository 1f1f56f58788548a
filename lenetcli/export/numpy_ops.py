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
    if any(pads):
        x = pad(x, (0, 0, *pads[:dims], 0, 0, *pads[dims:]), -np.inf)
    seen = windows(x, kernel_shape, strides, dilations or (1,) * dims)
    return np.asarray(seen.max(tuple(range(2 + dims, 2 + 2 * dims))))


def average_pool(x: Array, *, kernel_shape: Sizes, strides: Sizes) -> Array:
    dims = len(kernel_shape)
    seen = windows(x, kernel_shape, strides, (1,) * dims)
    return np.asarray(seen.mean(tuple(range(2 + dims, 2 + 2 * dims))))


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


def gemm(x: Array, weight: Array, bias: Array | None = None, *, transB: int) -> Array:
    y = x @ weight.T
    return np.asarray(y if bias is None else y + bias)


def softmax(x: Array, *, axis: int) -> Array:
    shares = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(shares / shares.sum(axis, keepdims=True))


def log_softmax(x: Array, *, axis: int) -> Array:
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


def celu(x: Array, *, alpha: float) -> Array:
    return np.maximum(x, 0) + np.minimum(alpha * np.expm1(np.minimum(x / alpha, 0) if alpha > 0 else x / alpha), 0)


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


def shrink(x: Array, *, lambd: float, bias: float) -> Array:
    return np.where(x > lambd, x - bias, np.where(x < -lambd, x + bias, 0))


def flatten(x: Array, *, axis: int) -> Array:
    return x.reshape(*x.shape[:axis], math.prod(x.shape[axis:]))


def reshape(x: Array, shape: Sizes) -> Array:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def depth_to_space(x: Array, *, blocksize: int, mode: str) -> Array:
    n, c, h, w = x.shape
    blocks = x.reshape(n, c // blocksize**2, blocksize, blocksize, h, w)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


def part(x: Array, starts: Sizes, ends: Sizes, axes: Sizes) -> Array:
    found = [slice(None)] * x.ndim
    for start, end, axis in zip(starts, ends, axes):
        found[axis] = slice(start, end)
    return x[tuple(found)]
