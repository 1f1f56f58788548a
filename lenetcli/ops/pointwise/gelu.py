"""Smooth activation functions: the exponential units, the gated ones, the softened corners.

Where a function has `inplace`, True writes the result into the input and returns it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lenetcli.autograd.inplace import assign
from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import saved_tensors
from lenetcli.errors import ShapeError
from lenetcli.kernels import activation as kernels
from lenetcli.kernels.layout import Array
from lenetcli.ops.operands import axis, quiet
from lenetcli.ops.pointwise.relu import Activation
from lenetcli.ops.pointwise.sin import tanh
from lenetcli.ops.shaping.cat import cat

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _elu_slope(x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    negative = x.masked_fill(x >= 0, 0.0)  # overflows nowhere, and bends nowhere at 0, as in torch
    return ((negative * input_scale).exp() * (alpha * scale * input_scale)).where(x <= 0, scale)


class Elu(Activation):
    kernel = "elu"
    slope = staticmethod(_elu_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Keeps what is positive; what is negative approaches -alpha.

    Formula:
        x for x > 0, else alpha (exp(x) - 1)

    Gradient:
        1 for x > 0, else alpha exp(x); at 0 it is alpha.

    Source: torch.nn.functional.elu; Clevert et al. 2015, "Fast and Accurate Deep Network Learning by ELUs".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.elu(lenet.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return assign(input, elu, alpha) if inplace else Elu.apply(input, constants=(alpha, 1.0, 1.0))


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """`elu` with the alpha and scale that keep mean 0 and variance 1.

    Formula:
        scale elu(x, alpha), alpha = 1.6732632423543772, scale = 1.0507009873554805

    Gradient:
        At 0: scale alpha.

    Source: torch.nn.functional.selu; Klambauer et al. 2017, "Self-Normalizing Neural Networks".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.selu(lenet.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    return assign(input, selu) if inplace else Elu.apply(input, constants=(SELU_ALPHA, SELU_SCALE, 1.0))


class Celu(Activation):
    gradient = ("d_x = grad · (1 where x > 0, else exp(x / alpha))",)
    kernel = "elu"
    slope = staticmethod(_elu_slope)

    @staticmethod
    def numbers(*constants: float) -> tuple[float, ...]:
        (alpha,) = constants
        return alpha, 1.0, 1 / alpha

    @classmethod
    def numbers_of_slope(cls, *constants: float) -> tuple[float, ...]:
        (alpha,) = constants
        return alpha, 1.0, 1 / float(np.float32(alpha))  # as torch rounds it


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`elu` without a corner at 0 for any alpha.

    Formula:
        x for x > 0, else alpha (exp(x / alpha) - 1)

    Raises:
        RuntimeError: alpha is 0.

    Source: torch.nn.functional.celu; Barron 2017, "Continuously Differentiable Exponential Linear Units".

    Example:
        >>> import lenetcli as lenet
        >>> lenet.celu(lenet.tensor([-1.0, 2.0]), alpha=2.0)
        tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return assign(input, celu, alpha) if inplace else Celu.apply(input, constants=(alpha,))


class Gelu(Activation):
    formula = "y = x Φ(x), Φ the normal distribution"
    gradient = ("d_x = grad · (Φ(x) + x φ(x))",)
    kernel = "gelu"
    slope = staticmethod(
        lambda x: ((x * math.sqrt(0.5)).erf() + 1) * 0.5 + x * (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
    )


class GeluTanh(Activation):
    formula = "y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))"
    gradient = ("d_x = grad · ((1 + t) / 2 + x/2 (1 − t²) √(2/π) (1 + 0.134145 x²)), t the tanh",)
    backward_name = "Gelu"
    kernel = "gelu_tanh"

    @staticmethod
    def slope(x: Tensor) -> Tensor:
        root, cubic = math.sqrt(2 / math.pi), 0.044715
        t = (x * (1 + cubic * (x * x)) * root).tanh()
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (root * (1 + 3 * cubic * (x * x)))


def gelu(input: Tensor, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """Weighs x by the share of the normal distribution below it.

    Formula:
        x Phi(x) = x (1 + erf(x / sqrt(2))) / 2
        approximate='tanh': x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    Args:
        approximate: 'none' or 'tanh'.

    Raises:
        RuntimeError: another approximation.

    Source: torch.nn.functional.gelu; Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.gelu(lenet.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}")
    return (Gelu if approximate == "none" else GeluTanh).apply(input)


class Silu(Activation):
    gradient = ("d_x = grad · σ(x) (1 + x (1 − σ(x))), σ(x) = 1 / (1 + e^−x)",)
    kernel = "silu"

    @staticmethod
    def slope(x: Tensor) -> Tensor:
        s = x.sigmoid()
        return s * (1 + x * (1 - s))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Weighs x by its sigmoid; also called swish.

    Formula:
        x / (1 + exp(-x))

    Source: torch.nn.functional.silu; Elfwing et al. 2017, "Sigmoid-Weighted Linear Units", equation 6.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.silu(lenet.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return assign(input, silu) if inplace else Silu.apply(input)


class Mish(Activation):
    gradient = ("d_x = grad · (t + x (1 − t²) / (1 + e^−x)), t = tanh(log(1 + e^x))",)
    kernel = "mish"

    @staticmethod
    def slope(x: Tensor) -> Tensor:
        t = (-LogSigmoid.apply(-x)).tanh()
        return t + x * x.sigmoid() * (1 - t * t)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Weighs x by the tanh of its softplus.

    Formula:
        x tanh(log(1 + exp(x)))

    Source: torch.nn.functional.mish; Misra 2019, "Mish: A Self Regularized Non-Monotonic Activation Function".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.mish(lenet.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    return assign(input, mish) if inplace else Mish.apply(input)


class Softplus(Activation):
    gradient = ("d_x = grad · (1 / (1 + e^(−beta x)); 1 where beta x > threshold)",)
    kernel = "softplus"

    @staticmethod
    def slope(x: Tensor, beta: float, limit: float) -> Tensor:
        z = x * beta
        return z.masked_fill(z >= limit, limit).sigmoid().where(z <= limit, 1.0)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """A relu with a soft corner.

    Formula:
        log(1 + exp(beta x)) / beta; x itself where beta x > threshold

    Source: torch.nn.functional.softplus.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.softplus(lenet.tensor([-1.0, 2.0]))
        tensor([0.3133, 2.1269])
    """
    return Softplus.apply(input, constants=(beta, threshold))


class LogSigmoid(Activation):
    formula = "y = −log(1 + e^−x)"
    gradient = ("d_x = grad · 1 / (1 + e^x)",)
    kernel = "log_sigmoid"
    slope = staticmethod(lambda x: (-x).sigmoid())


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of the sigmoid, finite where that rounds to 0.

    Formula:
        log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|))

    Source: torch.nn.functional.logsigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.logsigmoid(lenet.tensor([-100.0, 0.0]))
        tensor([-100.0000,   -0.6931])
    """
    return LogSigmoid.apply(input)


@whole
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). Source: torch.nn.functional.softsign.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.softsign(lenet.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x). Source: torch.nn.functional.tanhshrink.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.tanhshrink(lenet.tensor([-1.0, 2.0]))
        tensor([-0.2384,  1.0360])
    """
    return input - tanh(input)


class Glu(Op):
    formula = "y = a σ(b), a and b the halves of x"
    gradient = ("d_x = grad · (σ(b), a σ(b) (1 − σ(b)))",)

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        ctx.save(x)
        ctx.dim = dim
        return kernels.glu(*np.split(x, 2, axis=dim))

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        value, gate = np.split(x, 2, axis=ctx.dim)
        d_x = np.empty_like(x)
        for part, d_part in zip(np.split(d_x, 2, axis=ctx.dim), kernels.glu_backward(grad, value, gate)):
            part[...] = d_part
        return d_x

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (x,) = saved_tensors(ctx)
        value, gate = x.chunk(2, ctx.dim)
        share = gate.sigmoid()
        return cat((grad * share, grad * share * (1 - share) * value), ctx.dim)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Halves a dimension; the sigmoid of the second half weighs the first.

    Formula:
        a sigmoid(b), input = [a, b] along `dim`

    Shape:
        (*, 2 H, *) -> (*, H, *)

    Raises:
        ShapeError: the dimension's size is odd, or there is no dimension.
        IndexError: `dim` is out of range.

    Source: torch.nn.functional.glu; Dauphin et al. 2016, "Language Modeling with Gated Convolutional Networks".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.glu(lenet.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """
    x = input.array
    if not x.ndim:
        raise ShapeError("glu does not support scalars because halving size must be even")
    along = axis(dim, x.ndim)
    if x.shape[along] % 2:
        raise ShapeError(
            f"Halving dimension must be even, but dimension {along} is size {x.shape[along]} (input {list(x.shape)})"
        )
    if x.dtype.kind != "f":
        raise NotImplementedError(f"glu: not implemented for {x.dtype}; convert to float first")
    return Glu.apply(input, dim=along)
