"""Convolutions, transposed convolutions, and windows as columns, as ONNX's operators."""

from __future__ import annotations

import math

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.export.padding import bordered
from lenetcli.kernels.window import extent
from lenetcli.ops.nn.geometry import per_dimension


@lowers(nn.Conv1d, nn.Conv2d)
def conv(layer: nn.Conv2d, b: Builder, x: Value) -> str:
    b.check_dims(x, layer.dims + 2)
    borders = layer._borders()[::-1]  # (after, before) of each dimension, the first one first
    after, before = borders[::2], borders[1::2]
    name = x.name
    if layer.padding_mode != "zeros":
        name = bordered(b, x, list(zip(before, after)), layer.padding_mode)
        before = after = [0] * layer.dims
    return b.add(
        "Conv",
        name,
        b.weight(layer.weight),
        b.weight(layer.bias),
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=(*before, *after),
        dilations=layer.dilation,
        group=layer.groups,
    )


@lowers(nn.ConvTranspose1d, nn.ConvTranspose2d)
def conv_transpose(layer: nn.ConvTranspose2d, b: Builder, x: Value) -> str:
    b.check_dims(x, layer.dims + 2)
    return b.add(
        "ConvTranspose",
        x.name,
        b.weight(layer.weight),
        b.weight(layer.bias),
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=layer.padding * 2,
        output_padding=layer.output_padding,
        dilations=layer.dilation,
        group=layer.groups,
    )


@lowers(nn.Unfold)
def unfold(layer: nn.Unfold, b: Builder, x: Value) -> str:
    """A convolution of each channel alone, whose filters each pick one pixel of the window."""
    b.check_dims(x, 4)
    geometry, padding = _geometry(layer)
    kernel, channels = geometry["kernel_shape"], x.shape[1]
    columns = b.add("Conv", x.name, _picks(kernel, channels), **geometry, pads=padding * 2, group=channels)
    windows = math.prod(_counts(x.shape[2:], geometry, padding))
    return b.add("Reshape", columns, np.array([0, channels * math.prod(kernel), windows]))


@lowers(nn.Fold)
def fold(layer: nn.Fold, b: Builder, x: Value) -> str:
    """A transposed convolution of each channel alone, whose filters each put one pixel back into the window."""
    b.check_dims(x, 3)
    geometry, padding = _geometry(layer)
    kernel, strides, dilations = geometry["kernel_shape"], geometry["strides"], geometry["dilations"]
    image = per_dimension("output_size", layer.output_size, 2, 1)
    counts = _counts(image, geometry, padding)
    reach = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(counts, strides, dilations, kernel)]
    more = tuple(size + 2 * p - there for size, p, there in zip(image, padding, reach))  # what no window reaches
    channels = x.shape[1] // math.prod(kernel)
    columns = b.add("Reshape", x.name, np.array([0, x.shape[1], *counts]))
    picks = _picks(kernel, channels)
    return b.add("ConvTranspose", columns, picks, **geometry, pads=padding * 2, output_padding=more, group=channels)


def _geometry(layer: nn.Unfold | nn.Fold) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
    """What both operators call the attributes of windows; and the border of one side."""
    geometry = {
        "kernel_shape": per_dimension("kernel_size", layer.kernel_size, 2, 1),
        "strides": per_dimension("stride", layer.stride, 2, 1),
        "dilations": per_dimension("dilation", layer.dilation, 2, 1),
    }
    return geometry, per_dimension("padding", layer.padding, 2, 0)


def _counts(image: tuple[int, ...], geometry: dict[str, tuple[int, ...]], padding: tuple[int, ...]) -> list[int]:
    """How many windows fit down and across."""
    sizes = zip(image, geometry["kernel_shape"], geometry["strides"], padding, geometry["dilations"])
    return [extent(*size) for size in sizes]


def _picks(kernel: tuple[int, ...], channels: int) -> Array:
    """(C K L, 1, K, L): a filter for each pixel of the window, for each channel."""
    pixels = math.prod(kernel)
    return np.tile(np.eye(pixels, dtype=FLOAT), (channels, 1)).reshape(channels * pixels, 1, *kernel)
