"""Resizing of images and sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, images, is_channels_last, logical, pixels, stored
from lenetcli.kernels.resize import Tap, cubic_taps, linear_taps, nearest_taps
from lenetcli.ops.nn.adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d
from lenetcli.ops.nn.pool3d import adaptive_avg_pool3d
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Mode = Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"]


class UpsampleNearest1D(Op):
    """Resamples the dimensions behind (N, C), the last one first; `taps` are those of each dimension."""

    formula = "y = the nearest x"
    gradient = ("d_x = Σ of grad over the places that took x",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, taps: list[list[Tap]]) -> Array:
        ctx.sizes, ctx.taps, ctx.channels_last = x.shape[2:], taps, is_channels_last(x)
        y = pixels(x) if ctx.channels_last else stored(x)
        for axis in range(len(taps), 0, -1):
            y = kernels.resample(y, axis, taps[axis - 1])
        return images(y) if ctx.channels_last else logical(y)

    def backward(ctx: Any, grad: Array) -> Array:
        d_x = pixels(grad) if ctx.channels_last else stored(grad)
        for axis, (size, taps) in enumerate(zip(ctx.sizes, ctx.taps), 1):
            d_x = kernels.resample_backward(d_x, axis, size, taps)
        return images(d_x) if ctx.channels_last else logical(d_x)


class UpsampleNearest2D(UpsampleNearest1D):
    pass


class UpsampleNearestExact1D(UpsampleNearest1D):
    pass


class UpsampleNearestExact2D(UpsampleNearest1D):
    pass


class UpsampleNearest3D(UpsampleNearest1D):
    pass


class UpsampleNearestExact3D(UpsampleNearest1D):
    pass


class UpsampleLinear1D(UpsampleNearest1D):
    formula = "y = a weighted mean of the nearest x"
    gradient = ("d_x = Σ of grad with the same weights",)


class UpsampleBilinear2D(UpsampleNearest1D):
    formula = "y = a weighted mean of the nearest x"
    gradient = ("d_x = Σ of grad with the same weights",)


class UpsampleTrilinear3D(UpsampleNearest1D):
    formula = "y = a weighted mean of the nearest x"
    gradient = ("d_x = Σ of grad with the same weights",)


class UpsampleBicubic2D(UpsampleNearest1D):
    formula = "y = a weighted mean of the 4 × 4 nearest x"
    gradient = ("d_x = Σ of grad with the same weights",)


_MODES: dict[tuple[str, int], tuple[type[Op], Callable[..., list[Tap]]]] = {
    ("nearest", 3): (UpsampleNearest1D, nearest_taps),
    ("nearest", 4): (UpsampleNearest2D, nearest_taps),
    ("nearest-exact", 3): (UpsampleNearestExact1D, nearest_taps),
    ("nearest-exact", 4): (UpsampleNearestExact2D, nearest_taps),
    ("nearest", 5): (UpsampleNearest3D, nearest_taps),
    ("nearest-exact", 5): (UpsampleNearestExact3D, nearest_taps),
    ("trilinear", 5): (UpsampleTrilinear3D, linear_taps),
    ("linear", 3): (UpsampleLinear1D, linear_taps),
    ("bilinear", 4): (UpsampleBilinear2D, linear_taps),
    ("bicubic", 4): (UpsampleBicubic2D, cubic_taps),
}


@whole
def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: Mode = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resizes images (N, C, H, W), sequences (N, C, L) or volumes (N, C, D, H, W).

    Args:
        size: the new size, one number or one for each dimension.
        scale_factor: the factor instead; the new size is floor(old size * factor).
        mode: "nearest" takes the pixel under each new pixel's first edge, "nearest-exact" that under its centre;
            "linear" (sequences), "bilinear" and "bicubic" (images), "trilinear" (volumes) blend neighbours; "area"
            takes means.
        align_corners: for the blending modes: whether the corner pixels' centres stay in the corners; else their edges.
        recompute_scale_factor: derive the factor anew from the new size, which is a whole number.
        antialias: must be False.

    Shape:
        (N, C, L) -> (N, C, Q), (N, C, H, W) -> (N, C, P, Q) or (N, C, D, H, W) -> (N, C, P, Q, R)

    Gradient:
        Each new pixel's, to the pixels it was taken from, by their weights.

    Raises:
        ValueError: both size and scale_factor, or neither, or a wrong number of them.
        NotImplementedError: a mode that does not go with the number of dimensions, or antialias.
        ShapeError: an empty image or result.

    Source: torch.nn.functional.interpolate.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.interpolate(lenet.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
        tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not supported")
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError(f'interpolate: align_corners has no meaning for mode "{mode}"')
    if recompute_scale_factor and size is not None:
        raise ValueError("interpolate: recompute_scale_factor is not meaningful with an explicit size")
    shape = input.array.shape
    if len(shape) not in (3, 4, 5) or (mode != "area" and (mode, len(shape)) not in _MODES):
        raise NotImplementedError(
            f'interpolate: mode "{mode}" does not go with an input of {len(shape)} dimensions {list(shape)}; (N, C, L) '
            "has nearest, nearest-exact, linear and area, (N, C, H, W) nearest, nearest-exact, bilinear, bicubic, "
            "area, (N, C, D, H, W) nearest, nearest-exact, trilinear, area"
        )
    out, scales = _sizes(shape[2:], size, scale_factor, bool(recompute_scale_factor) or mode == "area")
    if mode == "area":
        return {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}[len(out)](input, out)
    if min(out) < 1 or 0 in shape[1:]:
        raise ShapeError(
            f"interpolate: input and output sizes should be greater than 0, got input {list(shape)} and output {out}"
        )
    kind = input.array.dtype
    if kind.kind != "f" and (kind != np.uint8 or not mode.startswith("nearest")):
        raise NotImplementedError(f'interpolate: mode "{mode}" is not implemented for {input.dtype}')
    op, taps_of = _MODES[mode, len(shape)]
    option = mode == "nearest-exact" if mode.startswith("nearest") else bool(align_corners)
    precision = np.dtype(np.float64 if kind == np.float64 else np.float32)
    taps = [taps_of(n, m, s, option, precision, len(out)) for n, m, s in zip(shape[2:], out, scales)]
    return op.apply(input, taps=taps)


def _sizes(
    image: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool
) -> tuple[list[int], Sequence[float | None]]:
    """The new sizes and, where they were asked for and count, the factors."""
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "interpolate: only one of size or scale_factor should be defined"
            if size is not None
            else "interpolate: either size or scale_factor should be defined"
        )
    name, given = ("size", size) if size is not None else ("scale_factor", scale_factor)
    each = list(given) if isinstance(given, (tuple, list)) else [given] * len(image)
    if len(each) != len(image):
        raise ValueError(
            f"interpolate: {name} must have {len(image)} numbers for an image of {list(image)}, got {given}"
        )
    if any(
        isinstance(v, bool) or not isinstance(v, (int, np.integer) if size is not None else (int, float, np.number))
        for v in each
    ):
        raise TypeError(f"interpolate: {name} must be {'integers' if size is not None else 'numbers'}, got {given!r}")
    if size is None:
        out = [int(n * float(f)) for n, f in zip(image, each)]
        return out, [None] * len(image) if recompute else [float(f) for f in each]
    return [int(n) for n in each], [None] * len(image)
