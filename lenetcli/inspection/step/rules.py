"""The rule of each operation as a formula: what forward computes, and what backward sends to each operand.

Operands are named as in the operation's `forward`; `grad` is the gradient of the result y, `d_x` that of an operand x.
Parameters of the operation stand in braces and are filled in.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli
from lenetcli.autograd.tape import Node


@dataclass(frozen=True)
class Rule:
    """What an operation does.

    Args:
        forward: y from the operands.
        backward: for each operand that can take a gradient, its gradient from that of y.
    """

    forward: str
    backward: dict[str, str]


def _curve(y: str, slope: str) -> Rule:
    """An elementwise function of x with its derivative."""
    return Rule(f"y = {y}", {"x": f"d_x = grad · {slope}"})


def _moved(y: str, d_x: str) -> Rule:
    """An operation that only moves numbers."""
    return Rule(f"y = {y}", {"x": f"d_x = {d_x}"})


def _of_difference(value: str, slope: str) -> Rule:
    """A loss of d = x - target."""
    forward = f"y = {{reduction}} of {value}, d = x − target"
    return Rule(forward, {"x": f"d_x = grad · {slope}{{share}}", "target": "d_target = −d_x"})


_NORMALISED = {
    "x": "d_x = weight / σ · (grad − mean(grad) − x̂ · mean(grad · x̂))",
    "weight": "d_weight = Σ grad · x̂",
    "bias": "d_bias = Σ grad",
}
_MATRICES = {"a": "d_a = grad bᵀ", "b": "d_b = aᵀ grad"}

RULES: dict[str, Rule] = {
    # products
    "Addmm": Rule("y[n,o] = c[o] + Σ_i a[n,i] · b[i,o]", {"c": "d_c = Σ_n grad[n,·]", **_MATRICES}),
    "Mm": Rule("y[n,o] = Σ_i a[n,i] · b[i,o]", _MATRICES),
    "Bmm": Rule("y[b] = a[b] b[b], a matrix product for each b", _MATRICES),
    "Trilinear": Rule(
        "y[n,o] = Σ_ij x1[n,i] · weight[o,i,j] · x2[n,j]",
        {
            "x1": "d_x1[n,i] = Σ_oj grad[n,o] · weight[o,i,j] · x2[n,j]",
            "weight": "d_weight[o,i,j] = Σ_n grad[n,o] · x1[n,i] · x2[n,j]",
            "x2": "d_x2[n,j] = Σ_oi grad[n,o] · x1[n,i] · weight[o,i,j]",
        },
    ),
    "Convolution": Rule(
        "y[n,o,{places}] = {plus_bias}Σ_c,{offsets} weight[o,c,{offsets}] · x[n,c,{window}]",
        {
            "x": "d_x[n,c,{window}] = Σ over all windows and o of weight[o,c,{offsets}] · grad[n,o,{places}]",
            "weight": "d_weight[o,c,{offsets}] = Σ_n,{places} grad[n,o,{places}] · x[n,c,{window}]",
            "bias": "d_bias[o] = Σ_n,{places} grad[n,o,{places}]",
        },
    ),
    "ConvolutionTransposed": Rule(
        "y[n,o,{window}] = {plus_bias}Σ over all windows and c of weight[c,o,{offsets}] · x[n,c,{places}]",
        {
            "x": "d_x[n,c,{places}] = Σ_o,{offsets} weight[c,o,{offsets}] · grad[n,o,{window}]",
            "weight": "d_weight[c,o,{offsets}] = Σ_n,{places} x[n,c,{places}] · grad[n,o,{window}]",
            "bias": "d_bias[o] = Σ of grad[n,o]",
        },
    ),
    "Embedding": Rule("y = weight[index]", {"weight": "d_weight[i] = Σ of grad where index = i"}),
    # pooling
    "MaxPool2DWithIndices": _moved(
        "the largest x in each {kernel} window", "grad at the largest of each window, else 0"
    ),
    "AdaptiveMaxPool2D": _moved("the largest x in each of {out} windows", "grad at the largest of each window, else 0"),
    "AvgPool2D": _moved("the mean of x over each {kernel} window", "grad / window size, at each place of the window"),
    "AdaptiveAvgPool2D": _moved("the mean of x over each of {out} windows", "grad / window size, all over the window"),
    "MaxUnpool2D": _moved("x at the places of index, else 0", "grad at the places of index"),
    # activations
    "Relu": _curve("max(x, 0)", "(1 where x > 0, else 0)"),
    "LeakyRelu": _curve("x where x > 0, else {constants[0]:g} x", "(1 where x > 0, else {constants[0]:g})"),
    "PreluKernel": Rule(
        "y = x where x > 0, else weight · x",
        {"x": "d_x = grad · (1 where x > 0, else weight)", "weight": "d_weight = Σ of grad · x where x ≤ 0"},
    ),
    "RreluWithNoise": _curve("x where x > 0, else a · x with random a", "(1 where x > 0, else a)"),
    "RreluEvaluated": _curve("x where x > 0, else {constants[0]:g} x", "(1 where x > 0, else {constants[0]:g})"),
    "Sigmoid": _curve("1 / (1 + e^−x)", "y (1 − y)"),
    "Tanh": _curve("tanh(x)", "(1 − y²)"),
    "Elu": _curve("x where x > 0, else α (e^x − 1)", "(1 where x > 0, else α e^x)"),
    "Celu": _curve("x where x > 0, else α (e^(x/α) − 1)", "(1 where x > 0, else e^(x/α))"),
    "Gelu": _curve("x Φ(x), Φ the normal distribution", "(Φ(x) + x φ(x))"),
    "GeluTanh": _curve("x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))", "∂y/∂x"),
    "Silu": _curve("x σ(x), σ(x) = 1 / (1 + e^−x)", "σ(x) (1 + x (1 − σ(x)))"),
    "Mish": _curve("x tanh(log(1 + e^x))", "∂y/∂x"),
    "Softplus": _curve("log(1 + e^(β x)) / β", "1 / (1 + e^(−β x))"),
    "LogSigmoid": _curve("−log(1 + e^−x)", "1 / (1 + e^x)"),
    "Hardtanh": _curve(
        "x limited to [{constants[0]:g}, {constants[1]:g}]", "(1 inside ({constants[0]:g}, {constants[1]:g}), else 0)"
    ),
    "Hardsigmoid": _curve("(x + 3) / 6 limited to [0, 1]", "(1/6 where −3 < x < 3, else 0)"),
    "Hardswish": _curve("x · ((x + 3) / 6 limited to [0, 1])", "(0 below −3, 1 above 3, between x/3 + 1/2)"),
    "Hardshrink": _curve("x where |x| > {constants[0]:g}, else 0", "(1 where |x| > {constants[0]:g}, else 0)"),
    "Softshrink": _curve("x moved towards 0 by {constants[0]:g}", "(1 where |x| > {constants[0]:g}, else 0)"),
    "Threshold": _curve(
        "x where x > {constants[0]:g}, else {constants[1]:g}", "(1 where x > {constants[0]:g}, else 0)"
    ),
    "Glu": _curve("a σ(b), a and b the halves of x", "(σ(b), a σ(b) (1 − σ(b)))"),
    "Softmax": Rule("y = e^x / Σ e^x along dimension {dim}", {"x": "d_x = y · (grad − Σ grad · y)"}),
    "LogSoftmax": Rule("y = x − log Σ e^x along dimension {dim}", {"x": "d_x = grad − e^y · Σ grad"}),
    # normalisation
    "NativeBatchNorm": Rule(
        "y = weight · x̂ + bias, x̂ = (x − mean) / σ, σ = √(var + {eps:g}), mean and var {of_whom} for each channel",
        _NORMALISED,
    ),
    "NativeLayerNorm": Rule("y = weight · x̂ + bias, x̂ = (x − mean) / √(var + {eps:g}) for each sample", _NORMALISED),
    "NativeGroupNorm": Rule("y = weight · x̂ + bias, x̂ = (x − mean) / √(var + {eps:g}) for each group", _NORMALISED),
    "InstanceNorm": Rule("y = weight · x̂ + bias, x̂ = (x − mean) / √(var + {eps:g}) for each channel", _NORMALISED),
    "FusedRmsNorm": Rule(
        "y = weight · x / √(mean(x²) + {eps:g})",
        {"x": "d_x = (weight · grad − x̂ · mean(weight · grad · x̂)) / rms", "weight": "d_weight = Σ grad · x̂"},
    ),
    "LocalResponseNorm": _curve("x / ({k:g} + {alpha:g} · mean of x² over {size} channels)^{beta:g}", "∂y/∂x"),
    # losses
    "NllLoss": Rule(
        "y = {reduction} of −log_p[n, target[n]]", {"log_p": "d_log_p[n, target[n]] = −grad{share}, else 0"}
    ),
    "NllLoss2D": Rule(
        "y = {reduction} of −log_p[n, target[n], ·]", {"log_p": "d_log_p[n, target[n], ·] = −grad{share}, else 0"}
    ),
    "MseLoss": _of_difference("d²", "2 d"),
    "HuberLoss": _of_difference("d²/2 where |d| ≤ {constants[0]:g}, else a straight line", "d, limited"),
    "SmoothL1Loss": _of_difference("d²/(2β) where |d| < β, else |d| − β/2", "d/β, limited to [−1, 1]"),
    "BinaryCrossEntropy": Rule(
        "y = {reduction} of −(target log x + (1 − target) log(1 − x))",
        {
            "x": "d_x = grad · (x − target) / (x (1 − x)){share}",
            "target": "d_target = grad · (log(1 − x) − log x){share}",
        },
    ),
    "BinaryCrossEntropyWithLogits": Rule(
        "y = {reduction} of log(1 + e^x) − target · x",
        {"x": "d_x = grad · (1/(1 + e^−x) − target){share}", "target": "d_target = −grad · x{share}"},
    ),
    "MultiMarginLoss": Rule(
        "y = {reduction} of Σ_c max(0, {margin:g} − x[n,t] + x[n,c])^{p} / classes, t = target[n]",
        {"x": "d_x = ±grad where the margin is not kept"},
    ),
    "MultilabelMarginLoss": Rule(
        "y = {reduction} of Σ max(0, 1 − x[n,t] + x[n,c]) / classes", {"x": "d_x = ±grad where the margin is not kept"}
    ),
    "SoftMarginLoss": Rule(
        "y = {reduction} of log(1 + e^(−target · x))", {"x": "d_x = −grad · target / (1 + e^(target · x)){share}"}
    ),
    # arithmetic
    "Add": Rule("y = a + {alpha:g} b", {"a": "d_a = grad", "b": "d_b = {alpha:g} grad"}),
    "Sub": Rule("y = a − {alpha:g} b", {"a": "d_a = grad", "b": "d_b = −{alpha:g} grad"}),
    "Mul": Rule("y = a · b", {"a": "d_a = grad · b", "b": "d_b = grad · a"}),
    "Div": Rule("y = a / b", {"a": "d_a = grad / b", "b": "d_b = −grad · a / b²"}),
    "Neg": _curve("−x", "(−1)"),
    "Pow": Rule(
        "y = base^exponent",
        {"base": "d_base = grad · exponent · base^(exponent − 1)", "exponent": "d_exponent = grad · y · log(base)"},
    ),
    "Abs": _curve("|x|", "sign(x)"),
    "Sign": _curve("sign(x)", "0"),
    "Exp": _curve("e^x", "y"),
    "Log": _curve("log x", "1/x"),
    "Sqrt": _curve("√x", "1 / (2 y)"),
    "Xlogy": Rule("y = x log y₂", {"x": "d_x = grad · log y₂", "y": "d_y₂ = grad · x / y₂"}),
    "Clamp": Rule("y = x limited to [low, high]", {"x": "d_x = grad · (1 inside the limits, else 0)"}),
    "Minimum": Rule("y = min(a, b)", {"a": "d_a = grad where a is less", "b": "d_b = grad where b is less"}),
    "Maximum": Rule("y = max(a, b)", {"a": "d_a = grad where a is more", "b": "d_b = grad where b is more"}),
    "Where": Rule(
        "y = a where condition, else b", {"a": "d_a = grad where condition", "b": "d_b = grad where not condition"}
    ),
    "Sum": _moved("Σ x over dimensions {over}", "grad at every place that was summed"),
    "Mean": _moved("mean of x over dimensions {over}", "grad / count at every place that was averaged"),
    "LinalgVectorNorm": _curve("the {order:g}-norm of x along {over}", "∂y/∂x"),
    "CosineSimilarity": Rule(
        "y = a·b / (|a| |b|)",
        {"a": "d_a = grad · (b/|b| − y a/|a|) / |a|", "b": "d_b = grad · (a/|a| − y b/|b|) / |b|"},
    ),
    # places
    "T": _moved("xᵀ: y[i,j] = x[j,i], the same memory", "gradᵀ"),
    "View": _moved("x in the shape {shape}, the same memory", "grad in the shape of x"),
    "ViewOwn": _moved("x in the shape {shape}", "grad in the shape of x"),
    "UnsafeView": _moved("x in the shape {shape}", "grad in the shape of x"),
    "Contiguous": _moved("x in row-major memory", "grad"),
    "Unsqueeze": _moved("x in the shape {shape}, the same memory", "grad in the shape of x"),
    "Squeeze": _moved("x in the shape {shape}, the same memory", "grad in the shape of x"),
    "SqueezeOwn": _moved("x in the shape {shape}", "grad in the shape of x"),
    "Permute": _moved("x with its dimensions in another order", "grad with them back in order"),
    "Transpose": _moved("x with two dimensions exchanged", "grad with them exchanged back"),
    "Clone": _moved("a copy of x", "grad"),
    "Copy": Rule("y = the values of another tensor", {}),
    "Fill": Rule("y = one value everywhere", {}),
    "ToCopy": _moved("x in another type", "grad in the type of x"),
    "Expand": _moved("x repeated along new or stretched dimensions", "Σ grad over the repetitions"),
    "Cat": Rule("y = the tensors, one after the other", {}),
    "ConstantPadNd": _moved("x with a border of {value:g}", "grad without the border"),
    "ReflectionPad1D": _moved("x with a mirrored border", "grad, the border's added to where it came from"),
    "ReflectionPad2D": _moved("x with a mirrored border", "grad, the border's added to where it came from"),
    "ReplicationPad1D": _moved("x with its edge repeated", "grad, the border's added to the edge"),
    "ReplicationPad2D": _moved("x with its edge repeated", "grad, the border's added to the edge"),
    "CircularPad": _moved("x continued at its other end", "grad, the border's added to where it came from"),
    "PixelShuffle": _moved("channels as {factor} × {factor} pixels", "grad's pixels as channels"),
    "PixelUnshuffle": _moved("{factor} × {factor} pixels as channels", "grad's channels as pixels"),
    "ChannelShuffle": _moved("channels of {groups} groups, interleaved", "grad's channels back in order"),
    "Im2Col": _moved("each window of x as a column", "Σ grad of the columns that hold the place"),
    "Col2Im": _moved("Σ of the columns that hold the place", "grad's windows as columns"),
    "UpsampleNearest2D": _moved("the nearest x", "Σ of grad over the places that took x"),
    "UpsampleBilinear2D": _moved("a weighted mean of the nearest x", "Σ of grad with the same weights"),
}


def rule_of(node: Node, parameters: Mapping[str, Any], operands: Mapping[str, Any]) -> Rule:
    """The rule of an operation, its parameters filled in; a pointer to the source where no formula is written down."""
    place = source(type(node))
    backward = {
        name: f"d_{name} = grad · ∂y/∂{name}, computed in {place}"
        for name, value in operands.items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }
    found = RULES.get(type(node).__name__)
    if found is None:
        return Rule(f"y = {type(node).__name__}({', '.join(operands)}), see {place}", backward)
    words = dict(parameters)
    reduction = words.get("reduction")
    words["share"] = " / count" if reduction == "mean" else ""
    words["reduction"] = "the values" if reduction == "none" else reduction
    words["of_whom"] = "of the batch" if words.get("training") else "as tracked in training"
    if "groups" in words and "stride" in words:
        words |= _window(words, operands)
    for name, text in found.backward.items():
        if operands.get(name) is not None:
            backward[name] = text.format_map(words).replace("1 grad", "grad")
    return Rule(found.forward.format_map(words).replace(" 1 b", " b"), backward)


def mentioned(name: str) -> str:
    """The text of an operation's rule with its parameters in braces; empty where there is none."""
    return RULES[name].forward if name in RULES else ""


def source(cls: type) -> str:
    """Where a class is written, as in lenetcli/ops/nn/conv2d.py:22."""
    if cls not in _SOURCES:
        _SOURCES[cls] = _written(cls)
    return _SOURCES[cls]


_SOURCES: dict[type, str] = {}  # Python reads a whole file to find a class in it


def _written(cls: type) -> str:
    try:
        file, line = Path(inspect.getsourcefile(cls) or ""), inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return cls.__name__  # made in an interpreter's session
    root = Path(lenetcli.__file__).parent.parent
    return f"{file.relative_to(root) if file.is_relative_to(root) else file}:{line}"


def code(cls: type, method: str) -> str:
    """The text of a method; empty where there is none to be had."""
    try:
        return inspect.cleandoc("\n" + inspect.getsource(getattr(cls, method)))
    except (OSError, TypeError, AttributeError):
        return ""


def _window(parameters: Mapping[str, Any], operands: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a convolution's formula that depend on its geometry."""
    dims = operands["weight"].ndim - 2
    places, offsets, window = "pq"[-dims:], "kl"[-dims:], []
    geometry = [parameters[name][-dims:] for name in ("stride", "dilation", "padding")]
    for place, offset, stride, dilation, padding in zip(places, offsets, *geometry):
        text = f"{stride if stride > 1 else ''}{place}+{dilation if dilation > 1 else ''}{offset}"
        window.append(text + (f"−{padding}" if padding else ""))
    bias = operands.get("bias")
    return {
        "places": ",".join(places),
        "offsets": ",".join(offsets),
        "window": ",".join(window),
        "plus_bias": "" if bias is None else "bias[o] + ",
    }
