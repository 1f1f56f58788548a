"""Activation layers made of straight lines: ReLU and its relatives, hard versions of smooth ones, thresholds."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.nn import functional as F
from lenetcli.nn import init as initial
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class InPlaceActivation(Module):
    """Base of the activation functions that can overwrite their input.

    Args:
        inplace: change the input instead of making a new tensor.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

    def described(self, arguments: str) -> str:
        """`arguments`, and `inplace` where it is set, for a layer's text."""
        return arguments + (", inplace=True" if self.inplace else "")


class ReLU(InPlaceActivation):
    """Keeps what is positive.

    Formula:
        max(x, 0)

    Args:
        inplace: change the input instead of making a new tensor.

    Gradient:
        1 where x > 0, else 0; at 0 it is 0.

    Source: torch.nn.ReLU.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReLU()(lenet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class Hardtanh(InPlaceActivation):
    """Limits values to [min_val, max_val].

    Args:
        min_val: the lower limit.
        max_val: the upper limit; greater than the lower one.
        inplace: change the input instead of making a new tensor.

    Gradient:
        1 between the limits, 0 on and outside of them.

    Raises:
        ValueError: min_val is not less than max_val.

    Source: torch.nn.Hardtanh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Hardtanh()(lenet.tensor([-2.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        if not max_val > min_val:
            raise ValueError(f"Hardtanh: max_val must be greater than min_val, got {max_val} and {min_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return self.described(f"min_val={self.min_val}, max_val={self.max_val}")


class ReLU6(Hardtanh):
    """Limits values to [0, 6].

    Args:
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.ReLU6.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReLU6()(lenet.tensor([-2.0, 5.0, 8.0]))
        tensor([0., 5., 6.])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return InPlaceActivation.extra_repr(self)


class LeakyReLU(InPlaceActivation):
    """Keeps what is positive and weakens what is negative.

    Formula:
        max(x, 0) + negative_slope min(x, 0)

    Args:
        negative_slope: the slope below 0.
        inplace: change the input instead of making a new tensor.

    Gradient:
        At 0: negative_slope.

    Source: torch.nn.LeakyReLU.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LeakyReLU(0.1)(lenet.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return self.described(f"negative_slope={self.negative_slope}")


class PReLU(Module):
    """A leaky ReLU whose slope is learned.

    Formula:
        max(x, 0) + weight min(x, 0)

    Args:
        num_parameters: 1 slope for everything, or as many as the input has channels.
        init: the slopes to start with.

    Shape:
        (N, C, ...) -> the same; weight (num_parameters,)

    Gradient:
        At 0: weight to the input, 0 to the weight.

    Source: torch.nn.PReLU; He et al. 2015, "Delving Deep into Rectifiers".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.PReLU()(lenet.tensor([[-1.0, 2.0]])).detach()
        tensor([[-0.2500,  2.0000]])
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(creation.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the slopes to start with."""
        initial.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(InPlaceActivation):
    """A leaky ReLU with random slopes.

    Formula:
        max(x, 0) + a min(x, 0), with a from U(lower, upper) for each element in training, else (lower + upper) / 2

    Args:
        lower: the least slope.
        upper: the greatest slope.
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.RReLU; Xu et al. 2015, "Empirical Evaluation of Rectified Activations".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.RReLU(0.1, 0.3).eval()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return self.described(f"lower={self.lower}, upper={self.upper}")


class Threshold(InPlaceActivation):
    """Keeps what is greater than `threshold`; everything else becomes `value`.

    Args:
        threshold: the limit.
        value: what stands for everything up to it.
        inplace: change the input instead of making a new tensor.

    Gradient:
        1 where x > threshold, else 0.

    Source: torch.nn.Threshold.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Threshold(1.0, -5.0)(lenet.tensor([0.1, 2.0]))
        tensor([-5.,  2.])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return self.described(f"threshold={self.threshold}, value={self.value}")


class Hardsigmoid(InPlaceActivation):
    """A sigmoid made of three lines.

    Formula:
        min(max(x + 3, 0), 6) / 6

    Args:
        inplace: change the input instead of making a new tensor.

    Gradient:
        1/6 for -3 < x < 3, else 0.

    Source: torch.nn.Hardsigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Hardsigmoid()(lenet.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardswish(Hardsigmoid):
    """`SiLU` with a `Hardsigmoid`.

    Formula:
        x min(max(x + 3, 0), 6) / 6

    Args:
        inplace: change the input instead of making a new tensor.

    Gradient:
        0 up to -3, x/3 + 1/2 for -3 < x < 3, then 1.

    Source: torch.nn.Hardswish; Howard et al. 2019, "Searching for MobileNetV3".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Hardswish()(lenet.tensor([1.5, 4.0]))
        tensor([1.1250, 4.0000])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


class Hardshrink(Module):
    """0 for what lies in [-lambd, lambd].

    Args:
        lambd: the limit.

    Gradient:
        0 in [-lambd, lambd], else 1.

    Source: torch.nn.Hardshrink.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Hardshrink()(lenet.tensor([-2.0, 0.3, 0.7]))
        tensor([-2.0000,  0.0000,  0.7000])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Hardshrink):
    """Moves everything towards 0 by `lambd`.

    Formula:
        max(x - lambd, 0) + min(x + lambd, 0)

    Args:
        lambd: how far; not negative.

    Gradient:
        0 in [-lambd, lambd], else 1.

    Source: torch.nn.Softshrink.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softshrink()(lenet.tensor([-2.0, 0.3, 0.7]))
        tensor([-1.5000,  0.0000,  0.2000])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)
