"""Functions of one number that statistics and signals need: sinc, the inverse error function, angles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.kernels.error_function import erf
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.pointwise.add import mul
from lenetcli.ops.pointwise.exp import Curve, exp, slope_on_tensors
from lenetcli.ops.pointwise.pow import square

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _sinc(x: Array) -> Array:
    angle = x * x.dtype.type(math.pi)
    return np.where(x == 0, x.dtype.type(1), np.sin(angle) / angle)


def _sinc_slope(grad: Any, x: Any) -> Any:
    angle = x * math.pi
    return grad * np.where(x == 0, 0.0 * x, (angle * np.cos(angle) - np.sin(angle)) / (angle * x))


class Sinc(Curve):
    formula = "y = sin(π x) / (π x), 1 at 0"
    gradient = ("d_x = grad · (π x cos(π x) − sin(π x)) / (π x²), 0 at 0",)
    curve = staticmethod(_sinc)
    slope = staticmethod(_sinc_slope)


@method(in_place=True)
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0.

    Gradient:
        0 at 0; the second derivative there is NaN, as in torch.

    Source: torch.sinc.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sinc(lenet.tensor([0.0, 0.5]))
        tensor([1.0000, 0.6366])
    """
    return Sinc.apply(input)


def _erfinv(y: Array) -> Array:
    """Giles' approximation, then three of Newton's steps in float64."""
    given = y.astype(np.float64)
    w = -np.log1p(-given * given)
    small, large = w - 2.5, np.sqrt(w) - 3.0
    near: Any = 0.0
    far: Any = 0.0
    for a, b in zip(_NEAR, _FAR):
        near, far = a + near * small, b + far * large
    x = given * np.where(w < 5, near, far)
    for _ in range(3):
        step = (erf(x) - given) / (2 / math.sqrt(math.pi) * np.exp(-x * x))
        x = x - np.where(np.isfinite(step), step, 0)
    x = np.where(np.abs(given) == 1, np.copysign(np.inf, given), x)
    return np.where(np.abs(given) > 1, np.nan, x).astype(y.dtype)


# Giles 2010, "Approximating the erfinv function", the single-precision coefficients
_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
         0.246640727, 1.50140941)  # fmt: skip
_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
        1.00167406, 2.83297682)  # fmt: skip


class Erfinv(Curve):
    formula = "y, of which erf is x"
    gradient = ("d_x = grad · √π/2 e^(y²)",)
    curve = staticmethod(_erfinv)
    slope = staticmethod(lambda grad, x: grad * (math.sqrt(math.pi) / 2 * np.exp(_erfinv(x) ** 2)))
    backward_graph = slope_on_tensors(lambda grad, x: grad * (math.sqrt(math.pi) / 2 * exp(square(Erfinv.apply(x)))))


@method(in_place=True)
def erfinv(input: Tensor) -> Tensor:
    """The inverse of the error function; infinite at -1 and 1, NaN beyond. Source: torch.erfinv.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.erfinv(lenet.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.4769,    inf])
    """
    return Erfinv.apply(input)


@method(in_place=True)
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians. Source: torch.deg2rad.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.deg2rad(lenet.tensor([180.0]))
        tensor([3.1416])
    """
    return mul(input, math.pi / 180)


@method(in_place=True)
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees. Source: torch.rad2deg.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.rad2deg(lenet.tensor([3.0]))
        tensor([171.8873])
    """
    return mul(input, 180 / math.pi)
