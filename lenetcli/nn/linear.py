"""Linear layers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import ForPython, Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class Identity(Module):
    """Hands its input on; takes any arguments and forgets them. Source: torch.nn.Identity.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Identity(54, unused=True)(lenet.ones(2))
        tensor([1., 1.])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """A weighted sum of the inputs for each output.

    Formula:
        y = x weight.T + bias

    Args:
        in_features: size of each input sample.
        out_features: size of each output sample.
        bias: learn an additive bias.

    Shape:
        (*, in_features) -> (*, out_features); weight (out_features, in_features), bias (out_features,).
        Both start as U(-k, k) with k = 1 / sqrt(in_features).

    Raises:
        ShapeError: the last size of the input is not `in_features`.

    Source: torch.nn.Linear.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Linear(20, 30)(lenet.randn(128, 20)).shape
        torch.Size([128, 30])
    """

    native_calls: ClassVar[bool] = True

    from_input: ClassVar[dict[str, int | slice]] = {"in_features": -1}

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(creation.empty(out_features, in_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(creation.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(ForPython):
    """A weighted sum of all products of two inputs for each output.

    Formula:
        y[o] = x1.T weight[o] x2 + bias[o]

    Args:
        in1_features: size of each first input.
        in2_features: size of each second input.
        out_features: size of each output.
        bias: learn an additive bias.

    Shape:
        (*, in1_features) and (*, in2_features) -> (*, out_features); weight (out_features, in1_features, in2_features).
        Weight and bias start as U(-k, k) with k = 1 / sqrt(in1_features).

    Raises:
        ValueError: no inputs.
        ShapeError: sizes do not fit.

    Source: torch.nn.Bilinear.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Bilinear(20, 30, 40)(lenet.randn(128, 20), lenet.randn(128, 30)).shape
        torch.Size([128, 40])
    """

    takes = "two inputs"

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be > 0, but got {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(creation.empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(creation.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
