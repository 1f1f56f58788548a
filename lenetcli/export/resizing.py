"""Upsampling, as ONNX's Resize or, where rounding decides what a place shows, by the engine's own choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.export import numpy_ops
from lenetcli.export.graph import FLOAT, INDEX, Array, Builder, Value, lowers
from lenetcli.export.pooling import adaptive_avg_pool, mixed
from lenetcli.kernels.resize import Tap, cubic_taps, linear_taps, nearest_taps
from lenetcli.nn import functional as F
from lenetcli.ops.nn.geometry import per_dimension

POSITION = 2.0**-22  # what the rounding of positions makes of the shares, for each pixel of an axis
Taps = Sequence[Sequence[Tap]]


@dataclass(frozen=True)
class _Upsample:
    """The arguments of the call."""

    size: Any
    scale_factor: Any
    mode: str
    align_corners: bool | None
    recompute_scale_factor: bool | None


@lowers(F.interpolate)
def interpolate(
    b: Builder,
    input: Value,
    size: Any,
    scale_factor: Any,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
) -> Any:
    """Resize, where its positions are the engine's however they are rounded; else Gather, or products with shares.

    Of opset 18's ways to say the size only `scales` leaves the batch open and is read everywhere.
    """
    x, layer = input, _Upsample(size, scale_factor, mode, align_corners, recompute_scale_factor)
    out, factors = _sizes(layer, x.shape[2:])
    if mode == "area":
        b.op = f"adaptive_avg_pool{len(out)}d"
        return adaptive_avg_pool(b, x, tuple(out))
    taps = _taps(layer, x.shape[2:], out, factors)
    words = _words(layer)
    scales = [_scale(n, f or o / n, each, words) for n, o, f, each in zip(x.shape[2:], out, factors, taps)]
    if None in scales:
        return _by_hand(b, x, taps)
    return b.add("Resize", x, None, np.array([1, 1, *scales], FLOAT), **words)


def _words(layer: _Upsample) -> dict[str, Any]:
    """What Resize calls torch's modes."""
    if layer.mode == "nearest":
        return {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if layer.mode == "nearest-exact":
        words = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
        return {"mode": "nearest", **words}
    corners = "align_corners" if layer.align_corners else "half_pixel"
    if layer.mode == "bicubic":
        return {"mode": "cubic", "coordinate_transformation_mode": corners, "cubic_coeff_a": -0.75}
    return {"mode": "linear", "coordinate_transformation_mode": corners}


def _scale(size: int, factor: float, taps: Sequence[Tap], words: dict[str, Any]) -> Any:
    """What makes Resize give an axis the size and the shares that the engine gives it; None where nothing does.

    The factor or, where its rounding would lose the last place, the next number.
    """
    wanted = _shares(size, taps)
    if words["coordinate_transformation_mode"] == "align_corners":  # readers differ in what part of a pixel does there
        factor = wanted.shape[1] / size
    for scale in (FLOAT.type(factor), np.nextafter(FLOAT.type(factor), FLOAT.type(np.inf))):
        if all(_agree(size, np.array([1, 1, scale, 1], kind), wanted, words) for kind in (FLOAT, np.float64)):
            return scale
    return None


def _agree(size: int, scales: Array, wanted: Array, words: dict[str, Any]) -> bool:
    """In the precision of the scales."""
    if int(size * scales[2]) != wanted.shape[1]:
        return False
    pixels = np.eye(size, dtype=scales.dtype)[:, None, :, None]
    found = numpy_ops.resize(pixels, None, scales, **words)[:, 0, :, 0]
    return bool(np.allclose(found, wanted, rtol=0, atol=1e-6 + size * POSITION))


def _by_hand(b: Builder, x: Value, taps: Taps) -> Any:
    """Pixels that are taken as they are, are gathered; blends are products with a matrix of shares."""
    name: Any = x
    for axis, each in enumerate(taps, 2):
        if len(each) > 1:
            name = mixed(b, name, _shares(x.shape[axis], each), axis, x.ndim)
        elif each[0][0].tolist() != list(range(x.shape[axis])):
            name = b.add("Gather", name, each[0][0].astype(INDEX), axis=axis)
    return name


def _shares(size: int, taps: Sequence[Tap]) -> Array:
    """(old size, new size): how much of each pixel is in each new one."""
    shares = np.zeros((size, len(taps[0][0])), FLOAT)
    for index, weight in taps:
        np.add.at(shares, (index, np.arange(shares.shape[1])), 1 if weight is None else weight)
    return shares


def _sizes(layer: _Upsample, image: tuple[int, ...]) -> tuple[Sequence[int], list[float | None]]:
    """The new sizes, and the factors that say where in the image a place lies; None where the sizes alone say it."""
    dims, factor = len(image), layer.scale_factor
    if factor is None:
        return per_dimension("size", layer.size, dims), [None] * dims
    each = factor if isinstance(factor, (tuple, list)) else (factor,) * dims
    return [int(n * f) for n, f in zip(image, each)], [None if layer.recompute_scale_factor else f for f in each]


def _taps(layer: _Upsample, image: tuple[int, ...], out: Sequence[int], factors: Sequence[float | None]) -> Taps:
    """For each axis: which pixels each new one is made of, and in what shares."""
    dims, sizes = len(image), list(zip(image, out, factors))
    if layer.mode in ("nearest", "nearest-exact"):
        return [nearest_taps(n, o, f, layer.mode == "nearest-exact", FLOAT, dims) for n, o, f in sizes]
    blend = cubic_taps if layer.mode == "bicubic" else linear_taps
    return [blend(n, o, f, bool(layer.align_corners), FLOAT, dims) for n, o, f in sizes]
