"""Linear layers, convolutions, and factors and offsets that they take up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.onnx_import.lowering import Flow, Layer, Reader, dims_of, moved, one_or_each, per_channel, reads
from lenetcli.onnx_import.net import Array, Node, Sizes
from lenetcli.onnx_import.shapes import transposed_pads, window

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
TRANSPOSED = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_MODES = {"ReflectionPad": "reflect", "ReplicationPad": "replicate", "CircularPad": "circular"}


@reads("Conv")
def conv(reader: Reader, node: Node) -> Flow:
    dims, flow = dims_of(reader, node), reader.plain(node)
    weight, bias = reader.floats(node, 1), reader.floats(node, 2)
    assert weight is not None
    strides, dilations, before, after = window(node, reader.shape(node.inputs[0])[2:], weight.shape[2:])
    args: dict[str, Any] = {"out_channels": weight.shape[0], "kernel_size": one_or_each(weight.shape[2:])}
    pads = Pads(reader, node, dims)
    at, mode, border = pads.taken(before, after, ("zeros", *_MODES.values()), flow)
    for key, value, usual in (
        ("stride", one_or_each(strides), 1),
        ("padding", one_or_each(border), 0),
        ("dilation", one_or_each(dilations), 1),
        ("groups", int(node.attributes.get("group", 1)), 1),
        ("padding_mode", mode, "zeros"),
        ("bias", bias is not None, True),
    ):
        if value != usual:
            args[key] = value
    weights = {"weight": weight, "bias": bias}
    return Flow(reader.add(node, f"Conv{dims}d", args, [at], weights, reader.path(node, 1, 2)))


class Pads:
    """Borders before a layer with windows: its own, and those of a layer before it that does nothing else."""

    def __init__(self, reader: Reader, node: Node, dims: int) -> None:
        self.reader, self.node, self.dims = reader, node, dims

    def taken(
        self, before: Sizes, after: Sizes, modes: tuple[str, ...], flow: Flow, value: float = 0.0
    ) -> tuple[int, str, Sizes]:
        """What the layer takes, in what mode its border is, and how wide; a layer is added where borders differ.

        Args:
            modes: that the layer knows.
            value: of the border.
        """
        layer = self.reader.before(self.node)
        if layer is not None and before == after:
            mode, sides = self._of(layer, value)
            pairs = [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
            if mode in modes and len(pairs) == self.dims and all(a == b and a >= 0 for a, b in pairs):
                if mode == "zeros":
                    return layer.inputs[0], mode, tuple(a + p for (a, _), p in zip(pairs, before))
                if not any(before):
                    return layer.inputs[0], mode, tuple(a for a, _ in pairs)
        if before == after:
            return flow.at, "zeros", before
        sides = [side for pair in zip(before[::-1], after[::-1]) for side in pair]
        args: dict[str, Any] = {"padding": sides}
        kind = f"ZeroPad{self.dims}d"
        if value:
            kind, args = f"ConstantPad{self.dims}d", {"padding": sides, "value": value}
        return self.reader.add(self.node, kind, args, [flow.at], path=""), "zeros", (0,) * self.dims

    def _of(self, layer: Layer, value: float) -> tuple[str, list[int]]:
        kind = layer.type[:-2]
        if kind in ("ZeroPad", "ConstantPad") and layer.args.get("value", 0.0) == value:
            return "zeros", layer.args["padding"]
        return (_MODES[kind], layer.args["padding"]) if kind in _MODES else ("", [])


@reads("ConvTranspose")
def conv_transpose(reader: Reader, node: Node) -> Flow:
    dims, flow = dims_of(reader, node), reader.plain(node)
    weight, bias = reader.floats(node, 1), reader.floats(node, 2)
    assert weight is not None
    strides, dilations, before, after, more = transposed_pads(node, reader.shape(node.inputs[0])[2:], weight.shape[2:])
    crop = [(0, 0)] * dims
    if any(m and m >= max(s, d) for m, s, d in zip(more, strides, dilations)) and bias is None:
        crop, more = [(0, m) for m in more], (0,) * dims  # nothing but zeros is there
    if before != after:
        crop = [(c - b, d - a) for (c, d), b, a in zip(crop, before, after)]
        before = (0,) * dims
    args: dict[str, Any] = {
        "out_channels": weight.shape[1] * node.attributes.get("group", 1),
        "kernel_size": one_or_each(weight.shape[2:]),
    }
    for key, value, usual in (
        ("stride", one_or_each(strides), 1),
        ("padding", one_or_each(before), 0),
        ("output_padding", one_or_each(more), 0),
        ("groups", int(node.attributes.get("group", 1)), 1),
        ("bias", bias is not None, True),
        ("dilation", one_or_each(dilations), 1),
    ):
        if value != usual:
            args[key] = value
    weights = {"weight": weight, "bias": bias}
    at = reader.add(node, f"ConvTranspose{dims}d", args, [flow.at], weights, reader.path(node, 1, 2))
    if any(map(any, crop)):
        sides = [side for pair in crop[::-1] for side in pair]
        inner = at
        at = reader.add(node, f"ZeroPad{dims}d", {"padding": sides}, [at], path="")
        if min(sides) < 0 and max(sides) <= 0:
            reader.layers[at].affine = inner
    return Flow(at)


def linear(reader: Reader, node: Node, weight: Array, bias: Array | None, flow: Flow, path: str) -> Flow:
    """A Linear layer.

    Args:
        weight: (out, in), its columns in the file's order.
    """
    if flow.axes is not None:
        raise node.refusal("works on the last axis of what is turned (channels last): no layer does that here")
    if flow.order is not None:
        turned = np.empty_like(weight)
        turned[:, flow.order] = weight
        weight = turned
    args: dict[str, Any] = {"out_features": weight.shape[0]}
    if bias is None:
        args["bias"] = False
    return Flow(reader.add(node, "Linear", args, [flow.at], {"weight": weight, "bias": bias}, path))


@reads("Gemm")
def gemm(reader: Reader, node: Node) -> Flow:
    words = node.attributes
    if words.get("transA", 0):
        raise node.refusal("transA is set: it takes samples for features")
    weight, bias = reader.floats(node, 1), reader.floats(node, 2)
    assert weight is not None
    weight = weight if words.get("transB", 0) else weight.T
    if words.get("alpha", 1.0) != 1:
        weight = weight * np.float32(words["alpha"])
    if bias is not None:
        bias = bias if words.get("beta", 1.0) == 1 else bias * np.float32(words["beta"])
        row = per_channel(bias, reader.shape(node.output), 1)
        if row is None:
            raise node.refusal(f"adds {list(bias.shape)}, another number for each sample")
        bias = row
    return linear(reader, node, weight, bias, reader.flow(node), reader.path(node, 1, 2))


@reads("MatMul")
def matmul(reader: Reader, node: Node) -> Flow:
    first, second = node.inputs
    if reader.is_constant(second) and not reader.is_constant(first):
        weight = reader.floats(node, 1)
        assert weight is not None
        if weight.ndim != 2:
            raise node.refusal(f"multiplies by {list(weight.shape)}: another matrix for each sample")
        flow = reader.flow(node)
        if flow.axes is not None and len(flow.axes) == 4 and flow.axes[3] == 1:  # along the channels
            kernel = weight.T[:, :, None, None]
            args = {"out_channels": kernel.shape[0], "kernel_size": 1, "bias": False}
            return moved(flow, reader.add(node, "Conv2d", args, [flow.at], {"weight": kernel}, reader.path(node, 1)))
        return linear(reader, node, weight.T, None, flow, reader.path(node, 1))
    if reader.is_constant(first) and len(reader.shape(second)) == 3 and reader.shape(first)[:-2] in ((), (1,)):
        weight = reader.floats(node, 0)
        assert weight is not None
        args = {"out_channels": weight.shape[-2], "kernel_size": 1, "bias": False}
        kernel = weight.reshape(weight.shape[-2:])[:, :, None]
        return Flow(reader.add(node, "Conv1d", args, [reader.plain(node, 1).at], {"weight": kernel}))
    what = "a constant by samples" if reader.is_constant(first) else "two results with each other"
    raise node.refusal(f"multiplies {what}: no layer does that")


@reads("Add", "Sub", "Mul", "Div", "Sum")
def arithmetic(reader: Reader, node: Node) -> Flow:
    given = [name for name in node.inputs if not reader.is_constant(name)]
    if len(given) > 1:
        return _together(reader, node)
    ((place, name),) = [(i, name) for i, name in enumerate(node.inputs) if name == given[0]][:1]
    flow, constants = reader.flow(node, place), [i for i in range(len(node.inputs)) if i != place]
    for at in constants:
        number = reader.floats(node, at)
        assert number is not None
        if node.op in ("Mul", "Div"):
            if node.op == "Div" and place:
                raise node.refusal("divides by a result: no layer does that")
            with np.errstate(all="ignore"):
                flow = scaled(reader, node, flow, name, number if node.op == "Mul" else 1 / number, None)
        elif node.op == "Sub" and place:
            flow = scaled(reader, node, flow, name, np.array(-1, np.float32), number)
        else:
            flow = scaled(reader, node, flow, name, None, -number if node.op == "Sub" else number)
    return flow


@reads("Neg")
def negative(reader: Reader, node: Node) -> Flow:
    return scaled(reader, node, reader.flow(node), node.inputs[0], np.array(-1, np.float32), None)


def _together(reader: Reader, node: Node) -> Flow:
    """Two results or more, number by number."""
    kind = {"Add": "Add", "Sum": "Add", "Mul": "Multiply"}.get(node.op)
    if kind is None:
        raise node.refusal(
            f"combines two results; of such operators only Add, Sum and Mul are layers here, not {node.op}"
        )
    flows = [reader.flow(node, i) for i in range(len(node.inputs))]
    shapes = [reader.shape(name) for name in node.inputs]
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise node.refusal(f"combines {' and '.join(str(list(s)) for s in shapes)}, of another number of dimensions")
    first = flows[0]
    if any(f.axes != first.axes or not _same_order(f.order, first.order) for f in flows[1:]):
        raise node.refusal("combines results whose axes are in another order each")
    if len({flow.at for flow in flows}) < len(flows) and kind == "Multiply":
        raise node.refusal("multiplies a result by itself: no layer does that")
    return moved(first, reader.add(node, kind, {}, [flow.at for flow in flows]))


def _same_order(a: Array | None, b: Array | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def scaled(reader: Reader, node: Node, flow: Flow, name: str, factor: Array | None, offset: Array | None) -> Flow:
    """A result times a constant, plus a constant: taken up by the layer that gives it, or a layer of its own."""
    shape = reader.shape(name)
    if reader.shape(node.output) != shape:
        raise node.refusal(
            f"makes {list(shape)} to {list(reader.shape(node.output))} by a constant: no layer does that"
        )
    axis = shape_axis(flow, shape)
    layer = reader.before(node, node.inputs.index(name))
    if layer is not None and layer.affine is not None:
        layer = reader.layers[layer.affine]
    is_norm = layer is not None and layer.type in ("LayerNorm", "RMSNorm") and flow.plain
    if layer is not None and is_norm and _into_norm(layer, shape, factor, offset):
        _rename(reader, node, layer)
        return flow
    pools = ("AvgPool2d", "AvgPool3d")
    if layer is not None and layer.type in pools and factor is not None and factor.size == 1 and offset is None:
        kernel, dims = layer.args["kernel_size"], len(shape) - 2
        divisor = math.prod(kernel if isinstance(kernel, list) else [kernel] * dims) / float(factor.reshape(()))
        if (
            abs(divisor - round(divisor)) < 1e-3 * divisor
            and round(divisor) > 0
            and layer.args.get("count_include_pad", True)
        ):
            layer.args["divisor_override"] = round(divisor)
            return flow
    if layer is not None and layer.type == "Linear":
        axis = len(shape) - 1
    vectors = []
    for constant in (factor, offset):
        vector = None if constant is None else per_channel(constant, shape, axis)
        if constant is not None and vector is None:
            raise node.refusal(f"combines {list(shape)} with a constant {list(constant.shape)}: no layer does that")
        if vector is not None and flow.order is not None:
            turned = np.empty_like(vector)
            turned[flow.order] = vector
            vector = turned
        vectors.append(vector)
    if any(vector is not None and not np.isfinite(vector).all() for vector in vectors):
        raise node.refusal("has a constant that is no finite number")
    if layer is not None and take_up(layer, *vectors):
        _rename(reader, node, layer)
        return flow
    return _own_layer(reader, node, flow, shape, axis, *vectors)


def shape_axis(flow: Flow, shape: Sizes) -> int:
    """The file's axis that is the channels of the layer."""
    if len(shape) < 2:
        return 0
    return 1 if flow.axes is None else flow.axes.index(1)


def _rename(reader: Reader, node: Node, layer: Layer) -> None:
    """A bias that is added may tell the path of a layer whose weight has no name."""
    if not layer.path:
        layer.path = reader.path(node, 0, 1)


def _into_norm(layer: Layer, shape: Sizes, factor: Array | None, offset: Array | None) -> bool:
    normalized = tuple(layer.args["normalized_shape"])
    if layer.type == "RMSNorm" and offset is not None:
        return False
    arrays: list[Array | None] = []
    for constant in (factor, offset):
        if constant is None:
            arrays.append(None)
            continue
        extra = constant.ndim - len(normalized)
        if extra > 0 and any(n != 1 for n in constant.shape[:extra]):
            return False
        inner: Array = constant.reshape(constant.shape[max(extra, 0) :])
        if any(size not in (1, wanted) for size, wanted in zip(inner.shape[::-1], normalized[::-1])):
            return False
        arrays.append(np.broadcast_to(inner, normalized))
    weights, (by, plus) = layer.weights, arrays
    if "weight" not in weights:
        layer.args.pop("elementwise_affine", None)
        weights["weight"] = np.ones(normalized, np.float32)
        if layer.type == "LayerNorm":
            weights["bias"] = np.zeros(normalized, np.float32)
    if plus is not None and "bias" not in weights:
        layer.args.pop("bias", None)
        weights["bias"] = np.zeros(normalized, np.float32)
    if by is not None:
        weights.update({key: array * by for key, array in weights.items()})
    if plus is not None:
        weights["bias"] = weights["bias"] + plus
    return True


_AFFINE_NORMS = (*(f"{kind}Norm{dims}d" for kind in ("Batch", "Instance") for dims in (1, 2, 3)), "GroupNorm")


def take_up(layer: Layer, factor: Array | None, offset: Array | None) -> bool:
    """Makes a layer's output times a factor per channel, plus an offset per channel; False where it cannot."""
    weights = layer.weights
    if layer.type in _AFFINE_NORMS:
        count = len(offset if factor is None else factor)  # type: ignore[arg-type]
        layer.args.pop("affine", None)
        if layer.type.startswith("Instance"):
            layer.args["affine"] = True
        weight, bias = (
            weights.get("weight", np.ones(count, np.float32)),
            weights.get("bias", np.zeros(count, np.float32)),
        )
        if factor is not None:
            weight, bias = weight * factor, bias * factor
        weights |= {"weight": weight, "bias": bias if offset is None else bias + offset}
        return True
    if layer.type not in ("Linear", *CONVOLUTIONS, *TRANSPOSED):
        return False
    if factor is not None:
        weight = weights["weight"]
        if layer.type in TRANSPOSED:
            groups = layer.args.get("groups", 1)
            parts = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
            factors = factor.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))
            weights["weight"] = (parts * factors).reshape(weight.shape)
        else:
            weights["weight"] = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
        if "bias" in weights:
            weights["bias"] = weights["bias"] * factor
    if offset is not None:
        weights["bias"] = weights["bias"] + offset if "bias" in weights else offset
        layer.args.pop("bias", None)
    return True


def _own_layer(
    reader: Reader, node: Node, flow: Flow, shape: Sizes, axis: int, factor: Array | None, offset: Array | None
) -> Flow:
    """A convolution of each channel alone, of one pixel: a factor and an offset for each channel."""
    if len(shape) not in (2, 3, 4, 5):
        raise node.refusal(f"combines {list(shape)} with a constant: no layer does that")
    count = shape[axis]
    dims = max(1, len(shape) - 2)
    kind = f"Conv{dims}d"
    weight = np.ones(count, np.float32) if factor is None else factor
    args = {"out_channels": count, "kernel_size": 1, "groups": count}
    if count == 1:
        del args["groups"]
    weights = {"weight": weight.reshape(count, *(1,) * (dims + 1)), "bias": offset}
    if offset is None:
        args["bias"] = False
    if len(shape) > 2:
        return moved(flow, reader.add(node, kind, args, [flow.at], weights))
    split = reader.add(node, "Unflatten", {"dim": 1, "unflattened_size": [count, 1]}, [flow.at], path="")
    inner = reader.add(node, kind, args, [split], weights)
    joined = reader.add(node, "Flatten", {}, [inner], path="")
    reader.layers[joined].affine = inner
    return moved(flow, joined)
