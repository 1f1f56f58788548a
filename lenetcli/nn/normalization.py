"""Layers that normalise within each sample: layer norm, group norm, RMS norm, local response norm."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.ops.operands import sizes
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class Affine(Module):
    """A weight that starts at 1 and a bias that starts at 0, either of which may be missing."""

    weight: Parameter | None
    bias: Parameter | None

    def _make(self, shape: tuple[int, ...], names: dict[str, bool], device: Any, dtype: Any) -> None:
        for name, wanted in names.items():
            room = creation.empty(*shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if room is None else Parameter(room))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts again: weight 1, bias 0."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                init.constant_(parameter, 1 if name == "weight" else 0)


class LayerNorm(Affine):
    """Brings the last dimensions of each sample to mean 0 and variance 1, then scales and shifts each element.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Args:
        normalized_shape: sizes of the last dimensions; one number for the last one.
        eps: added to the variance.
        elementwise_affine: learn weight (starts at 1) and bias (starts at 0).
        bias: False learns the weight only.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (*, normalized_shape) -> the same

    Raises:
        ShapeError: the input does not end in `normalized_shape`.

    Source: Ba, Kiros and Hinton, Layer normalization, 2016; torch.nn.LayerNorm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LayerNorm(2)(lenet.tensor([[1.0, 3.0]])).tolist()[0][1] > 0.999
        True
    """

    native_calls: ClassVar[bool] = True

    def __init__(
        self,
        normalized_shape: int | list[int] | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = sizes((normalized_shape,))
        self.eps, self.elementwise_affine = eps, elementwise_affine
        names = {"weight": elementwise_affine, "bias": elementwise_affine and bias}
        self._make(self.normalized_shape, names, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Affine):
    """Divides the last dimensions of each sample by their root mean square, then scales each element.

    Formula:
        y = x / sqrt(mean(x^2) + eps) * weight

    Args:
        normalized_shape: sizes of the last dimensions; one number for the last one.
        eps: None means the distance from 1 to the next number of the input's type.
        elementwise_affine: learn the weight (starts at 1).
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the weight.

    Shape:
        (*, normalized_shape) -> the same

    Raises:
        ShapeError: the input does not end in `normalized_shape`.

    Source: Zhang and Sennrich, Root mean square layer normalization, 2019; torch.nn.RMSNorm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.RMSNorm(2, elementwise_affine=False)(lenet.tensor([[1.0, 7.0]]))
        tensor([[0.2000, 1.4000]])
    """

    native_calls: ClassVar[bool] = True

    def __init__(
        self,
        normalized_shape: int | list[int] | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = sizes((normalized_shape,))
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._make(self.normalized_shape, {"weight": elementwise_affine}, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Affine):
    """Brings each group of channels of each sample to mean 0 and variance 1, then scales and shifts each channel.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Args:
        num_groups: divides the channels.
        num_channels: channels C.
        eps: added to the variance.
        affine: learn weight (starts at 1) and bias (starts at 0).
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.
        bias: False learns the weight only.

    Shape:
        (N, C, *) -> the same

    Raises:
        ValueError: groups that do not divide the channels.
        ShapeError: another number of channels.

    Source: Wu and He, Group normalization, 2018; torch.nn.GroupNorm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.GroupNorm(2, 4)(lenet.randn(3, 4, 5, 5)).shape
        torch.Size([3, 4, 5, 5])
    """

    native_calls: ClassVar[bool] = True

    from_input: ClassVar[dict[str, int | slice]] = {"num_channels": 0}

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._make((num_channels,), {"weight": affine, "bias": affine and bias}, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divides each value by the activity of the channels around it, at the same place of the image.

    Formula:
        y[c] = x[c] (k + alpha / size sum of x[j]^2)^-beta, j from c - size // 2 to c + (size - 1) // 2

    Args:
        size: number of channels in a window.
        alpha, beta, k: of the formula.

    Shape:
        (N, C, *) -> the same

    Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3; torch.nn.LocalResponseNorm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LocalResponseNorm(2)(lenet.randn(3, 4, 5, 5)).shape
        torch.Size([3, 4, 5, 5])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
