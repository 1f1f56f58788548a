"""Normalisation layers in evaluation mode, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import FLOAT, Array, Builder, Value, lowers


@lowers(nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)
def batch_norm(layer: nn.BatchNorm2d | nn.SyncBatchNorm, b: Builder, x: Value) -> str:
    if not isinstance(layer, nn.SyncBatchNorm):
        b.check_dims(x, *layer.dims)
    if layer.running_mean is None or layer.running_var is None:
        return _by_batch(layer, b, x)
    return _by_running(layer, b, x)


@lowers(nn.InstanceNorm1d, nn.InstanceNorm2d)
def instance_norm(layer: nn.InstanceNorm2d, b: Builder, x: Value) -> str:
    b.check_dims(x, max(layer.dims))
    if layer.track_running_stats:
        return _by_running(layer, b, x)
    return b.add("InstanceNormalization", x.name, *_affine(layer, b, x.shape[1]), epsilon=float(layer.eps))


def _by_running(layer: Any, b: Builder, x: Value) -> str:
    statistics = b.weight(layer.running_mean), b.weight(layer.running_var)
    return b.add("BatchNormalization", x.name, *_affine(layer, b, x.shape[1]), *statistics, epsilon=float(layer.eps))


def _by_batch(layer: Any, b: Builder, x: Value) -> str:
    """A layer that tracks nothing uses the statistics of the batch it is given."""
    axes = np.array([i for i in range(len(x.shape)) if i != 1])
    beside = b.add("Sub", x.name, b.add("ReduceMean", x.name, axes, keepdims=1))
    variance = b.add("ReduceMean", b.add("Mul", beside, beside), axes, keepdims=1)
    deviation = b.add("Sqrt", b.add("Add", variance, np.array(layer.eps, FLOAT)))
    return scaled(b, b.add("Div", beside, deviation), layer, len(x.shape) - 2)


def _affine(layer: Any, b: Builder, channels: int) -> tuple[str | Array, str | Array]:
    """Weight and bias, 1 and 0 where the layer has none."""
    weight, bias = b.weight(layer.weight), b.weight(layer.bias)
    return weight or np.ones(channels, FLOAT), bias or np.zeros(channels, FLOAT)


def scaled(b: Builder, name: str, layer: Any, behind: int) -> str:
    """Times the weight, plus the bias, where there are any: one number per channel, `behind` dimensions follow."""
    for op, parameter in (("Mul", layer.weight), ("Add", layer.bias)):
        if parameter is not None:
            name = b.add(op, name, b.column(parameter, behind))
    return name


@lowers(nn.LayerNorm)
def layer_norm(layer: nn.LayerNorm, b: Builder, x: Value) -> str:
    _check_normalized(layer, b, x)
    weight = b.weight(layer.weight) or np.ones(layer.normalized_shape, FLOAT)
    axis = -len(layer.normalized_shape)
    return b.add("LayerNormalization", x.name, weight, b.weight(layer.bias), axis=axis, epsilon=float(layer.eps))


@lowers(nn.RMSNorm)
def rms_norm(layer: nn.RMSNorm, b: Builder, x: Value) -> str:
    _check_normalized(layer, b, x)
    eps = float(np.finfo(FLOAT).eps) if layer.eps is None else layer.eps
    axes = np.arange(-len(layer.normalized_shape), 0)
    square = b.add("ReduceMean", b.add("Mul", x.name, x.name), axes, keepdims=1)
    name = b.add("Div", x.name, b.add("Sqrt", b.add("Add", square, np.array(eps, FLOAT))))
    weight = b.weight(layer.weight)
    return name if weight is None else b.add("Mul", name, weight)


def _check_normalized(layer: Any, b: Builder, x: Value) -> None:
    if len(layer.normalized_shape) >= len(x.shape):
        raise b.refusal("it would normalise over the batch")


@lowers(nn.GroupNorm)
def group_norm(layer: nn.GroupNorm, b: Builder, x: Value) -> str:
    """Groups as the channels of InstanceNormalization: GroupNormalization of opset 18 scales groups, not channels."""
    groups = layer.num_groups
    rows = b.add("Reshape", x.name, np.array([0, groups, math.prod(x.shape[1:]) // groups]))
    ones, zeros = np.ones(groups, FLOAT), np.zeros(groups, FLOAT)
    name = b.add("InstanceNormalization", rows, ones, zeros, epsilon=float(layer.eps))
    return scaled(b, b.add("Reshape", name, np.array([0, *x.shape[1:]])), layer, len(x.shape) - 2)


@lowers(nn.LocalResponseNorm)
def local_response_norm(layer: nn.LocalResponseNorm, b: Builder, x: Value) -> str:
    """The sum over a window is a product with a band of ones: ONNX's LRN knows no even sizes, and runtimes differ."""
    channel = np.arange(x.shape[1])
    apart = channel - channel[:, None]
    window = ((apart >= -(layer.size // 2)) & (apart <= (layer.size - 1) // 2)) * (layer.alpha / layer.size)
    rows = b.add("Reshape", x.name, np.array([0, x.shape[1], math.prod(x.shape[2:])]))
    activity = b.add("MatMul", window.astype(FLOAT), b.add("Mul", rows, rows))
    power = b.add("Pow", b.add("Add", activity, np.array(layer.k, FLOAT)), np.array(layer.beta, FLOAT))
    return b.add("Reshape", b.add("Div", rows, power), np.array([0, *x.shape[1:]]))
