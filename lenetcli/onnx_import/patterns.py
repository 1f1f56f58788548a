"""Layers that writers spell out as several operators: one template each, the larger ones first.

What a template finds becomes one operator under the layer's name, with the layer's arguments as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lenetcli.onnx_import.matching import Add, Bound, Matcher, Mul, Number, Op, X
from lenetcli.onnx_import.net import OWN, Net, Node
from lenetcli.onnx_import.shapes import reduced_axes

LAYERS = {
    "elementwise": (
        "GELU", "Mish", "Hardswish", "Hardsigmoid", "SiLU", "LogSigmoid", "Softplus", "CELU", "Softshrink",
        "Hardshrink", "Threshold", "LeakyReLU", "Tanhshrink", "Softsign", "Hardtanh", "ReLU",
    ),
    "by axes": (
        "Softmin", "LogSoftmax", "LayerNorm", "RMSNorm", "GroupNorm", "GLU", "LocalResponseNorm", "PixelShuffle",
        "PixelUnshuffle", "ChannelShuffle", "Upsample",
        *(f"{kind}{dims}d" for kind in ("BatchNorm", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "CircularPad",
          "LPPool") for dims in (1, 2, 3)),
    ),
}  # fmt: skip  # what patterns make
Found = tuple[str, dict[str, Any]]  # a layer's type and its arguments
Then = Callable[[Net, Bound], "Found | None"]

x = X()
exp, absolute = Op("Exp", x), Op("Abs", x)
_relu6 = (Op("Clip", Add(3, x), Number(0), Number(6)), Op("Min", Op("Relu", Add(3, x)), Number(6)))
_cube = Mul(0.044715, x, x, x)
_softplus = (Op("Softplus", x), Op("Log", Add(1, exp)), Op("Log", Op("Add", exp, Number(1))))
_mean = Op("ReduceMean", x, key="mean")
_beside = Add(0, x, Mul(-1, _mean))
_variance = Op("ReduceMean", Mul(1, _beside, _beside), key="variance")


def _plain(kind: str, **args: Any) -> Then:
    """A layer with these arguments; those that are names of the template stand for its numbers."""

    def then(net: Net, bound: Bound) -> Found | None:
        return kind, {key: bound.get(value, value) for key, value in args.items()}

    return then


def _sixth(net: Net, bound: Bound) -> Found | None:
    words = bound["sigmoid"].attributes
    alpha, beta = words.get("alpha", 0.2), words.get("beta", 0.5)
    return ("Hardswish", {}) if math.isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5 else None


def _beta(net: Net, bound: Bound) -> Found | None:
    if not math.isclose(bound["beta"] * bound["inverse"], 1, rel_tol=1e-5):
        return None
    return "Softplus", {"beta": bound["beta"], "threshold": bound.get("threshold", 20.0)}


def _celu(net: Net, bound: Bound) -> Found | None:
    same = math.isclose(bound["alpha"] * bound["inverse"], 1, rel_tol=1e-5)
    return ("CELU", {"alpha": bound["alpha"]}) if same else None


def _opposite(kind: str) -> Then:
    """A threshold that stands in the template a second time with the other sign."""

    def then(net: Net, bound: Bound) -> Found | None:
        return (kind, {"lambd": bound["lambd"]}) if math.isclose(bound["lambd"], -bound["minus"]) else None

    return then


def _normalized(net: Net, bound: Bound) -> Found | None:
    """Over the last axes: LayerNorm; over all but the channels: BatchNorm that tracks nothing."""
    shape = net.shapes[bound["x"]]
    axes = {reduced_axes(net, bound[key], len(shape)) for key in ("mean", "variance") if key in bound}
    if len(axes) != 1 or not all(
        bound[key].attributes.get("keepdims", 1) for key in ("mean", "variance") if key in bound
    ):
        return None
    (over,), ndim = axes, len(shape)
    if over and over == tuple(range(over[0], ndim)) and over[0] > 0:
        if "mean" not in bound:
            words = {"normalized_shape": list(shape[over[0] :]), "eps": bound["eps"], "elementwise_affine": False}
            return "RMSNorm", words
        words = {"normalized_shape": list(shape[over[0] :]), "eps": bound["eps"], "elementwise_affine": False}
        return "LayerNorm", words
    if "mean" in bound and over == tuple(i for i in range(ndim) if i != 1) and ndim in (2, 3, 4, 5):
        words = {"num_features": shape[1], "eps": bound["eps"], "affine": False, "track_running_stats": False}
        return f"BatchNorm{max(1, ndim - 2)}d", words
    return None


_scaled = Mul("beta", x)
_ROOT = math.sqrt(2 / math.pi)
TEMPLATES: list[tuple[Any, Then]] = [
    (Mul(0.5, x, Add(1, Op("Tanh", Mul(_ROOT, Add(0, x, _cube))))), _plain("GELU", approximate="tanh")),
    (Mul(0.5, x, Add(1, Op("Erf", Mul(math.sqrt(0.5), x)))), _plain("GELU")),
    *((Mul(1, x, Op("Tanh", soft)), _plain("Mish")) for soft in _softplus),
    (Mul(1, x, Op("HardSigmoid", x, key="sigmoid")), _sixth),
    *((Mul(1 / 6, x, six), _plain("Hardswish")) for six in _relu6),
    *((Mul(1 / 6, six), _plain("Hardsigmoid")) for six in _relu6),
    (Mul(1, x, Op("Sigmoid", x)), _plain("SiLU")),
    (Add(0, Op("Min", x, Number(0)), Mul(-1, Op("Log", Add(1, Op("Exp", Mul(-1, absolute)))))), _plain("LogSigmoid")),
    (Op("Log", Op("Sigmoid", x)), _plain("LogSigmoid")),
    (Mul(-1, Op("Softplus", Mul(-1, x))), _plain("LogSigmoid")),
    (Op("Where", Op("Greater", _scaled, Number("threshold")), x, Mul("inverse", Op("Softplus", _scaled))), _beta),
    (
        Op("Where", Op("Greater", x, Number("threshold")), x, Op("Softplus", x)),
        lambda net, bound: ("Softplus", {"threshold": bound["threshold"]}),
    ),
    (Mul("inverse", Op("Softplus", _scaled)), _beta),
    *((soft, _plain("Softplus")) for soft in _softplus[1:]),
    (
        Add(0, Op("Relu", x), Op("Min", Mul("alpha", Add(-1, Op("Exp", Mul("inverse", x)))), Number(0))),
        _celu,
    ),
    (Add(0, Op("Relu", Add("minus", x)), Mul(-1, Op("Relu", Add("minus", Mul(-1, x))))),
     lambda net, bound: ("Softshrink", {"lambd": -bound["minus"]})),
    (Op("Where", Op("Greater", absolute, Number("lambd")), x, Number(0)), _plain("Hardshrink", lambd="lambd")),
    (
        Op("Where", Op("And", Op("LessOrEqual", x, Number("lambd")), Op("GreaterOrEqual", x, Number("minus"))),
           Number(0), x),
        _opposite("Hardshrink"),
    ),
    (
        Op("Where", Op("Or", Op("Greater", x, Number("lambd")), Op("Less", x, Number("minus"))), x, Number(0)),
        _opposite("Hardshrink"),
    ),
    (Op("Where", Op("Greater", x, Number("t")), x, Number("v")), _plain("Threshold", threshold="t", value="v")),
    (Op("Where", Op("LessOrEqual", x, Number("t")), Number("v"), x), _plain("Threshold", threshold="t", value="v")),
    (Op("Where", Op("Greater|GreaterOrEqual", x, Number(0)), x, Mul("a", x)), _plain("LeakyReLU", negative_slope="a")),
    (Add(0, x, Mul(-1, Op("Tanh", x))), _plain("Tanhshrink")),
    (Op("Div", x, Add(1, absolute)), _plain("Softsign")),
    (Op("Min", Op("Relu", x), Number("high")), _plain("Hardtanh", min_val=0.0, max_val="high")),
    (Op("Max", x, Number(0)), _plain("ReLU")),
    (Op("Softmax", Mul(-1, x), key="softmax"), lambda net, bound: _softmin(net, bound)),
    (Op("Log", Op("Softmax", x, key="softmax")), lambda net, bound: _log_softmax(net, bound)),
    (Op("Div", _beside, Op("Sqrt", Add("eps", _variance))), _normalized),
    (Mul(1, _beside, Op("Reciprocal", Op("Sqrt", Add("eps", _variance)))), _normalized),
    (Op("Div", x, Op("Sqrt", Add("eps", Op("ReduceMean", Mul(1, x, x), key="variance")))), _normalized),
    (Mul(1, x, Op("Reciprocal", Op("Sqrt", Add("eps", Op("ReduceMean", Mul(1, x, x), key="variance"))))), _normalized),
]  # fmt: skip


def _softmin(net: Net, bound: Bound) -> Found | None:
    dim = _softmax_axis(net, bound)
    return None if dim is None else ("Softmin", {"dim": dim})


def _log_softmax(net: Net, bound: Bound) -> Found | None:
    dim = _softmax_axis(net, bound)
    return None if dim is None else ("LogSoftmax", {"dim": dim})


def _softmax_axis(net: Net, bound: Bound) -> int | None:
    """The axis; None where an old operator takes several together."""
    ndim, old = len(net.shapes[bound["x"]]), net.opset < 13
    axis: int = bound["softmax"].attributes.get("axis", 1 if old else -1) % ndim
    return None if old and axis < ndim - 1 else axis


def rewrite(net: Net, more: list[Callable[[Matcher, Node], Node | None]] = []) -> None:  # noqa: B006
    """Puts one operator in the place of each expression that a template finds, from the output backwards.

    Args:
        more: looked at before the templates; each gives a node in the place of one, or None.
    """
    makers = net.producers()
    matcher = Matcher(net, makers)
    wanted, kept = set(net.outputs), []
    for node in reversed(net.nodes):
        if not wanted.intersection(node.outputs):
            continue
        found = next((new for look in (*more, _template) if (new := look(matcher, node)) is not None), node)
        for name in found.outputs:
            makers[name] = found
        wanted.update(found.inputs)
        kept.append(found)
    net.nodes = kept[::-1]


def _template(matcher: Matcher, node: Node) -> Node | None:
    if node.op not in _ROOTS:
        return None
    for template, then in TEMPLATES:
        for bound in matcher.match(template, node.output, {}):
            found = then(matcher.net, bound)
            if found is not None and matcher.net.shapes[bound["x"]] == matcher.net.shapes[node.output]:
                return Node(OWN + found[0], [bound["x"]], node.outputs[:1], found[1], node.label, node.path)
    return None


_ROOTS = {"Mul", "Div", "Add", "Sub", "Where", "Log", "Min", "Max", "Neg", "Softmax"}
