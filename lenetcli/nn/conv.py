"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor

Named = Literal["same", "valid"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class ConvNd(Module):
    """What all convolution layers share: their arguments, parameters and how they print."""

    from_input: ClassVar[dict[str, int | slice]] = {"in_channels": 0}
    dims: ClassVar[int]
    transposed: ClassVar[bool] = False

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, dims = type(self).__name__, self.dims
        if groups <= 0:
            raise ValueError(f"{name}: groups must be a positive integer, got {groups}")
        for word, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name}: {word} must be divisible by groups, got {channels} and groups={groups}")
        self.stride: tuple[int, ...] = per_dimension("stride", stride, dims, 1)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding must be 'same', 'valid' or numbers, got {padding!r}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(f"{name}: padding='same' is not supported for strided convolutions, stride={stride}")
            self.padding: Any = padding
        else:
            self.padding = per_dimension("padding", padding, dims, 0)
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f"{name}: padding_mode must be one of {', '.join(modes)}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size: tuple[int, ...] = per_dimension("kernel_size", kernel_size, dims, 1)
        self.dilation: tuple[int, ...] = per_dimension("dilation", dilation, dims, 1)
        self.output_padding: tuple[int, ...] = per_dimension("output_padding", output_padding, dims, 0)
        self.padding_mode: Any = padding_mode
        filters = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(
            creation.empty(filters[0], filters[1] // groups, *self.kernel_size, device=device, dtype=dtype)
        )
        if bias:
            self.bias = Parameter(creation.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init.fan(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        words = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * self.dims:
                words.append(f"{name}={value}")
        if self.groups != 1:
            words.append(f"groups={self.groups}")
        if self.bias is None:
            words.append("bias=False")
        if self.padding_mode != "zeros":
            words.append(f"padding_mode={self.padding_mode}")
        return ", ".join(words)

    def _convolve(self, convolution: Callable[..., Tensor], input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), mode=self.padding_mode), 0
        return convolution(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _borders(self) -> list[int]:
        """(before, after) of each dimension, the last one first, as `pad` takes them."""
        if self.padding == "valid":
            return [0, 0] * self.dims
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
        else:
            totals = [2 * p for p in self.padding]
        return [side for total in reversed(totals) for side in (total // 2, total - total // 2)]


class Conv1d(ConvNd):
    """Slides a bank of filters over sequences; see Conv2d.

    Shape:
        (N, in_channels, L) or (in_channels, L) -> (N, out_channels, Q), where
        Q = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels or is shorter than the filters.

    Source: torch.nn.Conv1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Conv1d(16, 33, 3, stride=2)(lenet.randn(20, 16, 50)).shape
        torch.Size([20, 33, 24])
    """

    dims = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] | Named = 0,
        dilation: int | tuple[int] = 1,
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
        return self._convolve(F.conv1d, input)


class Conv2d(ConvNd):
    """Slides a bank of filters over images.

    Formula:
        y[n, o] = bias[o] + sum over c of weight[o, c] cross-correlated with x[n, c]

    Args:
        in_channels: channels of the input.
        out_channels: number of filters.
        kernel_size: size of a filter in pixels, one number or (rows, columns).
        stride: step between positions.
        padding: border on each side, in pixels; 'same' keeps the size (stride 1 only), 'valid' is none.
        dilation: step between the filter's pixels.
        groups: splits channels into groups that do not see each other.
        bias: learn an additive bias.
        padding_mode: what the border shows; see `functional.pad`.

    Shape:
        (N, in_channels, H, W) or (in_channels, H, W) -> (N, out_channels, P, Q), where
        P = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1;
        weight (out_channels, in_channels / groups, rows, columns), bias (out_channels,).
        Both start as U(-k, k) with k = 1 / sqrt(in_channels / groups rows columns).

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels or is smaller than the filters.

    Source: torch.nn.Conv2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Conv2d(1, 6, 3)(lenet.randn(64, 1, 32, 32)).shape
        torch.Size([64, 6, 30, 30])
    """

    native_calls: ClassVar[bool] = True

    dims = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Named = 0,
        dilation: int | tuple[int, int] = 1,
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
        return self._convolve(F.conv2d, input)


class ConvTransposeNd(ConvNd):
    """What both transposed convolution layers share: the choice of `output_padding` from an `output_size`."""

    transposed = True

    def _output_padding(self, input: Tensor, output_size: list[int] | tuple[int, ...] | None) -> tuple[int, ...]:
        if output_size is None:
            return self.output_padding
        spatial = input.array.shape[-self.dims :]
        before = input.array.ndim - self.dims
        if len(output_size) == before + self.dims:
            output_size = output_size[before:]
        if len(output_size) != self.dims:
            raise ValueError(
                f"{type(self).__name__}: output_size must have {self.dims} or {before + self.dims} elements "
                f"(got {len(output_size)})"
            )
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(spatial, self.stride, self.padding, self.dilation, self.kernel_size)
        ]
        most = [low + s - 1 for low, s in zip(least, self.stride)]
        if any(not low <= size <= high for size, low, high in zip(output_size, least, most)):
            raise ValueError(
                f"{type(self).__name__}: requested an output size of {list(output_size)}, but valid sizes range from "
                f"{least} to {most} (for an input of {list(spatial)})"
            )
        return tuple(size - low for size, low in zip(output_size, least))


class ConvTranspose1d(ConvTransposeNd):
    """Spreads each step of a sequence over a filter's length; see ConvTranspose2d.

    Shape:
        (N, in_channels, L) or (in_channels, L) -> (N, out_channels, Q), where
        Q = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels.

    Source: torch.nn.ConvTranspose1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConvTranspose1d(16, 33, 3, stride=2)(lenet.randn(20, 16, 50)).shape
        torch.Size([20, 33, 101])
    """

    dims = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] = 0,
        output_padding: int | tuple[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int] = 1,
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
        return F.conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )


class ConvTranspose2d(ConvTransposeNd):
    """Spreads each pixel over a filter's area: what a convolution does to gradients, as a layer.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of a filter in pixels, one number or (rows, columns).
        stride: step between the places that neighbouring pixels spread to.
        padding: how much of the result's border is cut off on each side.
        output_padding: how much the result grows at the right and bottom.
        groups: splits channels into groups that do not see each other.
        bias: learn an additive bias.
        dilation: step between the filter's pixels.
        padding_mode: zeros.

    Shape:
        (N, in_channels, H, W) or (in_channels, H, W) -> (N, out_channels, P, Q), where
        P = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1;
        weight (in_channels, out_channels / groups, rows, columns), bias (out_channels,).
        `forward(input, output_size)` chooses the output_padding that gives this size.

    Raises:
        ValueError: an argument that cannot be.
        ShapeError: the input has other channels.

    Source: torch.nn.ConvTranspose2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConvTranspose2d(16, 8, 2, stride=2)(lenet.randn(1, 16, 12, 12)).shape
        torch.Size([1, 8, 24, 24])
    """

    dims = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
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
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )
