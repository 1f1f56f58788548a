"""Layers that turn windows of an image into columns, and back."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor

Sizes = int | tuple[int, int]


class Unfold(Module):
    """The windows of images as columns: (N, C, H, W) -> (N, C * rows * columns, windows).

    Args:
        kernel_size: window in pixels, one number or (rows, columns).
        dilation: step between the window's pixels.
        padding: border of zeros.
        stride: step between windows.

    Raises:
        ShapeError: no window fits.

    Source: torch.nn.Unfold.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Unfold((2, 3))(lenet.randn(2, 5, 3, 4)).shape
        torch.Size([2, 30, 4])
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Puts columns back as windows of an image and adds where they overlap: the gradient of Unfold.

    Args:
        output_size: rows and columns of the image.
        kernel_size, dilation, padding, stride: of the windows, as for Unfold.

    Raises:
        ShapeError: the columns do not fit the windows.

    Source: torch.nn.Fold.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Fold(output_size=(4, 5), kernel_size=(2, 2))(lenet.randn(1, 12, 12)).shape
        torch.Size([1, 3, 4, 5])
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
