"""Smooth activation layers: the exponential units, the gated ones, sigmoid, tanh and their relatives."""

from __future__ import annotations

from typing import ClassVar, Literal

from lenetcli.nn import functional as F
from lenetcli.nn.activation import InPlaceActivation
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class Sigmoid(Module):
    """The logistic function: 1 / (1 + exp(-x)). Source: torch.nn.Sigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Sigmoid()(lenet.tensor([0.0, 2.0]))
        tensor([0.5000, 0.8808])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent. Source: torch.nn.Tanh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Tanh()(lenet.tensor([0.0, 2.0]))
        tensor([0.0000, 0.9640])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class ELU(InPlaceActivation):
    """Keeps what is positive; what is negative approaches -alpha.

    Formula:
        x for x > 0, else alpha (exp(x) - 1)

    Args:
        alpha: the limit for very negative inputs.
        inplace: change the input instead of making a new tensor.

    Gradient:
        At 0: alpha.

    Source: torch.nn.ELU; Clevert et al. 2015, "Fast and Accurate Deep Network Learning by ELUs".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ELU()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return self.described(f"alpha={self.alpha}")


class CELU(ELU):
    """`ELU` without a corner at 0 for any alpha.

    Formula:
        x for x > 0, else alpha (exp(x / alpha) - 1)

    Args:
        alpha: the limit for very negative inputs; not 0.
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.CELU; Barron 2017, "Continuously Differentiable Exponential Linear Units".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CELU(2.0)(lenet.tensor([-1.0, 2.0]))
        tensor([-0.7869,  2.0000])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class SELU(InPlaceActivation):
    """`ELU` with the alpha and scale that keep mean 0 and variance 1.

    Formula:
        scale elu(x, alpha), alpha = 1.6732632423543772, scale = 1.0507009873554805

    Args:
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.SELU; Klambauer et al. 2017, "Self-Normalizing Neural Networks".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.SELU()(lenet.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class GELU(Module):
    """Weighs x by the share of the normal distribution below it.

    Formula:
        x (1 + erf(x / sqrt(2))) / 2
        approximate='tanh': x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    Args:
        approximate: 'none' or 'tanh'.

    Source: torch.nn.GELU; Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.GELU()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        self.approximate: Literal["none", "tanh"] = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(InPlaceActivation):
    """Weighs x by its sigmoid; also called swish.

    Formula:
        x / (1 + exp(-x))

    Args:
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.SiLU; Elfwing et al. 2017, "Sigmoid-Weighted Linear Units".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.SiLU()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(InPlaceActivation):
    """Weighs x by the tanh of its softplus.

    Formula:
        x tanh(log(1 + exp(x)))

    Args:
        inplace: change the input instead of making a new tensor.

    Source: torch.nn.Mish; Misra 2019, "Mish: A Self Regularized Non-Monotonic Activation Function".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Mish()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Softplus(Module):
    """A ReLU with a soft corner.

    Formula:
        log(1 + exp(beta x)) / beta; x itself where beta x > threshold

    Args:
        beta: how sharp the corner is.
        threshold: where the line begins.

    Source: torch.nn.Softplus.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softplus()(lenet.tensor([-1.0, 2.0]))
        tensor([0.3133, 2.1269])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|). Source: torch.nn.Softsign.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softsign()(lenet.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x). Source: torch.nn.Tanhshrink.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Tanhshrink()(lenet.tensor([-1.0, 2.0]))
        tensor([-0.2384,  1.0360])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class LogSigmoid(Module):
    """The logarithm of the sigmoid, finite where that rounds to 0. Source: torch.nn.LogSigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LogSigmoid()(lenet.tensor([-100.0, 0.0]))
        tensor([-100.0000,   -0.6931])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class GLU(Module):
    """Halves a dimension; the sigmoid of the second half weighs the first.

    Formula:
        a sigmoid(b), input = [a, b] along `dim`

    Args:
        dim: the dimension to halve.

    Shape:
        (*, 2 H, *) -> (*, H, *)

    Raises:
        ShapeError: the dimension's size is odd.

    Source: torch.nn.GLU; Dauphin et al. 2016, "Language Modeling with Gated Convolutional Networks".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.GLU()(lenet.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
