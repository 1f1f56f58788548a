"""Convolutions, transposed convolutions, and windows as columns, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.nn import functional as F
from lenetcli.ops.nn.conv2d import Convolution
from lenetcli.ops.nn.conv_transpose2d import ConvolutionTransposed
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.ops.shaping.unfold import Col2Im, Im2Col

Pair = tuple[int, int]
Sizes = tuple[int, ...]


@lowers(Convolution)
def conv(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    b.check_dims(x, 3, 4)
    dims = x.ndim - 2  # a sequence is an image of height 1
    return _conv(b, x, weight, bias, stride[-dims:], padding[-dims:] * 2, dilation[-dims:], groups)


@lowers(F.conv3d)
def conv3d(
    b: Builder, input: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    b.check_dims(input, 5)
    spread = per_dimension("dilation", dilation, 3, 1)
    if padding == "same":
        lost = [d * (k - 1) for d, k in zip(spread, weight.shape[2:])]
        pads = *(n // 2 for n in lost), *(n - n // 2 for n in lost)  # the larger half comes after, as in torch
    else:
        pads = per_dimension("padding", 0 if padding == "valid" else padding, 3, 0) * 2
    return _conv(b, input, weight, bias, per_dimension("stride", stride, 3, 1), pads, spread, groups)


def _conv(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Sizes, pads: Sizes, dilation: Sizes, groups: int
) -> Any:
    words = {"kernel_shape": weight.shape[2:], "strides": stride, "pads": pads, "dilations": dilation}
    return b.add("Conv", x, weight, bias, **words, group=groups)


@lowers(ConvolutionTransposed)
def conv_transpose(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    out: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    b.check_dims(x, 3, 4)
    return _conv_transpose(b, x, weight, bias, out, stride, padding, dilation, groups)


@lowers(F.conv_transpose3d)
def conv_transpose3d(
    b: Builder,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    b.check_dims(input, 5)
    steps, spread = per_dimension("stride", stride, 3, 1), per_dimension("dilation", dilation, 3, 1)
    out = b.results[0].shape[2:]
    border = per_dimension("padding", padding, 3, 0)
    return _conv_transpose(b, input, weight, bias, out, steps, border, spread, groups)


def _conv_transpose(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    out: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Any:
    dims = x.ndim - 2
    kernel, words = weight.shape[2:], (x.shape[2:], stride[-dims:], padding[-dims:], dilation[-dims:])
    reach = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for k, n, s, p, d in zip(kernel, *words)]
    more, borders = tuple(o - r for o, r in zip(out[-dims:], reach)), padding[-dims:]
    ends = borders
    if any(m and m >= s for m, s in zip(more, stride[-dims:])):  # more than readers take: less of the border is cut off
        if any(m > p for m, p in zip(more, borders)):
            raise b.refusal(f"its output_padding {more} is not smaller than its stride {stride[-dims:]}")
        ends, more = tuple(p - m for m, p in zip(more, borders)), (0,) * dims
    return b.add(
        "ConvTranspose",
        x,
        weight,
        bias,
        kernel_shape=kernel,
        strides=stride[-dims:],
        pads=(*borders, *ends),
        output_padding=more,
        dilations=dilation[-dims:],
        group=groups,
    )


@lowers(Im2Col)
def unfold(b: Builder, x: Value, out: Pair, windows: Any) -> Any:
    """A convolution of each channel alone, whose filters each pick one pixel of the window."""
    geometry, padding = _geometry(windows)
    kernel, channels = geometry["kernel_shape"], x.shape[1]
    columns = b.add("Conv", x, _picks(kernel, channels), **geometry, pads=padding * 2, group=channels)
    return b.add("Reshape", columns, np.array([0, channels * math.prod(kernel), math.prod(out)]))


@lowers(Col2Im)
def fold(b: Builder, x: Value, image: Pair, out: Pair, windows: Any) -> Any:
    """A transposed convolution of each channel alone, whose filters each put one pixel back into the window."""
    geometry, padding = _geometry(windows)
    kernel, strides, dilations = geometry["kernel_shape"], geometry["strides"], geometry["dilations"]
    reach = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(out, strides, dilations, kernel)]
    more = tuple(size + 2 * p - there for size, p, there in zip(image, padding, reach))  # what no window reaches
    channels = x.shape[1] // math.prod(kernel)
    columns = b.add("Reshape", x, np.array([0, x.shape[1], *out]))
    picks = _picks(kernel, channels)
    return b.add("ConvTranspose", columns, picks, **geometry, pads=padding * 2, output_padding=more, group=channels)


def _geometry(windows: Any) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
    """What both operators call the attributes of windows; and the border of one side."""
    kernel, stride, padding, dilation = windows
    return {"kernel_shape": tuple(kernel), "strides": tuple(stride), "dilations": tuple(dilation)}, tuple(padding)


def _picks(kernel: tuple[int, ...], channels: int) -> Array:
    """(C K L, 1, K, L): a filter for each pixel of the window, for each channel."""
    pixels = math.prod(kernel)
    return np.tile(np.eye(pixels, dtype=FLOAT), (channels, 1)).reshape(channels * pixels, 1, *kernel)
