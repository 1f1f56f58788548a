"""Trigonometric and hyperbolic functions and their inverses. Angles are in radians."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.kernels import dispatch
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import both_floating, quiet
from lenetcli.ops.pointwise.exp import Curve, slope_on_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Sin(Curve):
    formula = "y = sin(x)"
    curve = staticmethod(np.sin)
    slope = staticmethod(lambda grad, x: grad * np.cos(x))


@method(in_place=True)
def sin(input: Tensor) -> Tensor:
    """Sine. Gradient: cos(x). Source: torch.sin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sin(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8415])
    """
    return Sin.apply(input)


class Cos(Curve):
    formula = "y = cos(x)"
    curve = staticmethod(np.cos)
    slope = staticmethod(lambda grad, x: -grad * np.sin(x))


@method(in_place=True)
def cos(input: Tensor) -> Tensor:
    """Cosine. Gradient: -sin(x). Source: torch.cos.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cos(lenet.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5403])
    """
    return Cos.apply(input)


class Tan(Curve):
    formula = "y = tan(x)"
    keeps_result = True
    curve = staticmethod(np.tan)
    slope = staticmethod(lambda grad, y: grad * (1 + y * y))


@method(in_place=True)
def tan(input: Tensor) -> Tensor:
    """Tangent. Gradient: 1 + tan(x)^2. Source: torch.tan.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tan(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.5574])
    """
    return Tan.apply(input)


class Asin(Curve):
    formula = "y = asin(x)"
    curve = staticmethod(np.arcsin)
    slope = staticmethod(lambda grad, x: grad / np.sqrt(1 - x * x))


@method(in_place=True, aliases=("arcsin",))
def asin(input: Tensor) -> Tensor:
    """Inverse of sine, NaN outside [-1, 1]. Gradient: 1 / sqrt(1 - x^2). Source: torch.asin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.asin(lenet.tensor([0.0, 0.5]))
        tensor([0.0000, 0.5236])
    """
    return Asin.apply(input)


class Acos(Curve):
    formula = "y = acos(x)"
    curve = staticmethod(np.arccos)
    slope = staticmethod(lambda grad, x: -grad / np.sqrt(1 - x * x))


@method(in_place=True, aliases=("arccos",))
def acos(input: Tensor) -> Tensor:
    """Inverse of cosine, NaN outside [-1, 1]. Gradient: -1 / sqrt(1 - x^2). Source: torch.acos.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.acos(lenet.tensor([0.0, 0.5]))
        tensor([1.5708, 1.0472])
    """
    return Acos.apply(input)


class Atan(Curve):
    formula = "y = atan(x)"
    curve = staticmethod(np.arctan)
    slope = staticmethod(lambda grad, x: grad / (x * x + 1))


@method(in_place=True, aliases=("arctan",))
def atan(input: Tensor) -> Tensor:
    """Inverse of tangent. Gradient: 1 / (1 + x^2). Source: torch.atan.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atan(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7854])
    """
    return Atan.apply(input)


class Sinh(Curve):
    formula = "y = sinh(x)"
    curve = staticmethod(np.sinh)
    slope = staticmethod(lambda grad, x: grad * np.cosh(x))


@method(in_place=True)
def sinh(input: Tensor) -> Tensor:
    """Hyperbolic sine. Gradient: cosh(x). Source: torch.sinh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sinh(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.1752])
    """
    return Sinh.apply(input)


class Cosh(Curve):
    formula = "y = cosh(x)"
    curve = staticmethod(np.cosh)
    slope = staticmethod(lambda grad, x: grad * np.sinh(x))


@method(in_place=True)
def cosh(input: Tensor) -> Tensor:
    """Hyperbolic cosine. Gradient: sinh(x). Source: torch.cosh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cosh(lenet.tensor([0.0, 1.0]))
        tensor([1.0000, 1.5431])
    """
    return Cosh.apply(input)


class Tanh(Curve):
    formula = "y = tanh(x)"
    keeps_result = True
    curve = staticmethod(lambda x: dispatch.curve(x, "tanh"))
    slope = staticmethod(lambda grad, y: dispatch.curve_backward(grad, y, "tanh"))
    backward_graph = slope_on_tensors(lambda grad, y: grad * (1 - y * y))

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        x = float(seen["x"][at])
        return f"{seen.element('y', at)} = tanh(x)", f"tanh({seen.number(x)})", math.tanh(x)

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        y, grad, n = float(seen.y[at]), float(seen.grad[at]), seen.number
        return f"{seen.element('d_x', at)} = grad·(1 − y²)", f"{n(grad)}·(1 − {n(y)}²)", grad * (1 - y * y)


@method(in_place=True)
def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent. Gradient: 1 - tanh(x)^2. Source: torch.tanh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tanh(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """
    return Tanh.apply(input)


class Asinh(Curve):
    formula = "y = asinh(x)"
    curve = staticmethod(np.arcsinh)
    slope = staticmethod(lambda grad, x: grad / np.sqrt(x * x + 1))


@method(in_place=True, aliases=("arcsinh",))
def asinh(input: Tensor) -> Tensor:
    """Inverse of hyperbolic sine. Gradient: 1 / sqrt(x^2 + 1). Source: torch.asinh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.asinh(lenet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8814])
    """
    return Asinh.apply(input)


class Acosh(Curve):
    formula = "y = acosh(x)"
    curve = staticmethod(np.arccosh)
    slope = staticmethod(lambda grad, x: grad / np.sqrt(x * x - 1))


@method(in_place=True, aliases=("arccosh",))
def acosh(input: Tensor) -> Tensor:
    """Inverse of hyperbolic cosine, NaN below 1. Gradient: 1 / sqrt(x^2 - 1). Source: torch.acosh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.acosh(lenet.tensor([1.0, 2.0]))
        tensor([0.0000, 1.3170])
    """
    return Acosh.apply(input)


class Atanh(Curve):
    formula = "y = atanh(x)"
    curve = staticmethod(np.arctanh)
    slope = staticmethod(lambda grad, x: grad / (1 - x * x))


@method(in_place=True, aliases=("arctanh",))
def atanh(input: Tensor) -> Tensor:
    """Inverse of hyperbolic tangent, NaN outside [-1, 1]. Gradient: 1 / (1 - x^2). Source: torch.atanh.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atanh(lenet.tensor([0.0, 0.5]))
        tensor([0.0000, 0.5493])
    """
    return Atanh.apply(input)


class Atan2(Op):
    formula = "y = the angle of the point (x, y₂)"
    gradient = ("d_y₂ = grad · x / (x² + y₂²)", "d_x = −grad · y₂ / (x² + y₂²)")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, y: Array, x: Array) -> Array:
        y, x = both_floating(y, x)
        ctx.save(y, x)
        return np.arctan2(y, x)

    def backward(ctx: Any, grad: Array) -> Any:
        y, x = ctx.saved
        square = y * y + x * x
        share = np.where(square == 0, square, grad / square)
        return share * x, share * -y


@method(in_place=True, aliases=("arctan2",))
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (x = other, y = input), with broadcasting.

    Gradient:
        other / r^2 for input, -input / r^2 for other; 0 at the origin.

    Source: torch.atan2.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.atan2(lenet.tensor([1.0]), lenet.tensor([-1.0]))
        tensor([2.3562])
    """
    return Atan2.apply(input, other)


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
