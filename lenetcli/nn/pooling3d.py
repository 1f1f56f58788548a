"""Pooling layers of volumes."""

from __future__ import annotations

from typing import Any

from lenetcli.nn import functional as F
from lenetcli.nn.module import ForPython
from lenetcli.nn.pooling import LPPoolNd, MaxPoolNd, Windowed
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.tensors.tensor import Tensor

Three = int | tuple[int, int, int]


class MaxPool3d(MaxPoolNd):
    """The largest value in each window of a volume; see MaxPool2d.

    Args:
        kernel_size, stride, padding, dilation: as in MaxPool2d, one number or (depth, rows, columns).
        return_indices: also return where each maximum lies in its flattened volume.
        ceil_mode: keep a last, partial window.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> (N, C, P, Q, R)

    Raises:
        ShapeError: the window does not fit into the volume.

    Source: torch.nn.MaxPool3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MaxPool3d(2)(lenet.randn(1, 6, 4, 8, 8)).shape
        torch.Size([1, 6, 2, 4, 4])
    """

    def __init__(
        self,
        kernel_size: Three,
        stride: Three | None = None,
        padding: Three = 0,
        dilation: Three = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, return_indices, ceil_mode)

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxUnpool3d(Windowed, ForPython):
    """Puts maxima of volumes back where they were, zeros elsewhere; see MaxUnpool2d.

    Args:
        kernel_size, stride, padding: of the pool, one number or (depth, rows, columns).

    Source: torch.nn.MaxUnpool3d.

    Example:
        >>> import lenetcli as lenet
        >>> y, indices = lenet.nn.MaxPool3d(2, return_indices=True)(lenet.randn(1, 1, 4, 4, 4))
        >>> lenet.nn.MaxUnpool3d(2)(y, indices).shape
        torch.Size([1, 1, 4, 4, 4])
    """

    takes = "a pool's maxima and their indices"

    def __init__(self, kernel_size: Three, stride: Three | None = None, padding: Three = 0) -> None:
        super().__init__()
        self.kernel_size = per_dimension("kernel_size", kernel_size, 3, 1)
        self.stride = self.kernel_size if stride is None else per_dimension("stride", stride, 3, 1)
        self.padding = per_dimension("padding", padding, 3, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class AvgPool3d(Windowed):
    """The mean of each window of a volume; see AvgPool2d.

    Args:
        kernel_size, stride, padding: as in AvgPool2d, one number or (depth, rows, columns).
        ceil_mode: keep a last, partial window.
        count_include_pad: whether the border's zeros count in the mean.
        divisor_override: divide by this instead of the count.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> (N, C, P, Q, R)

    Raises:
        ShapeError: the window does not fit into the volume.

    Source: torch.nn.AvgPool3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AvgPool3d(2)(lenet.randn(1, 6, 4, 8, 8)).shape
        torch.Size([1, 6, 2, 4, 4])
    """

    def __init__(
        self,
        kernel_size: Three,
        stride: Three | None = None,
        padding: Three = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class LPPool3d(LPPoolNd):
    """The p-norm of each window of a volume: the sum of x^p, to the power of 1 / p. Source: torch.nn.LPPool3d.

    Args:
        norm_type: p; 1 is the sum.
        kernel_size, stride: as in LPPool2d, one number or (depth, rows, columns).
        ceil_mode: keep a last, partial window.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LPPool3d(2, (1, 1, 2))(lenet.tensor([[[[3.0, 4.0]]]]))
        tensor([[[[5.]]]])
    """

    def __init__(
        self, norm_type: float, kernel_size: Three, stride: Three | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__(norm_type, kernel_size, stride, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
