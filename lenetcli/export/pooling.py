"""Pools, as ONNX's operators.

ONNX's words are used wherever they mean what torch means, which is nearly everywhere: its ceil_mode, where no last
window would start in the border (torch drops that one), and its counting of borders, where no window reaches past them.
What is left has its borders written out, since sizes are known, and unequal divisors become a constant factor.
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
    more, ceil = _overhang(x.shape[2:], kernel, stride, padding, spread, layer.ceil_mode)
    after = padding if ceil else tuple(p + m for p, m in zip(padding, more))
    name = x.name
    if any(end >= k for end, k in zip(after, kernel)):  # a runtime may refuse borders as wide as the window
        name = framed(b, x, list(zip(padding, after)), -np.inf)
        padding = after = (0,) * dims
    return b.add(
        "MaxPool", name, kernel_shape=kernel, strides=stride, pads=(*padding, *after), dilations=spread, ceil_mode=ceil
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
    power = layer.norm_type
    powers = b.add("Mul", x.name, x.name) if power == 2 else b.add("Pow", x.name, np.array(power, FLOAT))
    mean = _average(b, Value(powers, x.shape), kernel, stride, padding, layer.ceil_mode, True, None)
    total = b.add("Mul", mean, np.array(math.prod(kernel), FLOAT))
    return b.add("Sqrt", total) if power == 2 else b.add("Pow", total, np.array(1 / power, FLOAT))


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
    more, ceil = _overhang(image, kernel, stride, padding, ones, ceil_mode)
    pixels, windows = math.prod(kernel), {"kernel_shape": kernel, "strides": stride}
    if not any(more):
        whole = with_border or divisor is not None  # windows at the border are divided as all others are
        borders = {"pads": padding * 2, "count_include_pad": int(whole)} if any(padding) else {}
        mean = b.add("AveragePool", x.name, **windows, **borders)
        return mean if divisor in (None, pixels) else b.add("Mul", mean, np.array(pixels / divisor, FLOAT))
    if ceil and divisor is None and not (with_border and any(padding)):
        borders = {"pads": padding * 2} if any(padding) else {}
        return b.add("AveragePool", x.name, **windows, **borders, count_include_pad=0, ceil_mode=1)
    counts: Any = np.ones((), np.int64)
    for sizes in zip(image, kernel, stride, padding):
        counts = np.multiply.outer(counts, window_counts(*sizes, extent(*sizes, 1, ceil_mode), with_border))
    if divisor is not None:
        counts = np.full_like(counts, divisor)
    name = framed(b, x, [(p, p + m) for p, m in zip(padding, more)], 0.0)
    mean = b.add("AveragePool", name, **windows)
    factor = np.asarray(pixels / counts, FLOAT)
    return b.add("Mul", mean, np.array(factor.flat[0]) if (factor == factor.flat[0]).all() else factor)


def _windows(layer: Any, dims: int) -> tuple[Sizes, Sizes, Sizes]:
    kernel: Sizes = per_dimension("kernel_size", layer.kernel_size, dims, 1)
    stride: Sizes = kernel if layer.stride in (None, (), []) else per_dimension("stride", layer.stride, dims, 1)
    padding: Sizes = per_dimension("padding", getattr(layer, "padding", 0), dims, 0)
    return kernel, stride, padding


def _overhang(
    image: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> tuple[Sizes, int]:
    """How far the last windows reach past the padded image; and whether ONNX's ceil_mode, 0 or 1, says just that."""
    found, same = [], True
    for size, k, s, p, d in zip(image, kernel, stride, padding, dilation):
        count, window = extent(size, k, s, p, d, ceil_mode), d * (k - 1) + 1
        found.append(max(0, (count - 1) * s + window - size - 2 * p))
        same &= (
            count == -((window - size - 2 * p) // s) + 1
        )  # else torch drops the last one, which starts in the border
    return tuple(found), int(any(found) and same)


def _output_size(layer: Any, b: Builder, x: Value, dims: int) -> Sizes:
    given = layer.output_size
    wanted = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    out = tuple(size if o is None else int(o) for size, o in zip(x.shape[2:], wanted))
    if 0 in out:
        raise b.refusal("its output is empty")
    return out
