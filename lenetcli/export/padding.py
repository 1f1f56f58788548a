"""Borders, as ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.export.graph import INDEX, Array, Builder, Growing, Value, lowers
from lenetcli.kernels.padding import source_index
from lenetcli.ops.shaping import pad as ops

MODES = {"reflect": "reflect", "replicate": "edge"}  # torch's names and ONNX's
Borders = Sequence[tuple[int, int]]


@lowers(ops.ConstantPadNd, any_batch=True)
def constant_pad(b: Builder, x: Value, borders: Borders, value: float) -> Any:
    return framed(b, x, borders, value)


def _edges(mode: str) -> Any:
    def lower(b: Builder, x: Value, borders: Borders) -> Any:
        return bordered(b, x, borders, mode)

    return lower


for _ops, _mode in (
    ((ops.ReflectionPad1D, ops.ReflectionPad2D, ops.ReflectionPad3D), "reflect"),
    ((ops.ReplicationPad1D, ops.ReplicationPad2D, ops.ReplicationPad3D), "replicate"),
    ((ops.CircularPad,), "circular"),
):
    lowers(*_ops)(_edges(_mode))


def framed(b: Builder, x: Value, borders: Borders, value: float) -> Any:
    """A constant border around all dimensions, or the last ones; negative ones crop."""
    borders = [*[(0, 0)] * (x.ndim - len(borders)), *borders]
    name, rest = _cropped(b, x, borders)
    if not any(map(any, rest)):
        return name
    return b.add("Pad", name, _pads(rest), np.array(value, x.kind), mode="constant")


def _cropped(b: Builder, x: Value, borders: Borders) -> tuple[Any, list[tuple[int, int]]]:
    """Less what negative borders take away, and the borders that are left: not every runtime crops by Pad."""
    crops = [
        (axis, max(-before, 0), min(after, 0) if isinstance(x.shape[axis], Growing) else x.shape[axis] + min(after, 0))
        for axis, (before, after) in enumerate(borders)
        if min(before, after) < 0
    ]
    name: Any = x
    if crops:
        axes, starts, ends = (np.array(each, INDEX) for each in zip(*crops))
        ends[(ends == 0) & [isinstance(x.shape[axis], Growing) for axis in axes]] = np.iinfo(INDEX).max
        name = b.add("Slice", x, starts, ends, axes)
    return name, [(max(before, 0), max(after, 0)) for before, after in borders]


def bordered(b: Builder, x: Value, borders: Borders, mode: str) -> Any:
    """A border that shows the image itself, in one of torch's modes."""
    if all(_is_plain(mode, size, *pair) for size, pair in zip(x.shape, borders) if any(pair)):
        name, rest = _cropped(b, x, borders)
        return b.add("Pad", name, _pads(rest), mode=MODES[mode]) if any(map(any, rest)) else name
    name = x
    for axis, (before, after) in enumerate(borders):  # what ONNX has no word for: circular
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


def _pads(borders: Borders) -> Array:
    """As ONNX has them: what comes before each dimension, then what comes after."""
    return np.array([*(before for before, _ in borders), *(after for _, after in borders)])
