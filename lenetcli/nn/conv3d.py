"""Convolution layers of volumes."""

from __future__ import annotations

from typing import Any, Literal

from lenetcli.nn import functional as F
from lenetcli.nn.conv import ConvNd, ConvTransposeNd, Named, PaddingMode
from lenetcli.tensors.tensor import Tensor

Three = int | tuple[int, int, int]


class Conv3d(ConvNd):
    """Slides a bank of filters over volumes, such as pictures in a row; see Conv2d.

    Args:
        in_channels: channels of the input.
        out_channels: number of filters.
        kernel_size, stride, padding, dilation: as in Conv2d, one number or (depth, rows, columns).
        groups: splits channels into groups that do not see each other.
        bias: learn an additive bias.
        padding_mode: what the border shows; see `functional.pad`.

    Shape:
        (N, in_channels, D, H, W) or (in_channels, D, H, W) -> (N, out_channels, P, Q, R), each size as in Conv2d;
        weight (out_channels, in_channels / groups, depth, rows, columns), bias (out_channels,)

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels or is smaller than the filters.

    Source: torch.nn.Conv3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Conv3d(1, 6, 3)(lenet.randn(2, 1, 5, 8, 8)).shape
        torch.Size([2, 6, 3, 6, 6])
    """

    dims = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Three,
        stride: Three = 1,
        padding: Three | Named = 0,
        dilation: Three = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(F.conv3d, input)


class ConvTranspose3d(ConvTransposeNd):
    """Spreads each place of a volume over a filter's extent; see ConvTranspose2d.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size, stride, padding, output_padding, dilation: as in ConvTranspose2d, one number or (depth, rows,
            columns).
        groups: splits channels into groups that do not see each other.
        bias: learn an additive bias.
        padding_mode: zeros.

    Shape:
        (N, in_channels, D, H, W) or (in_channels, D, H, W) -> (N, out_channels, P, Q, R), each size as in
        ConvTranspose2d; weight (in_channels, out_channels / groups, depth, rows, columns), bias (out_channels,)

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels.

    Source: torch.nn.ConvTranspose3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConvTranspose3d(6, 1, 2, stride=2)(lenet.randn(2, 6, 3, 4, 4)).shape
        torch.Size([2, 1, 6, 8, 8])
    """

    dims = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Three,
        stride: Three = 1,
        padding: Three = 0,
        output_padding: Three = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Three = 1,
        padding_mode: Literal["zeros"] = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: list[int] | tuple[int, ...] | None = None) -> Tensor:
        more = self._output_padding(input, output_size)
        return F.conv_transpose3d(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )
