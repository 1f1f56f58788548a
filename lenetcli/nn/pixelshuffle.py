"""Layers that turn channels into pixels and back."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class PixelShuffle(Module):
    """Turns every r * r channels into blocks of r x r pixels: (*, C r r, H, W) -> (*, C, H r, W r).

    Args:
        upscale_factor: r.

    Source: torch.nn.PixelShuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.PixelShuffle(3)(lenet.randn(1, 9, 4, 4)).shape
        torch.Size([1, 1, 12, 12])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Turns blocks of r x r pixels into channels: (*, C, H r, W r) -> (*, C r r, H, W).

    Args:
        downscale_factor: r.

    Source: torch.nn.PixelUnshuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.PixelUnshuffle(3)(lenet.randn(1, 1, 12, 12)).shape
        torch.Size([1, 9, 4, 4])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
