"""Pools, as ONNX's operators.

ONNX's own ceil_mode and the counting of borders have differed between versions and runtimes; since sizes are known, the
last, partial windows become explicit borders, and unequal divisors a constant factor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.export.padding import framed
from lenetcli.kernels.avg_pool import adaptive_bounds, window_counts
from lenetcli.kernels.window import extent
from lenetcli.ops.nn.geometry import per_dimension

Sizes = tuple[int, ...]


@lowers(nn.MaxPool1d, nn.MaxPool2d)
def max_pool(layer: nn.MaxPool2d, b: Builder, x: Value) -> str:
    dims = 1 if isinstance(layer, nn.MaxPool1d) else 2
    b.check_dims(x, dims + 2)
    kernel, stride, padding = _windows(layer, dims)
    spread = per_dimension("dilation", layer.dilation, dims, 1)
    more = _overhang(x.shape[2:], kernel, stride, padding, spread, layer.ceil_mode)
    after = tuple(p + m for p, m in zip(padding, more))
    name = x.name
    wide = any(end >= k for end, k in zip(after, kernel))  # a runtime may refuse borders as wide as the window
    dense = any(after) and {*stride, *spread} == {1}  # of such windows, ONNX's reference evaluator gets borders wrong
    if wide or dense:
        name = framed(b, name, len(x.shape), list(zip(padding, after)), -np.inf)
        padding = after = (0,) * dims
    return b.add(
        "MaxPool", name, kernel_shape=kernel, strides=stride, pads=(*padding, *after), dilations=spread, ceil_mode=0
    )


@lowers(nn.AvgPool1d, nn.AvgPool2d)
def avg_pool(layer: nn.AvgPool2d, b: Builder, x: Value) -> str:
    dims = 1 if isinstance(layer, nn.AvgPool1d) else 2
    b.check_dims(x, dims + 2)
    kernel, stride, padding = _windows(layer, dims)
    divisor = getattr(layer, "divisor_override", None)
    return _average(b, x, kernel, stride, padding, layer.ceil_mode, layer.count_include_pad, divisor)


@lowers(nn.LPPool1d, nn.LPPool2d)
def lp_pool(layer: nn.LPPool2d, b: Builder, x: Value) -> str:
    """As torch computes it; ONNX's LpPool takes absolute values first."""
    dims = 1 if isinstance(layer, nn.LPPool1d) else 2
    b.check_dims(x, dims + 2)
    kernel, stride, padding = _windows(layer, dims)
    powers = Value(b.add("Pow", x.name, np.array(layer.norm_type, FLOAT)), x.shape)
    mean = _average(b, powers, kernel, stride, padding, layer.ceil_mode, True, None)
    total = b.add("Mul", mean, np.array(math.prod(kernel), FLOAT))
    return b.add("Pow", total, np.array(1 / layer.norm_type, FLOAT))


@lowers(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
def adaptive_avg_pool(layer: nn.AdaptiveAvgPool2d, b: Builder, x: Value) -> str:
    """A pool, where all windows are alike; else a product with the matrix of the windows' shares, axis by axis."""
    dims = 1 if isinstance(layer, nn.AdaptiveAvgPool1d) else 2
    b.check_dims(x, dims + 2)
    image, out = x.shape[2:], _output_size(layer, b, x, dims)
    if all(o == 1 for o in out):
        return b.add("GlobalAveragePool", x.name)
    if not any(size % o for size, o in zip(image, out)):
        kernel = tuple(size // o for size, o in zip(image, out))
        return b.add("AveragePool", x.name, kernel_shape=kernel, strides=kernel)
    name = x.name
    for axis, (size, o) in enumerate(zip(image, out), 2):
        if size != o:
            shares = np.zeros((size, o), FLOAT)
            for i, (start, end) in enumerate(adaptive_bounds(size, o)):
                shares[start:end, i] = 1 / (end - start)
            name = mixed(b, name, shares, axis == len(x.shape) - 1)
    return name


@lowers(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
def adaptive_max_pool(layer: nn.AdaptiveMaxPool2d, b: Builder, x: Value) -> str:
    """A pool, where all windows are alike; else the windows are gathered, axis by axis, and their maximum taken."""
    dims = 1 if isinstance(layer, nn.AdaptiveMaxPool1d) else 2
    b.check_dims(x, dims + 2)
    image, out = x.shape[2:], _output_size(layer, b, x, dims)
    if not any(size % o for size, o in zip(image, out)):
        kernel = tuple(size // o for size, o in zip(image, out))
        return b.add("MaxPool", x.name, kernel_shape=kernel, strides=kernel)
    name = x.name
    for axis, (size, o) in enumerate(zip(image, out), 2):
        if size != o:
            bounds = adaptive_bounds(size, o)
            longest = max(end - start for start, end in bounds)
            # a shorter window meets its last place again
            places = [[min(start + i, end - 1) for i in range(longest)] for start, end in bounds]
            gathered = b.add("Gather", name, np.array(places), axis=axis)  # the axis becomes (windows, places)
            name = b.add("ReduceMax", gathered, np.array([axis + 1]), keepdims=0)
    return name


def mixed(b: Builder, name: str, weights: Array, last: bool) -> str:
    """The last axis, or the one before it, times a matrix (old size, new size)."""
    return b.add("MatMul", name, weights) if last else b.add("MatMul", np.ascontiguousarray(weights.T), name)


def _average(
    b: Builder,
    x: Value,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    with_border: bool,
    divisor: int | None,
) -> str:
    image, ones = x.shape[2:], (1,) * len(kernel)
    more = _overhang(image, kernel, stride, padding, ones, ceil_mode)
    counts: Any = np.ones((), np.int64)
    for sizes in zip(image, kernel, stride, padding):
        counts = np.multiply.outer(counts, window_counts(*sizes, extent(*sizes, 1, ceil_mode), with_border))
    if divisor is not None:
        counts = np.full_like(counts, divisor)
    name, borders = x.name, [(p, p + m) for p, m in zip(padding, more)]
    if any(map(any, borders)):
        name = framed(b, name, len(x.shape), borders, 0.0)
    mean = b.add("AveragePool", name, kernel_shape=kernel, strides=stride)
    pixels = math.prod(kernel)
    if (counts == pixels).all():
        return mean
    factor = (pixels / counts).astype(FLOAT)
    return b.add("Mul", mean, factor.reshape(-1)[:1] if (factor == factor.flat[0]).all() else factor)


def _windows(layer: Any, dims: int) -> tuple[Sizes, Sizes, Sizes]:
    kernel: Sizes = per_dimension("kernel_size", layer.kernel_size, dims, 1)
    stride: Sizes = kernel if layer.stride in (None, (), []) else per_dimension("stride", layer.stride, dims, 1)
    padding: Sizes = per_dimension("padding", getattr(layer, "padding", 0), dims, 0)
    return kernel, stride, padding


def _overhang(image: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Sizes:
    """How far the last windows reach past the padded image."""
    found = []
    for size, k, s, p, d in zip(image, kernel, stride, padding, dilation):
        reach = (extent(size, k, s, p, d, ceil_mode) - 1) * s + d * (k - 1) + 1
        found.append(max(0, reach - size - 2 * p))
    return tuple(found)


def _output_size(layer: Any, b: Builder, x: Value, dims: int) -> Sizes:
    given = layer.output_size
    wanted = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    out = tuple(size if o is None else int(o) for size, o in zip(x.shape[2:], wanted))
    if 0 in out:
        raise b.refusal("its output is empty")
    return out
