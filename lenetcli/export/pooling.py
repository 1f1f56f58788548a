"""Pools, as ONNX's operators.

ONNX's words are used wherever they mean what torch means, which is nearly everywhere: its ceil_mode, where no last
window would start in the border (torch drops that one), and its counting of borders, where no window reaches past them.
What is left has its borders written out, since sizes are known, and unequal divisors become a constant factor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, INDEX, Array, Builder, Value, lowers
from lenetcli.export.padding import framed
from lenetcli.kernels.avg_pool import adaptive_bounds, window_counts
from lenetcli.kernels.window import extent
from lenetcli.nn import functional as F
from lenetcli.ops.nn.adaptive_pool import AdaptiveMaxPool2D
from lenetcli.ops.nn.avg_pool2d import AvgPool2D
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.ops.nn.max_pool2d import MaxPool2DWithIndices, MaxUnpool2D
from lenetcli.ops.nn.pool3d import AdaptiveMaxPool3D, MaxPool3DWithIndices

Sizes = tuple[int, ...]


@lowers(F.max_pool1d)
def max_pool1d(
    b: Builder,
    input: Value,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    b.check_dims(input, 3)
    windows = _windows(1, kernel_size, stride, padding)
    return max_pool(b, input, *windows, per_dimension("dilation", dilation, 1, 1), ceil_mode, return_indices)


@lowers(MaxPool2DWithIndices, MaxPool3DWithIndices)
def max_pool(
    b: Builder, x: Value, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool, indices: bool
) -> Any:
    if x.kind != FLOAT:
        raise b.refusal(f"it is of {x.kind}; convert it with float()")
    more, ceil = _overhang(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    after = padding if ceil else tuple(p + m for p, m in zip(padding, more))
    given: Any = x
    if any(end >= k for end, k in zip(after, kernel)):  # a runtime may refuse borders as wide as the window
        given = framed(b, x, list(zip(padding, after)), -np.inf)
        padding = after = (0,) * len(kernel)
    words = {"kernel_shape": kernel, "strides": stride, "pads": (*padding, *after), "dilations": dilation}
    if not indices or given is not x:
        y = b.add("MaxPool", given, **words, ceil_mode=ceil, ndim=x.ndim)
        return (y, None) if indices else y  # places in a border of its own are others: whoever takes them is refused
    y, places = b.add("MaxPool", x, outputs=2, **words, ceil_mode=ceil)  # counted through all images and channels
    return y, b.add("Mod", places, np.array(math.prod(x.shape[2:]), INDEX), fmod=0)


@lowers(MaxUnpool2D)
def max_unpool(b: Builder, x: Value, index: Value, image: Sizes) -> Any:
    """Zeros, whose places that the index names take the values."""
    n, c, *_ = x.shape
    flat = [b.add("Reshape", each, np.array([0, c, math.prod(x.shape[2:])])) for each in (x, index)]
    nothing = b.add("Expand", np.zeros(1, x.kind), b.sizes(n, c, math.prod(image)))
    whole = b.add("ScatterElements", nothing, flat[1], flat[0], axis=2)
    return b.add("Reshape", whole, np.array([0, c, *image]))


@lowers(F.avg_pool1d)
def avg_pool1d(
    b: Builder, input: Value, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Any:
    b.check_dims(input, 3)
    return _average(b, input, *_windows(1, kernel_size, stride, padding), ceil_mode, count_include_pad, None)


@lowers(AvgPool2D)
def avg_pool(
    b: Builder,
    x: Value,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Any:
    return _average(b, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)


@lowers(F.avg_pool3d)
def avg_pool3d(
    b: Builder,
    input: Value,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    b.check_dims(input, 5)
    windows = _windows(3, kernel_size, stride, padding)
    return _average(b, input, *windows, ceil_mode, count_include_pad, divisor_override)


@lowers(F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)
def lp_pool(b: Builder, input: Value, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Any:
    """As torch computes it; ONNX's LpPool takes absolute values first."""
    dims = int(b.op[-2])
    b.check_dims(input, dims + 2)
    kernel, stride, padding = _windows(dims, kernel_size, stride, 0)
    power = norm_type
    powers = b.add("Mul", input, input) if power == 2 else b.add("Pow", input, np.array(power, FLOAT))
    mean = _average(b, Value(powers, input.shape), kernel, stride, padding, ceil_mode, True, None)
    total = b.add("Mul", mean, np.array(math.prod(kernel), FLOAT))
    return b.add("Sqrt", total) if power == 2 else b.add("Pow", total, np.array(1 / power, FLOAT))


@lowers(F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
def adaptive_avg_pool(b: Builder, input: Value, output_size: Any) -> Any:
    """A pool, where all windows are alike; else a product with the matrix of the windows' shares, axis by axis."""
    x, dims = input, int(b.op[-2])
    b.check_dims(x, dims + 2)
    image, out = x.shape[2:], _output_size(b, x, dims, output_size)
    if all(o == 1 for o in out):
        return b.add("GlobalAveragePool", x)
    if not any(size % o for size, o in zip(image, out)):
        kernel = tuple(size // o for size, o in zip(image, out))
        return b.add("AveragePool", x, kernel_shape=kernel, strides=kernel)
    name: Any = x
    for axis, (size, o) in enumerate(zip(image, out), 2):
        if size != o:
            shares = np.zeros((size, o), FLOAT)
            for i, (start, end) in enumerate(adaptive_bounds(size, o)):
                shares[start:end, i] = 1 / (end - start)
            name = mixed(b, name, shares, axis, x.ndim)
    return name


@lowers(F.adaptive_max_pool1d)
def adaptive_max_pool1d(b: Builder, input: Value, output_size: Any, return_indices: bool) -> Any:
    b.check_dims(input, 3)
    return adaptive_max_pool(b, input, _output_size(b, input, 1, output_size), return_indices)


@lowers(AdaptiveMaxPool2D, AdaptiveMaxPool3D)
def adaptive_max_pool(b: Builder, x: Value, out: Sizes, indices: bool) -> Any:
    """A pool, where all windows are alike; else the windows are gathered, axis by axis, and their maximum taken."""
    image = x.shape[2:]
    if 0 in out:
        raise b.refusal("its output is empty")
    name: Any = x
    if not any(size % o for size, o in zip(image, out)):
        kernel = tuple(size // o for size, o in zip(image, out))
        name = b.add("MaxPool", x, kernel_shape=kernel, strides=kernel)
        return (name, None) if indices else name
    for axis, (size, o) in reversed([*enumerate(zip(image, out), 2)]):  # so the first of equal ones is that by rows
        if size != o:
            bounds = adaptive_bounds(size, o)
            longest = max(end - start for start, end in bounds)
            # a shorter window meets its last place again
            places = [[min(start + i, end - 1) for i in range(longest)] for start, end in bounds]
            gathered = b.add("Gather", name, np.array(places), axis=axis)  # the axis becomes (windows, places)
            name = b.add("ReduceMax", gathered, np.array([axis + 1]), keepdims=0)
    return (name, None) if indices else name


def mixed(b: Builder, name: Any, weights: Array, axis: int, ndim: int) -> Any:
    """An axis times a matrix (old size, new size)."""
    if axis == ndim - 1:
        return b.add("MatMul", name, weights)
    if axis == ndim - 2:
        return b.add("MatMul", np.ascontiguousarray(weights.T), name)
    order = list(range(ndim))
    order[axis], order[-1] = ndim - 1, axis
    return b.add("Transpose", b.add("MatMul", b.add("Transpose", name, perm=order), weights), perm=order)


def _average(
    b: Builder,
    x: Value,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    with_border: bool,
    divisor: int | None,
) -> Any:
    image, ones = x.shape[2:], (1,) * len(kernel)
    more, ceil = _overhang(image, kernel, stride, padding, ones, ceil_mode)
    pixels, windows = math.prod(kernel), {"kernel_shape": kernel, "strides": stride}
    if not any(more):
        whole = with_border or divisor is not None  # windows at the border are divided as all others are
        borders = {"pads": padding * 2, "count_include_pad": int(whole)} if any(padding) else {}
        mean = b.add("AveragePool", x, **windows, **borders)
        return mean if divisor in (None, pixels) else b.add("Mul", mean, np.array(pixels / divisor, FLOAT))
    if ceil and divisor is None and not (with_border and any(padding)):
        borders = {"pads": padding * 2} if any(padding) else {}
        return b.add("AveragePool", x, **windows, **borders, count_include_pad=0, ceil_mode=1)
    counts: Any = np.ones((), np.int64)
    for sizes in zip(image, kernel, stride, padding):
        counts = np.multiply.outer(counts, window_counts(*sizes, extent(*sizes, 1, ceil_mode), with_border))
    if divisor is not None:
        counts = np.full_like(counts, divisor)
    name = framed(b, x, [(p, p + m) for p, m in zip(padding, more)], 0.0)
    mean = b.add("AveragePool", name, **windows)
    factor = np.asarray(pixels / counts, FLOAT)
    return b.add("Mul", mean, np.array(factor.flat[0]) if (factor == factor.flat[0]).all() else factor)


def _windows(dims: int, kernel_size: Any, stride: Any, padding: Any) -> tuple[Sizes, Sizes, Sizes]:
    kernel: Sizes = per_dimension("kernel_size", kernel_size, dims, 1)
    steps: Sizes = kernel if stride in (None, (), []) else per_dimension("stride", stride, dims, 1)
    return kernel, steps, per_dimension("padding", padding, dims, 0)


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


def _output_size(b: Builder, x: Value, dims: int, given: Any) -> Sizes:
    wanted = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    out = tuple(size if o is None else int(o) for size, o in zip(x.shape[2:], wanted))
    if 0 in out:
        raise b.refusal("its output is empty")
    return out
