"""Normalisation in evaluation mode, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers
from lenetcli.ops.nn.batch_norm import NativeBatchNorm
from lenetcli.ops.nn.layer_norm import FusedRmsNorm, InstanceNorm, LocalResponseNorm, NativeGroupNorm, NativeLayerNorm

Sizes = tuple[int, ...]


@lowers(NativeBatchNorm)
def batch_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running: tuple[Value, Value] | None,
    training: bool,
    eps: float,
) -> Any:
    if training or running is None:
        return _by_batch(b, x, weight, bias, eps)
    return b.add("BatchNormalization", x, *_affine(weight, bias, x.shape[1]), *running, epsilon=float(eps))


@lowers(InstanceNorm)
def instance_norm(b: Builder, x: Value, weight: Value | None, bias: Value | None, eps: float) -> Any:
    return b.add("InstanceNormalization", x, *_affine(weight, bias, x.shape[1]), epsilon=float(eps))


def _by_batch(b: Builder, x: Value, weight: Value | None, bias: Value | None, eps: float) -> Any:
    """A layer that tracks nothing uses the statistics of the batch it is given."""
    axes = np.array([i for i in range(x.ndim) if i != 1])
    beside = b.add("Sub", x, b.add("ReduceMean", x, axes, keepdims=1))
    variance = b.add("ReduceMean", b.add("Mul", beside, beside), axes, keepdims=1)
    deviation = b.add("Sqrt", b.add("Add", variance, np.array(eps, FLOAT)))
    return scaled(b, b.add("Div", beside, deviation), weight, bias, x.ndim - 2)


def _affine(weight: Value | None, bias: Value | None, channels: int) -> tuple[Value | Array, Value | Array]:
    """Weight and bias, 1 and 0 where there are none."""
    return weight or np.ones(channels, FLOAT), bias or np.zeros(channels, FLOAT)


def scaled(b: Builder, name: str, weight: Value | None, bias: Value | None, behind: int) -> str:
    """Times the weight, plus the bias, where there are any: one number per channel, `behind` dimensions follow."""
    for op, parameter in (("Mul", weight), ("Add", bias)):
        if parameter is not None:
            name = b.add(op, name, b.column(parameter, behind))
    return name


@lowers(NativeLayerNorm)
def layer_norm(b: Builder, x: Value, weight: Value | None, bias: Value | None, dims: int, eps: float) -> Any:
    _check_normalized(b, x, dims)
    given = weight or np.ones(x.shape[-dims:], FLOAT)
    return b.add("LayerNormalization", x, given, bias, axis=-dims, epsilon=float(eps))


@lowers(FusedRmsNorm)
def rms_norm(b: Builder, x: Value, weight: Value | None, dims: int, eps: float) -> Any:
    _check_normalized(b, x, dims)
    square = b.add("ReduceMean", b.add("Mul", x, x), np.arange(-dims, 0), keepdims=1)
    name = b.add("Div", x, b.add("Sqrt", b.add("Add", square, np.array(eps, FLOAT))))
    return name if weight is None else b.add("Mul", name, weight)


def _check_normalized(b: Builder, x: Value, dims: int) -> None:
    if dims == x.ndim:
        raise b.refusal("it would normalise over the batch")


@lowers(NativeGroupNorm)
def group_norm(b: Builder, x: Value, weight: Value | None, bias: Value | None, groups: int, eps: float) -> Any:
    """Groups as the channels of InstanceNormalization: GroupNormalization of opset 18 scales groups, not channels."""
    rows = b.add("Reshape", x, np.array([0, groups, math.prod(x.shape[1:]) // groups]))
    ones, zeros = np.ones(groups, FLOAT), np.zeros(groups, FLOAT)
    name = b.add("InstanceNormalization", rows, ones, zeros, epsilon=float(eps))
    return scaled(b, b.add("Reshape", name, np.array([0, *x.shape[1:]])), weight, bias, x.ndim - 2)


@lowers(LocalResponseNorm)
def local_response_norm(b: Builder, x: Value, size: int, alpha: float, beta: float, k: float) -> Any:
    """The sum over a window is a product with a band of ones: ONNX's LRN knows no even sizes, and runtimes differ."""
    channel = np.arange(x.shape[1])
    apart = channel - channel[:, None]
    window = ((apart >= -(size // 2)) & (apart <= (size - 1) // 2)) * (alpha / size)
    rows = b.add("Reshape", x, np.array([0, x.shape[1], math.prod(x.shape[2:])]))
    activity = b.add("MatMul", window.astype(FLOAT), b.add("Mul", rows, rows))
    power = b.add("Pow", b.add("Add", activity, np.array(k, FLOAT)), np.array(beta, FLOAT))
    return b.add("Reshape", b.add("Div", rows, power), np.array([0, *x.shape[1:]]))
