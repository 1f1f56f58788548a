"""Activations, softmax, dropout, and layers that patterns found, which carry their arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.onnx_import.lowering import Flow, Reader, moved, per_channel, reads
from lenetcli.onnx_import.net import OWN, Node
from lenetcli.onnx_import.patterns import LAYERS

PLAIN = {
    "Relu": "ReLU", "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Softplus": "Softplus", "Softsign": "Softsign",
    "HardSwish": "Hardswish", "Mish": "Mish",
}  # fmt: skip
_SELU = 1.6732632423543772, 1.0507009873554805  # alpha and gamma
LARGE = float(np.finfo(np.float32).max)


@reads(*PLAIN)
def plain(reader: Reader, node: Node) -> Flow:
    return _layer(reader, node, PLAIN[node.op])


@reads(*(OWN + kind for kinds in LAYERS.values() for kind in kinds))
def found(reader: Reader, node: Node) -> Flow:
    """What a pattern found, with its arguments."""
    kind, args = node.op.removeprefix(OWN), dict(node.attributes)
    if kind not in LAYERS["elementwise"] and not reader.flow(node).plain:
        raise node.refusal("works on axes that are turned (channels last): no layer does that here")
    return _layer(reader, node, kind, **args)


def _layer(reader: Reader, node: Node, kind: str, **args: Any) -> Flow:
    flow = reader.flow(node)
    return moved(flow, reader.add(node, kind, args, [flow.at]))


@reads("LeakyRelu")
def leaky_relu(reader: Reader, node: Node) -> Flow:
    return _layer(reader, node, "LeakyReLU", negative_slope=number(node, "alpha", 0.01))


@reads("Elu")
def elu(reader: Reader, node: Node) -> Flow:
    return _layer(reader, node, "ELU", alpha=number(node, "alpha", 1.0))


@reads("Celu")
def celu(reader: Reader, node: Node) -> Flow:
    return _layer(reader, node, "CELU", alpha=number(node, "alpha", 1.0))


@reads("Selu")
def selu(reader: Reader, node: Node) -> Flow:
    given = number(node, "alpha", _SELU[0]), number(node, "gamma", _SELU[1])
    if not np.allclose(given, _SELU, rtol=1e-5):
        raise node.refusal(f"has alpha {given[0]:g} and gamma {given[1]:g}, not those of the layer SELU")
    return _layer(reader, node, "SELU")


@reads("HardSigmoid")
def hard_sigmoid(reader: Reader, node: Node) -> Flow:
    alpha, beta = number(node, "alpha", 0.2), number(node, "beta", 0.5)
    if not math.isclose(alpha, 1 / 6, rel_tol=1e-5) or beta != 0.5:
        raise node.refusal(f"has alpha {alpha:g} and beta {beta:g}; the layer Hardsigmoid has 1/6 and 0.5")
    return _layer(reader, node, "Hardsigmoid")


@reads("Gelu")
def gelu(reader: Reader, node: Node) -> Flow:
    kind = node.attributes.get("approximate", "none")
    return _layer(reader, node, "GELU", **({} if kind == "none" else {"approximate": kind}))


@reads("Swish")
def swish(reader: Reader, node: Node) -> Flow:
    if number(node, "alpha", 1.0) != 1:
        raise node.refusal("has another alpha than 1, that of the layer SiLU")
    return _layer(reader, node, "SiLU")


@reads("ThresholdedRelu")
def thresholded(reader: Reader, node: Node) -> Flow:
    return _layer(reader, node, "Threshold", threshold=number(node, "alpha", 1.0), value=0.0)


@reads("Shrink")
def shrink(reader: Reader, node: Node) -> Flow:
    lambd, bias = number(node, "lambd", 0.5), number(node, "bias", 0.0)
    if bias not in (0.0, lambd):
        raise node.refusal(f"has lambd {lambd:g} and bias {bias:g}: neither Softshrink nor Hardshrink")
    return _layer(reader, node, "Softshrink" if bias else "Hardshrink", lambd=lambd)


@reads("Clip", "Min", "Max")
def clip(reader: Reader, node: Node) -> Flow:
    if node.op == "Clip":
        given = [reader.constant(node, i) for i in (1, 2)]
        words = node.attributes.get("min"), node.attributes.get("max")
        low, high = (w if g is None else float(g.reshape(-1)[0]) for g, w in zip(given, words))
    else:
        places = [i for i, name in enumerate(node.inputs) if not reader.is_constant(name)]
        if len(places) != 1 or len(node.inputs) != 2 or reader.net.scalar(node.inputs[1 - places[0]]) is None:
            raise node.refusal("compares results with each other, or with many constants: no layer does that")
        if places[0] == 1:
            node.inputs.reverse()
        bound = reader.net.scalar(node.inputs[1])
        low, high = (bound, None) if node.op == "Max" else (None, bound)
    low, high = -LARGE if low is None else low, LARGE if high is None else high
    low, high = max(low, -LARGE), min(high, LARGE)
    if low >= high:
        raise node.refusal(f"clips to {low:g} and {high:g}: nothing is left")
    if (low, high) == (0, LARGE):
        return _layer(reader, node, "ReLU")
    if (low, high) == (0, 6):
        return _layer(reader, node, "ReLU6")
    return _layer(reader, node, "Hardtanh", min_val=low, max_val=high)


@reads("PRelu")
def prelu(reader: Reader, node: Node) -> Flow:
    flow, slope, shape = reader.flow(node), reader.floats(node, 1), reader.shape(node.inputs[0])
    assert slope is not None
    axis = 1 if flow.axes is None else flow.axes.index(1)
    each = per_channel(slope, shape, axis)
    if each is None and slope.shape == (shape[1],) and flow.axes is None:  # read as opset 6 has it
        each = slope
    if each is None or flow.order is not None:
        raise node.refusal(f"has slopes {list(slope.shape)} for {list(shape)}; PReLU has one, or one for each channel")
    weight = each if slope.size > 1 else slope.reshape(1)
    args = {"num_parameters": len(weight)} if len(weight) > 1 else {}
    return moved(flow, reader.add(node, "PReLU", args, [flow.at], {"weight": weight}, reader.path(node, 1)))


@reads("Softmax", "LogSoftmax")
def softmax(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.flow(node), reader.shape(node.inputs[0])
    old = reader.net.opset < 13
    axis = node.attributes.get("axis", 1 if old else -1) % len(shape)
    if old and any(n != 1 for n in shape[axis + 1 :]):
        raise node.refusal(f"takes axes {axis} to {len(shape) - 1} together, as before opset 13: no layer does that")
    dim = flow.axes[axis] if flow.axes else axis
    return _layer(reader, node, "Softmax" if node.op == "Softmax" else "LogSoftmax", dim=dim)


@reads("Dropout")
def dropout(reader: Reader, node: Node) -> Flow:
    """One that does something in training: its share is an input in newer operators."""
    given = reader.constant(node, 1)
    share = node.attributes.get("ratio", 0.5) if given is None else float(given.reshape(-1)[0])
    if not 0 <= share <= 1:
        raise node.refusal(f"has a share of {share:g}; wanted one from 0 to 1")
    mode = reader.constant(node, 2)
    if mode is not None and mode.reshape(-1)[0]:
        reader.in_training = True
        reader.notes.append(f"{node.label} drops at random in the file (training_mode); here only in training")
    return _layer(reader, node, "Dropout", p=shown(share))


def number(node: Node, key: str, usual: float) -> float:
    """A number of an attribute, as it was written before it was rounded to float32."""
    return shown(node.attributes[key]) if key in node.attributes else usual


def shown(value: float) -> float:
    """The shortest number of the same float32.

    Example:
        >>> shown(0.009999999776482582)
        0.01
    """
    return float(str(np.float32(value))) if math.isfinite(value) else value
