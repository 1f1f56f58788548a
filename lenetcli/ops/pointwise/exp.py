"""Functions of one number: absolute value and sign, exponentials, logarithms, sigmoid, error function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic, saved_tensors
from lenetcli.kernels import dispatch, error_function
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import both_floating, floating, quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Curve(Op):
    """y = curve(x), element by element, in floating-point numbers (integers become the default type).

    `slope(grad, kept)` is the gradient of x; `kept` is y where `keeps_result`, else x.
    """

    keeps_result: ClassVar[bool] = False
    curve: ClassVar[Any]
    slope: ClassVar[Any]
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array) -> Array:
        x = floating(x)
        y = as_array(ctx.curve(x))
        ctx.save(y if ctx.keeps_result else x)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        (kept,) = ctx.saved
        return ctx.slope(grad, kept)

    def __init_subclass__(cls) -> None:
        cls.saves = ("result",) if cls.keeps_result else ("x",)


def slope_on_tensors(slope: Any) -> Any:
    """`backward_graph` of a curve whose slope is a kernel: the slope once more, as arithmetic."""

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return slope(grad, *saved_tensors(ctx))

    return backward_graph


def signs(x: Array) -> Array:
    """-1, 0 or 1; 0 for NaN, as in torch."""
    return np.nan_to_num(np.sign(x)) if x.dtype.kind == "f" else np.sign(x)


class Abs(Op):
    formula = "y = |x|"
    backward_graph = arithmetic

    def forward(ctx: Any, x: Array) -> Array:
        if x.dtype == np.bool_:
            raise NotImplementedError("abs: not implemented for bool; convert to a number type first")
        ctx.save(x)
        return np.abs(x)

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        return grad * signs(x)


@method(in_place=True, aliases=("absolute",))
def abs(input: Tensor) -> Tensor:
    """Absolute value.

    Gradient:
        sign(x); 0 at 0.

    Source: torch.abs.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.abs(lenet.tensor([-1.5, 2.0]))
        tensor([1.5000, 2.0000])
    """
    return Abs.apply(input)


class Sign(Op):
    formula = "y = sign(x)"
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array) -> Array:
        return x.copy(order="K") if x.dtype == np.bool_ else signs(x)

    def backward(ctx: Any, grad: Array) -> Array:
        return np.zeros_like(grad)


@method(in_place=True, aliases=("sgn",))
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1. Gradient: 0. Source: torch.sign.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sign(lenet.tensor([-1.5, 0.0, 2.0]))
        tensor([-1.,  0.,  1.])
    """
    return Sign.apply(input)


class Exp(Curve):
    formula = "y = e^x"
    keeps_result = True
    curve = staticmethod(np.exp)
    slope = staticmethod(lambda grad, y: grad * y)


@method(in_place=True)
def exp(input: Tensor) -> Tensor:
    """e to the power of x. Gradient: exp(x). Source: torch.exp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.exp(lenet.tensor([0.0, 1.0]))
        tensor([1.0000, 2.7183])
    """
    return Exp.apply(input)


class Expm1(Curve):
    formula = "y = e^x − 1"
    keeps_result = True
    curve = staticmethod(np.expm1)
    slope = staticmethod(lambda grad, y: grad * (y + 1))


@method(in_place=True)
def expm1(input: Tensor) -> Tensor:
    """exp(x) - 1, exact near 0. Gradient: exp(x). Source: torch.expm1.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.expm1(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.7183])
    """
    return Expm1.apply(input)


class Exp2(Curve):
    formula = "y = 2^x"
    keeps_result = True
    curve = staticmethod(np.exp2)
    slope = staticmethod(lambda grad, y: grad * y * float(np.log(2)))


@method(in_place=True)
def exp2(input: Tensor) -> Tensor:
    """2 to the power of x. Gradient: 2^x log(2). Source: torch.exp2.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.exp2(lenet.tensor([0.0, 3.0]))
        tensor([1., 8.])
    """
    return Exp2.apply(input)


class Log(Curve):
    formula = "y = log x"
    curve = staticmethod(np.log)
    slope = staticmethod(lambda grad, x: grad / x)


@method(in_place=True)
def log(input: Tensor) -> Tensor:
    """Natural logarithm: -inf at 0, NaN below. Gradient: 1/x. Source: torch.log.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.log(lenet.tensor([1.0, 2.0]))
        tensor([0.0000, 0.6931])
    """
    return Log.apply(input)


class Log1p(Curve):
    formula = "y = log(1 + x)"
    curve = staticmethod(np.log1p)
    slope = staticmethod(lambda grad, x: grad / (x + 1))


@method(in_place=True)
def log1p(input: Tensor) -> Tensor:
    """log(1 + x), exact near 0. Gradient: 1 / (1 + x). Source: torch.log1p.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.log1p(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.6931])
    """
    return Log1p.apply(input)


class Log2(Curve):
    formula = "y = log₂ x"
    curve = staticmethod(np.log2)
    slope = staticmethod(lambda grad, x: grad / (x * float(np.log(2))))


@method(in_place=True)
def log2(input: Tensor) -> Tensor:
    """Logarithm to the base 2. Gradient: 1 / (x log 2). Source: torch.log2.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.log2(lenet.tensor([1.0, 8.0]))
        tensor([0., 3.])
    """
    return Log2.apply(input)


class Log10(Curve):
    formula = "y = log₁₀ x"
    curve = staticmethod(np.log10)
    slope = staticmethod(lambda grad, x: grad / (x * float(np.log(10))))


@method(in_place=True)
def log10(input: Tensor) -> Tensor:
    """Logarithm to the base 10. Gradient: 1 / (x log 10). Source: torch.log10.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.log10(lenet.tensor([2.0, 50.0]))
        tensor([0.3010, 1.6990])
    """
    return Log10.apply(input)


class Sigmoid(Curve):
    gradient = ("d_x = grad · y (1 − y)",)
    keeps_result = True
    curve = staticmethod(lambda x: dispatch.curve(x, "sigmoid"))
    slope = staticmethod(lambda grad, y: dispatch.curve_backward(grad, y, "sigmoid"))
    backward_graph = slope_on_tensors(lambda grad, y: grad * (1 - y) * y)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        x = float(seen["x"][at])
        value = 0.5 * (1 + math.tanh(x / 2))
        return f"{seen.element('y', at)} = 1 / (1 + e^−x)", f"1 / (1 + e^−{seen.number(x)})", value

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        y, grad, n = float(seen.y[at]), float(seen.grad[at]), seen.number
        return f"{seen.element('d_x', at)} = grad·y (1 − y)", f"{n(grad)}·{n(y)}·(1 − {n(y)})", grad * y * (1 - y)


@method(in_place=True)
def sigmoid(input: Tensor) -> Tensor:
    """The logistic function.

    Formula:
        1 / (1 + exp(-x))

    Source: torch.sigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sigmoid(lenet.tensor([0.0, 2.0]))
        tensor([0.5000, 0.8808])
    """
    return Sigmoid.apply(input)


class Logit(Op):
    formula = "y = log(x / (1 − x))"
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array, *, eps: float | None) -> Array:
        x = floating(x)
        ctx.eps = eps
        ctx.save(x)
        if eps is not None:
            x = np.minimum(np.maximum(x, x.dtype.type(eps)), x.dtype.type(1 - eps))
        return np.log(x / (1 - x))

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        d_x = grad / (np.abs(x) * (1 - x))  # infinity at -0, too
        if ctx.eps is None:
            return np.where((x < 0) | (x > 1), x.dtype.type(np.nan), d_x)
        return np.where((x < ctx.eps) | (x > 1 - ctx.eps), x.dtype.type(0), d_x)


@method(in_place=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """The inverse of `sigmoid`: log(x / (1 - x)).

    Args:
        eps: first limits x to [eps, 1 - eps]; without it, NaN outside [0, 1].

    Gradient:
        1 / (x (1 - x)); outside the limits 0 with `eps`, NaN without.

    Source: torch.logit.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logit(lenet.tensor([0.5, 0.75]))
        tensor([0.0000, 1.0986])
    """
    return Logit.apply(input, eps=eps)


class Erf(Curve):
    gradient = ("d_x = grad · 2/√π e^(−x²)",)
    curve = staticmethod(error_function.erf)
    slope = staticmethod(lambda grad, x: grad * (float(2 / np.sqrt(np.pi)) * np.exp(-(x * x))))


@method(in_place=True)
def erf(input: Tensor) -> Tensor:
    """The error function.

    Formula:
        2 / sqrt(pi) * integral of exp(-t^2) from 0 to x

    Source: torch.erf.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.erf(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8427])
    """
    return Erf.apply(input)


class Erfc(Curve):
    formula = "y = 1 − erf(x)"
    gradient = ("d_x = grad · (−2/√π e^(−x²))",)
    curve = staticmethod(error_function.erfc)
    slope = staticmethod(lambda grad, x: grad * (float(-2 / np.sqrt(np.pi)) * np.exp(-(x * x))))


@method(in_place=True)
def erfc(input: Tensor) -> Tensor:
    """1 - erf(x), exact where erf(x) is close to 1. Source: torch.erfc.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.erfc(lenet.tensor([0.0, 1.0]))
        tensor([1.0000, 0.1573])
    """
    return Erfc.apply(input)


class Xlogy(Op):
    formula = "y = x log y₂"
    gradient = ("d_x = grad · log y₂", "d_y₂ = grad · x / y₂")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Any, y: Any) -> Array:
        x, y = both_floating(x, y)
        ctx.save(x, y)
        product = np.where(x == 0, x.dtype.type(0), x * np.log(y, dtype=x.dtype))  # y may be a number
        return np.where(np.isnan(y), x.dtype.type(np.nan), product)

    def backward(ctx: Any, grad: Array) -> Any:
        x, y = ctx.saved
        need_x, need_y = ctx.needs_input_grad
        zero = grad.dtype.type(0)
        return (
            grad * np.where((x == 0) & (y <= 0), zero, np.log(y)) if need_x else None,
            grad * (x / y) if need_y else None,
        )


@method(in_place=True)
def xlogy(input: Tensor, other: Tensor | float) -> Tensor:
    """input * log(other), and 0 where input is 0 (NaN where other is NaN).

    Gradient:
        log(other), 0 where input is 0 and other not positive; input / other for other.

    Source: torch.xlogy.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.xlogy(lenet.tensor([0.0, 2.0]), lenet.tensor([0.0, 1.0]))
        tensor([0., 0.])
    """
    return Xlogy.apply(input, other)


absolute, sgn = abs, sign
