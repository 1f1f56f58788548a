"""Borders, as ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.kernels.padding import source_index

MODES = {"reflect": "reflect", "replicate": "edge"}  # torch's names and ONNX's


@lowers(nn.ConstantPad1d, nn.ConstantPad2d, nn.ZeroPad1d, nn.ZeroPad2d)
def constant_pad(layer: nn.ConstantPad2d, b: Builder, x: Value) -> str:
    return framed(b, x.name, len(x.shape), _pairs(layer.padding), layer.value)


@lowers(
    nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReplicationPad1d, nn.ReplicationPad2d, nn.CircularPad1d, nn.CircularPad2d
)
def edge_pad(layer: nn.ReflectionPad2d, b: Builder, x: Value) -> str:
    b.check_dims(x, layer.dims + 2)
    return bordered(b, x, _pairs(layer.padding), layer.mode)


def framed(b: Builder, name: str, ndim: int, borders: Sequence[tuple[int, int]], value: float) -> str:
    """A constant border around the last dimensions; negative ones crop."""
    if len(borders) >= ndim:
        raise b.refusal("it would pad the batch")
    return b.add("Pad", name, _pads(ndim, borders), np.array(value, FLOAT), mode="constant")


def bordered(b: Builder, x: Value, borders: Sequence[tuple[int, int]], mode: str) -> str:
    """A border around the last dimensions that shows the image itself, in one of torch's modes."""
    if mode in MODES and min(min(pair) for pair in borders) >= 0:
        return b.add("Pad", x.name, _pads(len(x.shape), borders), mode=MODES[mode])
    name, first = x.name, len(x.shape) - len(borders)
    for axis, (before, after) in enumerate(borders, first):  # what ONNX has no word for: circular, and cropping
        if before or after:
            name = b.add("Gather", name, source_index(mode, x.shape[axis], before, after), axis=axis)
    return name


def _pads(ndim: int, borders: Sequence[tuple[int, int]]) -> Array:
    """As ONNX has them: what comes before each dimension, then what comes after."""
    rest = [0] * (ndim - len(borders))
    return np.array([*rest, *(before for before, _ in borders), *rest, *(after for _, after in borders)])


def _pairs(padding: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) of each dimension, the first one first, of numbers that begin with the last one."""
    return [(padding[i], padding[i + 1]) for i in range(len(padding) - 2, -1, -2)]
