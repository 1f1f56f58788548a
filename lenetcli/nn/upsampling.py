"""Layers that resize."""

from __future__ import annotations

from typing import Literal

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class Upsample(Module):
    """Resizes images (N, C, H, W) or sequences (N, C, L); see `functional.interpolate`.

    Args:
        size: the new size, one number or one for each dimension.
        scale_factor: the factor instead.
        mode: nearest, linear (sequences), bilinear or bicubic (images).
        align_corners: for the blending modes: whether the corner pixels' centres stay in the corners.
        recompute_scale_factor: derive the factor anew from the new size, which is a whole number.

    Raises:
        ValueError: both size and scale_factor, or neither.

    Source: torch.nn.Upsample.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Upsample(scale_factor=2)(lenet.randn(1, 3, 4, 5)).shape
        torch.Size([1, 3, 8, 10])
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact"] = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, (tuple, list)):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode, self.align_corners, self.recompute_scale_factor = mode, align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        shown = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{shown}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images with mode "nearest". Source: torch.nn.UpsamplingNearest2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.UpsamplingNearest2d(scale_factor=2)(lenet.randn(1, 3, 4, 5)).shape
        torch.Size([1, 3, 8, 10])
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images with mode "bilinear", corners aligned. Source: torch.nn.UpsamplingBilinear2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.UpsamplingBilinear2d(scale_factor=2)(lenet.randn(1, 3, 4, 5)).shape
        torch.Size([1, 3, 8, 10])
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
