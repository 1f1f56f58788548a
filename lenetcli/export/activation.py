"""Activation functions and softmax, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, INDEX, Array, Builder, Growing, Value, lowers
from lenetcli.nn import functional as F
from lenetcli.ops.nn.attention import SafeSoftmax
from lenetcli.ops.nn.softmax import LogSoftmax, Softmax
from lenetcli.ops.pointwise import exp, gelu, relu, sin
from lenetcli.ops.pointwise.hardtanh import Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Softshrink, Threshold

Constants = tuple[float, ...]


def number(value: float) -> Array:
    """A constant."""
    return np.array(value, FLOAT)


PLAIN = {
    relu.Relu: "Relu",
    exp.Sigmoid: "Sigmoid",
    sin.Tanh: "Tanh",
    Hardswish: "HardSwish",
    F.softsign: "Softsign",
}  # ops that are one operator, with nothing to say about it


def _plain(op: str) -> Any:
    def lower(b: Builder, x: Value) -> Any:
        return b.add(op, b.cast(x, b.out.kind))

    return lower


for _op, _name in PLAIN.items():
    if _op is not F.softsign:
        lowers(_op, any_batch=True)(_plain(_name))


@lowers(F.softsign, any_batch=True)
def softsign(b: Builder, input: Value) -> Any:
    return b.add("Softsign", b.cast(input, b.out.kind))


@lowers(gelu.Elu, any_batch=True)
def elu(b: Builder, x: Value, constants: Constants) -> Any:
    """scale x above 0, scale alpha (exp(x input_scale) - 1) below."""
    alpha, scale, inner = map(float, constants)
    if (alpha, scale, inner) == (gelu.SELU_ALPHA, gelu.SELU_SCALE, 1.0):
        return b.add("Selu", x)
    if inner != 1:
        raise b.refusal("elu with a factor inside")
    found = b.add("Elu", x, alpha=alpha)
    return found if scale == 1 else b.add("Mul", found, number(scale))


@lowers(gelu.Celu, any_batch=True)
def celu(b: Builder, x: Value, constants: Constants) -> Any:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0), not Celu, in which a reader takes alpha for Elu's."""
    alpha = float(constants[0])
    if alpha == 1:
        return b.add("Elu", x, alpha=1.0)
    grown = b.add("Sub", b.add("Exp", b.add("Mul", x, number(1 / alpha))), number(1))
    return b.add("Add", b.add("Relu", x), b.add("Min", b.add("Mul", grown, number(alpha)), number(0)))


@lowers(relu.LeakyRelu, relu.RreluEvaluated, any_batch=True)
def leaky_relu(b: Builder, x: Value, constants: Constants) -> Any:
    return b.add("LeakyRelu", x, alpha=float(constants[0]))


@lowers(relu.PreluKernel, any_batch=True)
def prelu(b: Builder, x: Value, weight: Value) -> Any:
    """A slope without the sizes of 1 in front, so that a single one is the layer's own parameter."""
    if weight.array is not None:
        extra = next((i for i, n in enumerate(weight.shape[:-1]) if n != 1), max(weight.ndim - 1, 0))
        weight = b.constant(weight.array.reshape(weight.shape[extra:]))
    return b.add("PRelu", x, weight)


@lowers(Hardtanh, any_batch=True)
def hardtanh(b: Builder, x: Value, constants: Constants) -> Any:
    return b.add("Clip", x, np.array(constants[0], x.kind), np.array(constants[1], x.kind))


@lowers(Hardsigmoid, any_batch=True)
def hardsigmoid(b: Builder, x: Value) -> Any:
    return b.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@lowers(Hardshrink, any_batch=True)
def hardshrink(b: Builder, x: Value, constants: Constants) -> Any:
    """Not Shrink, which readers get wrong or do not know."""
    return b.add("Where", b.add("Greater", b.add("Abs", x), number(constants[0])), x, number(0))


@lowers(Softshrink, any_batch=True)
def softshrink(b: Builder, x: Value, constants: Constants) -> Any:
    """max(x - lambda, 0) - max(-x - lambda, 0)."""
    wide = number(constants[0])
    return b.add("Sub", b.add("Relu", b.add("Sub", x, wide)), b.add("Relu", b.add("Sub", b.add("Neg", x), wide)))


@lowers(Threshold, any_batch=True)
def threshold(b: Builder, x: Value, constants: Constants) -> Any:
    return b.add("Where", b.add("Greater", x, number(constants[0])), x, number(constants[1]))


@lowers(gelu.Silu, any_batch=True)
def silu(b: Builder, x: Value) -> Any:
    return b.add("Mul", x, b.add("Sigmoid", x))


@lowers(gelu.Mish, any_batch=True)
def mish(b: Builder, x: Value) -> Any:
    return b.add("Mul", x, b.add("Tanh", b.add("Softplus", x)))


@lowers(gelu.Gelu, any_batch=True)
def gelu_(b: Builder, x: Value) -> Any:
    return _half(b, x, b.add("Erf", b.add("Mul", x, number(math.sqrt(0.5)))))


@lowers(gelu.GeluTanh, any_batch=True)
def gelu_tanh(b: Builder, x: Value) -> Any:
    cube = b.add("Mul", b.add("Mul", x, x), x)
    inner = b.add("Add", x, b.add("Mul", cube, number(0.044715)))
    return _half(b, x, b.add("Tanh", b.add("Mul", inner, number(math.sqrt(2 / math.pi)))))


def _half(b: Builder, x: Value, share: str) -> Any:
    return b.add("Mul", b.add("Mul", x, number(0.5)), b.add("Add", share, number(1)))


@lowers(gelu.Softplus, any_batch=True)
def softplus(b: Builder, x: Value, constants: Constants) -> Any:
    beta, high = constants
    inner = x if beta == 1 else b.add("Mul", x, number(beta))
    soft = b.add("Softplus", inner)
    soft = soft if beta == 1 else b.add("Div", soft, number(beta))
    return b.add("Where", b.add("Greater", inner, number(high)), x, soft)


@lowers(gelu.LogSigmoid, any_batch=True)
def log_sigmoid(b: Builder, x: Value) -> Any:
    """min(x, 0) - log(1 + exp(-|x|)), which overflows nowhere."""
    small = b.add("Exp", b.add("Neg", b.add("Abs", x)))
    return b.add("Sub", b.add("Min", x, number(0)), b.add("Log", b.add("Add", small, number(1))))


@lowers(gelu.Glu, any_batch=True)
def glu(b: Builder, x: Value, dim: int) -> Any:
    size = x.shape[dim]
    if isinstance(size, Growing):
        raise b.refusal("it would halve the batch")
    half = size // 2
    first, second = (
        b.add("Slice", x, np.array([start]), np.array([start + half]), np.array([dim])) for start in (0, half)
    )
    return b.add("Mul", first, b.add("Sigmoid", second))


@lowers(Softmax, LogSoftmax, any_batch=True)
def softmax(b: Builder, x: Value, dim: int) -> Any:
    if not x.ndim:
        raise b.refusal("it is of a number")
    return b.add(b.op, x, axis=dim)


@lowers(SafeSoftmax, any_batch=True)
def safe_softmax(b: Builder, x: Value, dim: int) -> Any:
    """ReduceMax says which rows are -infinity throughout."""
    most = b.add("ReduceMax", x, np.array([dim], INDEX), keepdims=1)
    none = b.add("Equal", most, number(-np.inf), ndim=x.ndim)
    return b.add("Where", none, number(0.0), b.add("Softmax", x, axis=dim), ndim=x.ndim)
