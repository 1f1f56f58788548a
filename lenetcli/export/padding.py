"""Borders, as ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, INDEX, Array, Builder, Value, lowers
from lenetcli.kernels.padding import source_index

MODES = {"reflect": "reflect", "replicate": "edge"}  # torch's names and ONNX's


@lowers(nn.ConstantPad1d, nn.ConstantPad2d, nn.ZeroPad1d, nn.ZeroPad2d)
def constant_pad(layer: nn.ConstantPad2d, b: Builder, x: Value) -> str:
    return framed(b, x, _pairs(layer.padding), layer.value)


@lowers(
    nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReplicationPad1d, nn.ReplicationPad2d, nn.CircularPad1d, nn.CircularPad2d
)
def edge_pad(layer: nn.ReflectionPad2d, b: Builder, x: Value) -> str:
    b.check_dims(x, layer.dims + 2)
    return bordered(b, x, _pairs(layer.padding), layer.mode)


def framed(b: Builder, x: Value, borders: Sequence[tuple[int, int]], value: float) -> str:
    """A constant border around the last dimensions; negative ones crop."""
    if len(borders) >= len(x.shape):
        raise b.refusal("it would pad the batch")
    name, rest = _cropped(b, x, borders)
    if not any(map(any, rest)):
        return name
    return b.add("Pad", name, _pads(len(x.shape), rest), np.array(value, FLOAT), mode="constant")


def _cropped(b: Builder, x: Value, borders: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """Less what negative borders take away, and the borders that are left: not every runtime crops by Pad."""
    first = len(x.shape) - len(borders)
    crops = [
        (axis, max(-before, 0), x.shape[axis] + min(after, 0))
        for axis, (before, after) in enumerate(borders, first)
        if min(before, after) < 0
    ]
    name = x.name
    if crops:
        axes, starts, ends = (np.array(each, INDEX) for each in zip(*crops))
        name = b.add("Slice", name, starts, ends, axes)
    return name, [(max(before, 0), max(after, 0)) for before, after in borders]


def bordered(b: Builder, x: Value, borders: Sequence[tuple[int, int]], mode: str) -> str:
    """A border around the last dimensions that shows the image itself, in one of torch's modes."""
    first = len(x.shape) - len(borders)
    if all(_is_plain(mode, size, *pair) for size, pair in zip(x.shape[first:], borders)):
        name, rest = _cropped(b, x, borders)
        return b.add("Pad", name, _pads(len(x.shape), rest), mode=MODES[mode]) if any(map(any, rest)) else name
    name = x.name
    for axis, (before, after) in enumerate(borders, first):  # what ONNX has no word for: circular
        if before or after:
            name = b.add("Gather", name, source_index(mode, x.shape[axis], before, after), axis=axis)
    return name


def _is_plain(mode: str, size: int, before: int, after: int) -> bool:
    """What is left after cropping, bordered, is what torch gives, whose reflections may reach what is cropped."""
    if mode not in MODES:
        return before <= 0 and after <= 0
    left = np.arange(size)[max(-before, 0) : size + min(after, 0)]
    border = max(before, 0), max(after, 0)
    if not left.size or (mode == "reflect" and max(border) >= left.size):
        return False
    found = np.pad(left, border, "reflect" if mode == "reflect" else "edge")
    return np.array_equal(found, source_index(mode, size, before, after))


def _pads(ndim: int, borders: Sequence[tuple[int, int]]) -> Array:
    """As ONNX has them: what comes before each dimension, then what comes after."""
    rest = [0] * (ndim - len(borders))
    return np.array([*rest, *(before for before, _ in borders), *rest, *(after for _, after in borders)])


def _pairs(padding: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) of each dimension, the first one first, of numbers that begin with the last one."""
    return [(padding[i], padding[i + 1]) for i in range(len(padding) - 2, -1, -2)]
