"""Activation functions over arrays, and their gradients: `f(x, ...)` beside `f_backward(grad, x, ...)`.

`curve` and `curve_backward` call them by name; their native twins are one loop each (native/curve.h).

Formulas and the choice at each kink are those of `lenetcli.ops.pointwise.relu` and `lenetcli.ops.pointwise.gelu`.
Arrays are floating-point and have at least one dimension. Sums of a positive and a negative part, max(x, 0) and
min(x, 0), are exact: one of the two is always 0. Where x is NaN torch's gradient of a kinked function depends on the
memory layout (its vector and scalar loops differ); here it is that of the formula as written, comparisons being false.
"""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels.device import as_array
from lenetcli.kernels.error_function import erf
from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger, select, smaller, zeroed

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_BY_PI = math.sqrt(2 / math.pi)
_ONE_BY_ROOT_TWO_PI = 1 / math.sqrt(2 * math.pi)
_SIXTH = float(np.float32(1 / 6))  # torch's constant of hardsigmoid's gradient, in float64 as well
_CUBIC = 0.044715  # of GELU's tanh approximation: Hendrycks and Gimpel 2016


def curve(x: Array, name: str, *constants: float) -> Array:
    """The function of that name."""
    y: Array = globals()[name](x, *constants)
    return y


def curve_backward(grad: Array, x: Array, name: str, *constants: float) -> Array:
    """Its gradient; of sigmoid and tanh, x is their result."""
    d_x: Array = globals()[f"{name}_backward"](grad, x, *constants)
    return d_x


def sigmoid(x: Array) -> Array:
    return as_array(1 / (1 + np.exp(-x)))


def sigmoid_backward(grad: Array, y: Array) -> Array:
    return grad * (1 - y) * y


def tanh(x: Array) -> Array:
    return as_array(np.tanh(x))


def tanh_backward(grad: Array, y: Array) -> Array:
    return grad * (1 - y * y)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    y = np.exp(-x)
    y += 1
    return 1 / y


def leaky_relu(x: Array, slope: float) -> Array:
    weak = x * slope
    if 0 < slope <= 1:
        return np.maximum(weak, x, out=weak)
    return select(x > 0, x, weak)


def leaky_relu_backward(grad: Array, x: Array, slope: float) -> Array:
    return select(x > 0, grad, grad * slope)


def threshold(x: Array, limit: float, value: float) -> Array:
    return np.where(x <= limit, x.dtype.type(value), x)


def threshold_backward(grad: Array, x: Array, limit: float, value: float) -> Array:
    return zeroed(grad, x <= limit)


def hardtanh(x: Array, low: float, high: float) -> Array:
    y = larger(low, x)
    return smaller(high, y, out=y)


def hardtanh_backward(grad: Array, x: Array, low: float, high: float) -> Array:
    return zeroed(grad, (x <= low) | (x >= high))


def hardsigmoid(x: Array) -> Array:
    y = hardtanh(x + 3, 0, 6)
    y /= 6
    return y


def hardsigmoid_backward(grad: Array, x: Array) -> Array:
    return zeroed(grad * _SIXTH, ~((x > -3) & (x < 3)))


def hardswish(x: Array) -> Array:
    y = hardtanh(x + 3, 0, 6)
    y *= x
    y /= 6
    return y


def hardswish_backward(grad: Array, x: Array) -> Array:
    return zeroed(select(x < 3, grad * (x / 3 + 0.5), grad), x <= -3)


def hardshrink(x: Array, lambd: float) -> Array:
    return zeroed(x, (x >= -lambd) & (x <= lambd))


def softshrink(x: Array, lambd: float) -> Array:
    y = np.minimum(x + lambd, 0)
    y += np.maximum(x - lambd, 0)
    return np.copysign(y, x, out=y)  # of the zeros between the limits


def hardshrink_backward(grad: Array, x: Array, lambd: float) -> Array:
    """Nothing from between the limits."""
    return zeroed(grad, (x >= -lambd) & (x <= lambd))


softshrink_backward = hardshrink_backward


def elu(x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    y = np.minimum(x, 0)
    y *= input_scale
    np.expm1(y, out=y)
    y *= alpha * scale
    return select(x < 0, y, x if scale == 1 else x * scale)


def elu_backward(grad: Array, x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    d_negative = np.exp(x * input_scale)
    d_negative *= alpha * scale * input_scale
    d_negative *= grad
    return select(x <= 0, d_negative, grad * scale)


def gelu(x: Array) -> Array:
    y = erf(x * _ROOT_HALF)
    y += 1
    y *= 0.5  # before x, which may be the greatest number
    y *= x
    return y


def gelu_backward(grad: Array, x: Array) -> Array:
    density = np.exp(x * x * -0.5)
    density *= _ONE_BY_ROOT_TWO_PI
    density *= x
    share = erf(x * _ROOT_HALF)
    share += 1
    share *= 0.5
    share += density
    share *= grad
    return share


def _gelu_tanh(x: Array) -> Array:
    inner = x * x
    inner *= _CUBIC
    inner += 1
    inner *= x
    inner *= _ROOT_TWO_BY_PI
    return np.tanh(inner, out=inner)


def gelu_tanh(x: Array) -> Array:
    y = _gelu_tanh(x)
    y += 1
    y *= 0.5
    y *= x
    return y


def gelu_tanh_backward(grad: Array, x: Array) -> Array:
    t = _gelu_tanh(x)
    d_inner = _ROOT_TWO_BY_PI * (1 + 3 * _CUBIC * (x * x))
    return grad * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * d_inner)


def silu(x: Array) -> Array:
    y = np.exp(-x)
    y += 1
    return np.divide(x, y, out=y)


def silu_backward(grad: Array, x: Array) -> Array:
    s = logistic(x)
    return grad * (s * (1 + x * (1 - s)))


def mish(x: Array) -> Array:
    return x * np.tanh(np.log1p(np.exp(x)))


def mish_backward(grad: Array, x: Array) -> Array:
    t = np.tanh(np.log1p(np.exp(x)))
    return grad * (t + x * logistic(x) * (1 - t * t))


def softplus(x: Array, beta: float, limit: float) -> Array:
    z = x * beta
    linear = z > limit
    np.log1p(np.exp(z, out=z), out=z)
    z /= beta
    return select(linear, x, z)


def softplus_backward(grad: Array, x: Array, beta: float, limit: float) -> Array:
    z = x * beta
    linear = z > limit
    np.exp(z, out=z)
    z /= z + 1  # as long as it overflows nowhere but where it is linear, more exact than the logistic function
    z *= grad
    return select(linear, grad, z)


def log_sigmoid(x: Array) -> Array:
    y = np.minimum(x, 0)
    y -= np.log1p(np.exp(-np.abs(x)))
    return y


def log_sigmoid_backward(grad: Array, x: Array) -> Array:
    y = np.exp(-np.maximum(x, 0))
    y /= np.exp(-np.abs(x)) + 1  # 1 / (1 + exp(x)), where that overflows, too
    y *= grad
    return y


def glu(x: Array, gate: Array) -> Array:
    return x * logistic(gate)


def glu_backward(grad: Array, x: Array, gate: Array) -> tuple[Array, Array]:
    s = logistic(gate)
    d_x = grad * s
    return d_x, d_x * (1 - s) * x
