"""Activation layers, softmax and dropout in evaluation mode, as ONNX's operators."""

from __future__ import annotations

import math

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.nn.module import Module


def number(value: float) -> Array:
    """A constant."""
    return np.array(value, FLOAT)


@lowers(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
def nothing(layer: Module, b: Builder, x: Value) -> str:
    return x.name


PLAIN = {
    nn.ReLU: "Relu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
    nn.SELU: "Selu",
    nn.Softsign: "Softsign",
    nn.Hardswish: "HardSwish",
}  # layers that are one operator, with nothing to say about it


@lowers(*PLAIN)
def plain(layer: Module, b: Builder, x: Value) -> str:
    return b.add(PLAIN[type(layer)], x.name)


@lowers(nn.ELU)
def elu(layer: nn.ELU, b: Builder, x: Value) -> str:
    return b.add("Elu", x.name, alpha=float(layer.alpha))


@lowers(nn.CELU)
def celu(layer: nn.CELU, b: Builder, x: Value) -> str:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0), not Celu, in which a reader takes alpha for Elu's."""
    alpha = float(layer.alpha)
    if alpha == 1:
        return b.add("Elu", x.name, alpha=1.0)
    grown = b.add("Sub", b.add("Exp", b.add("Mul", x.name, number(1 / alpha))), number(1))
    return b.add("Add", b.add("Relu", x.name), b.add("Min", b.add("Mul", grown, number(alpha)), number(0)))


@lowers(nn.LeakyReLU)
def leaky_relu(layer: nn.LeakyReLU, b: Builder, x: Value) -> str:
    return b.add("LeakyRelu", x.name, alpha=float(layer.negative_slope))


@lowers(nn.RReLU)
def rrelu(layer: nn.RReLU, b: Builder, x: Value) -> str:
    return b.add("LeakyRelu", x.name, alpha=(layer.lower + layer.upper) / 2)


@lowers(nn.PReLU)
def prelu(layer: nn.PReLU, b: Builder, x: Value) -> str:
    return b.add("PRelu", x.name, b.column(layer.weight, max(len(x.shape) - 2, 0)))


@lowers(nn.Hardtanh, nn.ReLU6)
def hardtanh(layer: nn.Hardtanh, b: Builder, x: Value) -> str:
    return b.add("Clip", x.name, number(layer.min_val), number(layer.max_val))


@lowers(nn.Hardsigmoid)
def hardsigmoid(layer: nn.Hardsigmoid, b: Builder, x: Value) -> str:
    return b.add("HardSigmoid", x.name, alpha=1 / 6, beta=0.5)


@lowers(nn.Hardshrink)
def hardshrink(layer: nn.Hardshrink, b: Builder, x: Value) -> str:
    """Not Shrink, which readers get wrong or do not know."""
    return b.add("Where", b.add("Greater", b.add("Abs", x.name), number(layer.lambd)), x.name, number(0))


@lowers(nn.Softshrink)
def softshrink(layer: nn.Softshrink, b: Builder, x: Value) -> str:
    """max(x - lambda, 0) - max(-x - lambda, 0)."""
    above = b.add("Relu", b.add("Sub", x.name, number(layer.lambd)))
    return b.add("Sub", above, b.add("Relu", b.add("Sub", b.add("Neg", x.name), number(layer.lambd))))


@lowers(nn.Threshold)
def threshold(layer: nn.Threshold, b: Builder, x: Value) -> str:
    return b.add("Where", b.add("Greater", x.name, number(layer.threshold)), x.name, number(layer.value))


@lowers(nn.SiLU)
def silu(layer: nn.SiLU, b: Builder, x: Value) -> str:
    return b.add("Mul", x.name, b.add("Sigmoid", x.name))


@lowers(nn.Mish)
def mish(layer: nn.Mish, b: Builder, x: Value) -> str:
    return b.add("Mul", x.name, b.add("Tanh", b.add("Softplus", x.name)))


@lowers(nn.GELU)
def gelu(layer: nn.GELU, b: Builder, x: Value) -> str:
    if layer.approximate == "tanh":
        cube = b.add("Mul", b.add("Mul", x.name, x.name), x.name)
        inner = b.add("Add", x.name, b.add("Mul", cube, number(0.044715)))
        share = b.add("Tanh", b.add("Mul", inner, number(math.sqrt(2 / math.pi))))
    else:
        share = b.add("Erf", b.add("Mul", x.name, number(math.sqrt(0.5))))
    return b.add("Mul", b.add("Mul", x.name, number(0.5)), b.add("Add", share, number(1)))


@lowers(nn.Softplus)
def softplus(layer: nn.Softplus, b: Builder, x: Value) -> str:
    inner = x.name if layer.beta == 1 else b.add("Mul", x.name, number(layer.beta))
    soft = b.add("Softplus", inner)
    soft = soft if layer.beta == 1 else b.add("Div", soft, number(layer.beta))
    return b.add("Where", b.add("Greater", inner, number(layer.threshold)), x.name, soft)


@lowers(nn.LogSigmoid)
def log_sigmoid(layer: nn.LogSigmoid, b: Builder, x: Value) -> str:
    """min(x, 0) - log(1 + exp(-|x|)), which overflows nowhere."""
    small = b.add("Exp", b.add("Neg", b.add("Abs", x.name)))
    return b.add("Sub", b.add("Min", x.name, number(0)), b.add("Log", b.add("Add", small, number(1))))


@lowers(nn.Tanhshrink)
def tanhshrink(layer: nn.Tanhshrink, b: Builder, x: Value) -> str:
    return b.add("Sub", x.name, b.add("Tanh", x.name))


@lowers(nn.GLU)
def glu(layer: nn.GLU, b: Builder, x: Value) -> str:
    axis = layer.dim % len(x.shape)
    half = x.shape[axis] // 2
    if axis == 0:
        raise b.refusal("it would halve the batch")
    first, second = (
        b.add("Slice", x.name, np.array([start]), np.array([start + half]), np.array([axis])) for start in (0, half)
    )
    return b.add("Mul", first, b.add("Sigmoid", second))


@lowers(nn.Softmax, nn.LogSoftmax, nn.Softmin)
def softmax(layer: nn.Softmax, b: Builder, x: Value) -> str:
    dims = len(x.shape)
    axis = (0 if dims in (0, 1, 3) else 1) if layer.dim is None else layer.dim  # torch's choice, as in functional
    name = b.add("Neg", x.name) if isinstance(layer, nn.Softmin) else x.name
    return b.add("LogSoftmax" if isinstance(layer, nn.LogSoftmax) else "Softmax", name, axis=axis % dims)


@lowers(nn.Softmax2d)
def softmax2d(layer: nn.Softmax2d, b: Builder, x: Value) -> str:
    b.check_dims(x, 4)
    return b.add("Softmax", x.name, axis=1)
