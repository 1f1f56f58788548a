"""Layers that writers spell out with arrays or sizes, which templates of numbers alone do not tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.kernels.avg_pool import window_counts
from lenetcli.kernels.window import extent
from lenetcli.onnx_import import paths
from lenetcli.onnx_import.folding import sliced
from lenetcli.onnx_import.matching import Add, Any_, Matcher, Mul, Number, Op, X
from lenetcli.onnx_import.net import Node, as_tuple, made
from lenetcli.onnx_import.resampling import maxima, rearranged, resampled
from lenetcli.onnx_import.shapes import constant, pads_of, reduced_axes

_x = X()
_LRN = Op("Div", _x, Op("Pow", Add("k", Op("MatMul", Any_("window"), Mul(1, _x, _x))), Number("beta")))
_POOL = Op("AveragePool", X("powers"), key="pool")
_TOTAL = Mul("pixels", _POOL)


def local_response(matcher: Matcher, node: Node) -> Node | None:
    """LocalResponseNorm: the sum over neighbouring channels is a product with a band."""
    if node.op not in ("Div", "Reshape"):
        return None
    root = node
    if node.op == "Reshape" and (maker := matcher.makers.get(node.inputs[0])) is not None and maker.op == "Div":
        root = maker
    for bound in matcher.match(_LRN, root.output, {}):
        window = matcher.net.constants[bound["window"]]
        source = bound["x"]
        if window.ndim != 2 or window.shape[0] != window.shape[1]:
            continue
        count, value = len(window), float(window.max())
        for size in range(1, 2 * count + 1):
            apart = np.arange(count) - np.arange(count)[:, None]
            band = (apart >= -(size // 2)) & (apart <= (size - 1) // 2)
            if np.array_equal(window > 0, band) and np.allclose(window[band], value):
                words = {"size": size, "alpha": value * size, "beta": bound["beta"], "k": bound["k"]}
                before = matcher.makers.get(source)
                if root is not node and before is not None and before.op == "Reshape":
                    source = before.inputs[0]
                    same = matcher.net.shapes[source] == matcher.net.shapes[node.output]
                    return made(node, "LocalResponseNorm", source, words) if same else None
                return made(root, "LocalResponseNorm", source, words) if root is node else None
    return None


def lp_pool(matcher: Matcher, node: Node) -> Node | None:
    """LPPool: powers, their mean over windows times the pixels of a window, the root."""
    net = matcher.net
    if node.op == "Sqrt":
        total, power = node.inputs[0], 2.0
    elif node.op == "Pow" and net.scalar(node.inputs[1]):
        total, power = node.inputs[0], 1 / float(net.scalar(node.inputs[1]) or 1)
    else:
        return None
    power = round(power) if math.isclose(power, round(power), rel_tol=1e-5) else power
    for bound in matcher.match(_TOTAL, total, {}):
        pool = bound["pool"]
        pixels = math.prod(pool.attributes["kernel_shape"])
        maker = matcher.makers.get(bound["powers"])
        if (
            maker is None
            or not math.isclose(pixels, bound["pixels"], rel_tol=1e-5)
            or any(pool.attributes.get("pads", ()))
        ):
            continue
        square = maker.op == "Mul" and maker.inputs[0] == maker.inputs[1]
        raised = 2.0 if square else net.scalar(maker.inputs[1]) if maker.op == "Pow" else None
        if raised is None or not math.isclose(raised, power, rel_tol=1e-5):
            continue
        kernel = list(pool.attributes["kernel_shape"])
        words: dict[str, Any] = {
            "norm_type": float(power),
            "kernel_size": kernel[0] if len(set(kernel)) == 1 else kernel,
        }
        strides = list(pool.attributes.get("strides", [1] * len(kernel)))
        if strides != kernel:
            words["stride"] = strides[0] if len(set(strides)) == 1 else strides
        if pool.attributes.get("ceil_mode", 0):
            words["ceil_mode"] = True
        return made(node, f"LPPool{len(kernel)}d", maker.inputs[0], words)
    return None


def averaged(matcher: Matcher, node: Node) -> Node | None:
    """AvgPool whose last windows reach over the border: means of whole windows, which are made larger."""
    net = matcher.net
    if node.op != "Mul":
        return None
    for name, other in (node.inputs, node.inputs[::-1]):
        pool, factor = matcher.makers.get(name), net.constants.get(other)
        frame = matcher.makers.get(pool.inputs[0]) if pool is not None and pool.op == "AveragePool" else None
        if pool is None or factor is None or frame is None or frame.op != "Pad" or any(pool.attributes.get("pads", ())):
            continue
        source = frame.inputs[0]
        image, kernel = net.shapes[source][2:], as_tuple(pool.attributes["kernel_shape"])
        dims, ones = len(image), (1,) * len(image)
        steps, pairs = as_tuple(pool.attributes.get("strides", ones)), pads_of(net, frame, dims + 2)
        zeros = len(frame.inputs) < 3 or not frame.inputs[2] or net.scalar(frame.inputs[2]) == 0
        if (
            len(kernel) != dims
            or any(map(any, pairs[:2]))
            or not zeros
            or pool.attributes.get("dilations", ones) != ones
        ):
            continue
        border = tuple(before for before, _ in pairs[2:])
        if factor.shape != net.shapes[node.output][2:] or any(not 0 <= 2 * p <= k for p, k in zip(border, kernel)):
            continue
        for whole in (True, False):
            counts: Any = np.ones(())
            for sizes in zip(image, kernel, steps, border):
                counts = np.multiply.outer(counts, window_counts(*sizes, extent(*sizes, 1, True), whole))
            if counts.shape == factor.shape and np.allclose(math.prod(kernel) / counts, factor, rtol=1e-6):
                words: dict[str, Any] = {"kernel_size": [*kernel], "stride": [*steps], "padding": [*border]}
                return made(node, f"AvgPool{dims}d", source, words | {"ceil_mode": True, "count_include_pad": whole})
    return None


_GATED = Mul(1, X("first"), Op("Sigmoid", X("second")))


def gated(matcher: Matcher, node: Node) -> Node | None:
    """GLU: one half times the sigmoid of the other."""
    if node.op != "Mul":
        return None
    for bound in matcher.match(_GATED, node.output, {}):
        first, second = (_part(matcher, bound[key]) for key in ("first", "second"))
        if first is None or second is None:
            continue
        source, axis, *_ = first
        half, odd = divmod(matcher.net.shapes[source][axis], 2)
        if not odd and first == (source, axis, 0, half) and second == (source, axis, half, 2 * half):
            return made(node, "GLU", source, {"dim": axis})
    return None


def _part(matcher: Matcher, name: str) -> tuple[str, int, int, int] | None:
    """What a part was cut from, along which axis, from where to where."""
    node, net = matcher.makers.get(name), matcher.net
    if node is None or node.op not in ("Slice", "Split"):
        return None
    source = node.inputs[0]
    whole, part = net.shapes[source], net.shapes[name]
    axes = [i for i, (n, m) in enumerate(zip(whole, part)) if n != m]
    if len(axes) != 1:
        return None
    axis = axes[0]
    if node.op == "Split":
        before = node.outputs[: node.outputs.index(name)]
        start = sum(net.shapes[one][axis] for one in before)
        return source, axis, start, start + part[axis]
    words = [constant(net, node, i) for i in range(1, len(node.inputs))]
    row = np.arange(whole[axis]).reshape([-1 if i == axis else 1 for i in range(len(whole))])
    line = sliced(node, np.broadcast_to(row, whole), *words)[
        tuple(slice(None) if i == axis else 0 for i in range(len(whole)))
    ]
    if not np.array_equal(line, np.arange(line[0], line[0] + len(line))):
        return None
    return source, axis, int(line[0]), int(line[-1]) + 1


def grouped(matcher: Matcher, node: Node) -> Node | None:
    """GroupNorm without factors: groups as the channels of InstanceNormalization."""
    net = matcher.net
    inner = matcher.makers.get(node.inputs[0]) if node.op == "Reshape" else None
    outer = None if inner is None or inner.op != "InstanceNormalization" else matcher.makers.get(inner.inputs[0])
    if inner is None or outer is None or outer.op != "Reshape":
        return None
    source, rows = outer.inputs[0], net.shapes[outer.output]
    scale, shift = (net.constants.get(name) for name in inner.inputs[1:3])
    if scale is None or shift is None or (scale != 1).any() or shift.any() or len(rows) < 3:
        return None
    shape = net.shapes[source]
    if shape != net.shapes[node.output] or rows[0] != shape[0] or len(shape) < 2 or shape[1] % rows[1]:
        return None
    words = {
        "num_groups": rows[1],
        "num_channels": shape[1],
        "eps": inner.attributes.get("epsilon", 1e-5),
        "affine": False,
    }
    return made(node, "GroupNorm", source, words)


_SLOPES = Add(0, Op("Relu", _x), Mul(1, Op("Relu", Mul(-1, _x)), Any_("slopes")))
_ONE_SLOPE = Add(0, Op("Relu", _x), Mul("slope", Op("Relu", Mul(-1, _x))))


def sloped(matcher: Matcher, node: Node) -> Node | None:
    """PReLU as Keras has it: what is above 0, and slopes times what is below."""
    if node.op not in ("Add", "Sub"):
        return None
    for bound in matcher.match(_ONE_SLOPE, node.output, {}):
        return made(node, "LeakyReLU", bound["x"], {"negative_slope": -bound["slope"]})
    for bound in matcher.match(_SLOPES, node.output, {}):
        name = f"{node.output}/slopes"
        matcher.net.constants[name] = -matcher.net.constants[bound["slopes"]]
        return Node("PRelu", [bound["x"], name], node.outputs[:1], {}, node.label, node.path)
    return None


_mean = Op("ReduceMean", _x, key="mean")
_beside = Add(0, _x, Mul(-1, _mean))
_deviation = Op("Sqrt", Add("eps", Op("ReduceMean", Mul(1, _beside, _beside), key="variance")))
_inverse = Op("Reciprocal", _deviation)
_gamma, _beta = Any_("gamma"), Any_("beta")
_FACTORED = [
    Add(0, Mul(1, _x, _inverse, *gamma), Mul(-1, _mean, _inverse, *gamma), *beta)
    for gamma in ((_gamma,), ())
    for beta in ((_beta,), ())
]


def layer_norm(matcher: Matcher, node: Node) -> Node | None:
    """LayerNorm as Keras has it: the input times a factor, and the mean times the same."""
    if node.op != "Add":
        return None
    net = matcher.net
    for template in _FACTORED:
        for bound in matcher.match(template, node.output, {}):
            shape = net.shapes[bound["x"]]
            axes = {reduced_axes(net, bound[key], len(shape)) for key in ("mean", "variance")}
            (over, *rest) = axes
            if rest or not over or over != tuple(range(over[0], len(shape))) or over[0] == 0:
                continue
            size, names = shape[over[0] :], []
            for key, usual in (("gamma", 1.0), ("beta", 0.0)):
                given = net.constants[bound[key]] if key in bound else np.float32(usual)
                names.append(f"{node.output}/{key}")
                try:
                    net.constants[names[-1]] = np.broadcast_to(given.reshape(given.shape[-len(size) :]), size)
                except ValueError:
                    return None
            words = {"axis": over[0], "epsilon": bound["eps"]}
            path = paths.of_array(bound.get("gamma", "")) or node.path
            return Node("LayerNormalization", [bound["x"], *names], node.outputs[:1], words, node.label, path)
    return None


LOOKS: list[Callable[[Matcher, Node], Node | None]] = [
    rearranged,
    resampled,
    maxima,
    local_response,
    lp_pool,
    averaged,
    gated,
    grouped,
    sloped,
    layer_norm,
]
