"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.nn import functional as F
from lenetcli.nn.module import ForPython, Module
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.tensors.tensor import Tensor

Sizes = int | tuple[int, ...]
One = int | tuple[int]
Two = int | tuple[int, int]


class MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None,
        padding: Sizes,
        dilation: Sizes,
        return_indices: bool,
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(MaxPoolNd):
    """The largest value in each window of a sequence; see MaxPool2d.

    Shape:
        (N, C, L) or (C, L) -> (N, C, Q)

    Source: torch.nn.MaxPool1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MaxPool1d(2)(lenet.tensor([[1.0, 3.0, 2.0, 4.0]]))
        tensor([[3., 4.]])
    """

    def __init__(
        self,
        kernel_size: One,
        stride: One | None = None,
        padding: One = 0,
        dilation: One = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, return_indices, ceil_mode)

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(MaxPoolNd):
    """The largest value in each window of an image.

    Args:
        kernel_size: window in pixels, one number or (rows, columns).
        stride: step between windows; the window's size unless given.
        padding: border of minus infinity, at most half the window.
        dilation: step between the window's pixels.
        return_indices: also return where each maximum lies in its flattened image.
        ceil_mode: keep a last, partial window.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, P, Q), where
        P = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Raises:
        ShapeError: the window does not fit into the image.

    Source: torch.nn.MaxPool2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MaxPool2d(2)(lenet.randn(1, 6, 30, 30)).shape
        torch.Size([1, 6, 15, 15])
    """

    native_calls: ClassVar[bool] = True

    def __init__(
        self,
        kernel_size: Two,
        stride: Two | None = None,
        padding: Two = 0,
        dilation: Two = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, return_indices, ceil_mode)

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class Windowed(Module):
    """Layers that print as kernel_size, stride, padding."""

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(Windowed, ForPython):
    """Puts the maxima of MaxPool1d(..., return_indices=True) back where they were; zeros elsewhere.

    Source: torch.nn.MaxUnpool1d.

    Example:
        >>> import lenetcli as lenet
        >>> pooled, indices = lenet.nn.MaxPool1d(2, return_indices=True)(lenet.tensor([[1.0, 3.0, 2.0, 4.0]]))
        >>> lenet.nn.MaxUnpool1d(2)(pooled, indices)
        tensor([[0., 3., 0., 4.]])
    """

    takes = "an input and the indices of a pooling"

    def __init__(self, kernel_size: One, stride: One | None = None, padding: One = 0) -> None:
        super().__init__()
        self.kernel_size = per_dimension("kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else per_dimension("stride", stride, 1, 1)
        self.padding = per_dimension("padding", padding, 1, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(Windowed, ForPython):
    """Puts the maxima of MaxPool2d(..., return_indices=True) back where they were; zeros elsewhere.

    Shape:
        (N, C, P, Q) or (C, P, Q) -> (N, C, H, W), H = (P - 1) stride - 2 padding + kernel_size

    Source: torch.nn.MaxUnpool2d.

    Example:
        >>> import lenetcli as lenet
        >>> pooled, indices = lenet.nn.MaxPool2d(2, return_indices=True)(lenet.arange(4.0).view(1, 2, 2))
        >>> lenet.nn.MaxUnpool2d(2)(pooled, indices)
        tensor([[[0., 0.],
                 [0., 3.]]])
    """

    takes = "an input and the indices of a pooling"

    def __init__(
        self,
        kernel_size: Two,
        stride: Two | None = None,
        padding: Two = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = per_dimension("kernel_size", kernel_size, 2, 1)
        self.stride = self.kernel_size if stride is None else per_dimension("stride", stride, 2, 1)
        self.padding = per_dimension("padding", padding, 2, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class AvgPool1d(Windowed):
    """The mean of each window of a sequence; see AvgPool2d.

    Shape:
        (N, C, L) or (C, L) -> (N, C, Q)

    Source: torch.nn.AvgPool1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AvgPool1d(2)(lenet.tensor([[1.0, 3.0, 2.0, 4.0]]))
        tensor([[2., 3.]])
    """

    def __init__(
        self,
        kernel_size: One,
        stride: One | None = None,
        padding: One = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = per_dimension("kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else per_dimension("stride", stride, 1, 1)
        self.padding = per_dimension("padding", padding, 1, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(Windowed):
    """The mean of each window of an image.

    Args:
        kernel_size: window in pixels, one number or (rows, columns).
        stride: step between windows; the window's size unless given.
        padding: border of zeros, at most half the window.
        ceil_mode: keep a last, partial window.
        count_include_pad: whether the border's zeros count in the mean.
        divisor_override: divide by this instead of the count.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, P, Q), with P as for MaxPool2d.

    Raises:
        ShapeError: the window does not fit into the image.

    Source: torch.nn.AvgPool2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.AvgPool2d(2)(lenet.randn(1, 6, 30, 30)).shape
        torch.Size([1, 6, 15, 15])
    """

    native_calls: ClassVar[bool] = True

    def __init__(
        self,
        kernel_size: Two,
        stride: Two | None = None,
        padding: Two = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class LPPoolNd(Module):
    def __init__(self, norm_type: float, kernel_size: Sizes, stride: Sizes | None, ceil_mode: bool) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(LPPoolNd):
    """The p-norm of each window of a sequence. Source: torch.nn.LPPool1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LPPool1d(2, 2)(lenet.tensor([[3.0, 4.0]]))
        tensor([[5.]])
    """

    def __init__(self, norm_type: float, kernel_size: One, stride: One | None = None, ceil_mode: bool = False) -> None:
        super().__init__(norm_type, kernel_size, stride, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(LPPoolNd):
    """The p-norm of each window of an image: the sum of x^p, to the power of 1 / p.

    Args:
        norm_type: p; 1 is the sum.
        kernel_size: window in pixels, one number or (rows, columns).
        stride: step between windows; the window's size unless given.
        ceil_mode: keep a last, partial window.

    Source: torch.nn.LPPool2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LPPool2d(2, (1, 2))(lenet.tensor([[[3.0, 4.0]]]))
        tensor([[[5.]]])
    """

    def __init__(self, norm_type: float, kernel_size: Two, stride: Two | None = None, ceil_mode: bool = False) -> None:
        super().__init__(norm_type, kernel_size, stride, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
