"""Reading images at any places: grids of places of affine maps, and sampling at the places of a grid.

All is made of smaller ops, so that gradients reach the places, too, and have gradients themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.ops.pointwise.hardtanh import hardtanh

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

_MODES = ("bilinear", "nearest")
_PADDINGS = ("zeros", "border", "reflection")


def _even(steps: int, align_corners: bool) -> Array:
    """The places of `steps` pixels from -1 to 1: their centres, or so that the first and the last are at the ends."""
    if steps <= 1:
        return np.zeros(steps)
    places = np.linspace(-1, 1, steps)
    return places if align_corners else places * (steps - 1) / steps


class AffineGrid(Op):
    """Places (P, dims + 1), with a 1 behind each, through maps (N, dims, dims + 1)."""

    formula = "y = base @ thetaᵀ"
    gradient = ("d_theta = gradᵀ @ base",)
    backward_graph = linear

    def forward(ctx: Any, theta: Array, *, base: Array) -> Array:
        ctx.base = base
        return base @ theta.swapaxes(1, 2)

    def backward(ctx: Any, grad: Array) -> Array:
        return grad.swapaxes(1, 2) @ ctx.base

    def jvp(ctx: Any, tangent: Array) -> Array:
        return ctx.base @ tangent.swapaxes(1, 2)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places that affine maps send the pixels of an image to, for `grid_sample`.

    Formula:
        grid[n, i, j] = theta[n] (x_j, y_i, 1)

    Args:
        theta: the maps.
        size: of the image that is to be made: (N, C, H, W), or (N, C, D, H, W).
        align_corners: -1 and 1 are the centres of the outermost pixels, not their outer edges. None means False.

    Shape:
        theta (N, 2, 3) -> (N, H, W, 2), or (N, 3, 4) -> (N, D, H, W, 3)

    Raises:
        ValueError: theta is not floating-point or of another shape, or a size is not positive.
        NotImplementedError: sizes of other images.

    Source: torch.nn.functional.affine_grid; Jaderberg et al. 2015, "Spatial Transformer Networks", equation 1.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> mirror = lenet.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> F.affine_grid(mirror, (1, 1, 1, 2), align_corners=True)
        tensor([[[[ 1.,  0.],
                  [-1.,  0.]]]])
    """
    size = tuple(int(s) for s in size)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            f"affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {size}"
        )
    dims = len(size) - 2
    if theta.array.ndim != 3 or theta.array.shape[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. Got "
            f"{tuple(theta.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if theta.array.shape[0] != size[0]:
        raise ShapeError(f"affine_grid: theta has {theta.array.shape[0]} maps for a batch of {size[0]}")
    axes = np.meshgrid(*(_even(steps, bool(align_corners)) for steps in size[2:]), indexing="ij")
    places = np.stack([*reversed(axes), np.ones(size[2:])], -1).reshape(-1, dims + 1)
    grid: Tensor = AffineGrid.apply(theta, base=beside(theta.array, places.astype(theta.array.dtype)))
    return grid.reshape(size[0], *size[2:], dims)


@whole
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Reads images at the places of a grid.

    Formula:
        y[n, c, p, q] = input[n, c] at x, y = grid[n, p, q], where (-1, -1) is the upper left corner and (1, 1) the
        lower right one; between pixels by bilinear interpolation, or at the nearest (of two, the even one).

    Args:
        input: images.
        grid: places, x before y.
        mode: "bilinear" or "nearest".
        padding_mode: what is outside of the image: "zeros", the pixel of the "border", or its "reflection".
        align_corners: -1 and 1 are the centres of the outermost pixels, not their outer edges. None means False.

    Shape:
        input (N, C, H, W), grid (N, P, Q, 2) -> (N, C, P, Q)

    Gradient:
        To the grid 0 where mode is "nearest", and on and beyond the border where the padding is not "zeros".

    Raises:
        ValueError: another mode or padding.
        NotImplementedError: mode "bicubic", or volumes.
        ShapeError: shapes that do not fit.
        RuntimeError: input and grid of different types.

    Source: torch.nn.functional.grid_sample; Jaderberg et al. 2015, "Spatial Transformer Networks", equations 3 to 5.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> image = lenet.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> F.grid_sample(image, lenet.tensor([[[[0.0, 0.0], [1.0, -1.0]]]]), align_corners=True)
        tensor([[[[2.5000, 2.0000]]]])
    """
    if mode not in (*_MODES, "bicubic"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if mode == "bicubic":
        raise NotImplementedError("grid_sample: mode='bicubic' is not supported; there are 'bilinear' and 'nearest'")
    _check(input, grid)
    batch, channels, height, width = input.array.shape
    places = grid.array.shape[1:3]
    x, y = (
        _pixels(grid.select(-1, axis).reshape(batch, 1, -1), size, padding_mode, bool(align_corners))
        for axis, size in ((0, width), (1, height))
    )
    flat = input.reshape(batch, channels, height * width)

    def read(column: Tensor, row: Tensor, weight: Tensor) -> Tensor:
        """The pixels of a column and a row each, weighted; 0 outside of the image."""
        i, j = row.array, column.array
        inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
        at = np.where(inside, i, 0).astype(np.int64) * width + np.where(inside, j, 0).astype(np.int64)
        index: Any = like(flat, at)
        outside: Any = like(flat, ~inside)
        return flat.gather(2, index.expand(batch, channels, -1)).masked_fill(outside, 0.0) * weight

    if mode == "nearest":
        still = 1 + x.floor().clamp(0, 0) + y.floor().clamp(0, 0)  # 1, of which the places have the gradient 0
        return read(x.detach().round(), y.detach().round(), still).reshape(batch, channels, *places)
    left, top = x.detach().floor(), y.detach().floor()
    right, bottom = left + 1, top + 1
    result = (
        read(left, top, (right - x) * (bottom - y))
        + read(right, top, (x - left) * (bottom - y))
        + read(left, bottom, (right - x) * (y - top))
        + read(right, bottom, (x - left) * (y - top))
    )
    return result.reshape(batch, channels, *places)


def _check(input: Tensor, grid: Tensor) -> None:
    shapes = f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.array.ndim == 5 and grid.array.ndim == 5:
        raise NotImplementedError(f"grid_sample: volumes are not supported, {shapes}; images are (N, C, H, W)")
    if input.array.ndim != 4 or grid.array.ndim != 4:
        raise ShapeError(f"grid_sample: expected 4D input and grid with same number of dimensions, but {shapes}")
    if input.array.shape[0] != grid.array.shape[0]:
        raise ShapeError(f"grid_sample: expected grid and input to have same batch size, but {shapes}")
    if grid.array.shape[3] != 2:
        raise ShapeError(f"grid_sample: expected grid to have size 2 in last dimension, but {shapes}")
    if 0 in input.array.shape[2:]:
        raise ShapeError(f"grid_sample: expected input to have non-empty spatial dimensions, but {shapes}")
    if input.array.dtype != grid.array.dtype or input.array.dtype.kind != "f":
        raise RuntimeError(
            "grid_sample: expected input and grid to have the same floating-point type, but input has "
            f"{input.dtype} and grid has {grid.dtype}"
        )


def _pixels(place: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Places from -1 to 1 as numbers of pixels, brought into the image as the padding says."""
    x = (place + 1) / 2 * (size - 1) if align_corners else ((place + 1) * size - 1) / 2
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        if not span:
            return x * 0
        x = x - low
        x = x * (1 - 2 * (x.detach() < 0).to(x.dtype))  # its absolute value; at 0 the gradient is 1
        turns = (x.detach() / span).floor()
        ahead = x - turns * span
        x = ahead.where(turns % 2 == 0, span - ahead) + low
    return hardtanh(x, 0, size - 1)
