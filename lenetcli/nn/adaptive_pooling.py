"""Pooling layers whose windows follow from the size of the output."""

from __future__ import annotations

from typing import Any

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.nn.pooling import One
from lenetcli.tensors.tensor import Tensor

Some = int | tuple[int | None, int | None, int | None]


class Adaptive(Module):
    """Layers that print their output's size."""

    output_size: Any

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(Adaptive):
    """Means of `output_size` windows that together cover a sequence. Source: torch.nn.AdaptiveAvgPool1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveAvgPool1d(1)(lenet.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2.]])
    """

    def __init__(self, output_size: One) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(Adaptive):
    """Means of windows that together cover an image of any size.

    Args:
        output_size: rows and columns of the result, or one number for both; None keeps the image's size.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, *output_size)

    Source: torch.nn.AdaptiveAvgPool2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveAvgPool2d((5, None))(lenet.randn(1, 64, 8, 9)).shape
        torch.Size([1, 64, 5, 9])
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveMaxPool1d(Adaptive):
    """The greatest values of `output_size` windows that together cover a sequence.

    Args:
        output_size: length of the result.
        return_indices: also return where each maximum lies.

    Source: torch.nn.AdaptiveMaxPool1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveMaxPool1d(1)(lenet.tensor([[1.0, 3.0, 2.0]]))
        tensor([[3.]])
    """

    def __init__(self, output_size: One, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(Adaptive):
    """The greatest values of windows that together cover an image of any size.

    Args:
        output_size: rows and columns of the result, or one number for both; None keeps the image's size.
        return_indices: also return where each maximum lies in its flattened image.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, *output_size)

    Source: torch.nn.AdaptiveMaxPool2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveMaxPool2d((5, 7))(lenet.randn(1, 64, 8, 9)).shape
        torch.Size([1, 64, 5, 7])
    """

    def __init__(self, output_size: int | tuple[int | None, int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveAvgPool3d(Adaptive):
    """Means of windows that together cover a volume of any size. Source: torch.nn.AdaptiveAvgPool3d.

    Args:
        output_size: depths, rows and columns of the result, or one number for all; None keeps the volume's size.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveAvgPool3d((5, None, 7))(lenet.randn(1, 4, 8, 9, 10)).shape
        torch.Size([1, 4, 5, 9, 7])
    """

    def __init__(self, output_size: Some) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool3d(Adaptive):
    """The greatest values of windows that together cover a volume of any size. Source: torch.nn.AdaptiveMaxPool3d.

    Args:
        output_size: depths, rows and columns of the result, or one number for all; None keeps the volume's size.
        return_indices: also return where each maximum lies in its flattened volume.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AdaptiveMaxPool3d((5, 7, 9))(lenet.randn(1, 4, 8, 9, 10)).shape
        torch.Size([1, 4, 5, 7, 9])
    """

    def __init__(self, output_size: Some, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
