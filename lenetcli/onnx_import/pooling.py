"""Pools, and means and maxima over whole pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.window import extent
from lenetcli.onnx_import.affine import Pads
from lenetcli.onnx_import.lowering import Flow, Reader, dims_of, one_or_each, reads
from lenetcli.onnx_import.net import Node, Sizes, as_tuple
from lenetcli.onnx_import.shapes import reduced_axes, window

LEAST = float(np.finfo(np.float32).min)  # below all others; a configuration has no infinity


@reads("MaxPool", "AveragePool", "LpPool")
def pool(reader: Reader, node: Node) -> Flow:
    dims, flow = dims_of(reader, node), reader.plain(node)
    if len([name for name in node.outputs if name]) > 1 and reader.uses.get(node.outputs[1], 0):
        raise node.refusal("gives the places of its maxima, too: no layer in a chain takes them")
    words, image = node.attributes, reader.shape(node.inputs[0])[2:]
    kernel = as_tuple(words["kernel_shape"])
    strides, dilations, before, after = window(node, image, kernel)
    out = reader.shape(node.output)[2:]
    is_max = node.op == "MaxPool"
    kind = {"MaxPool": "MaxPool", "AveragePool": "AvgPool", "LpPool": "LPPool"}[node.op] + f"{dims}d"
    ceil = bool(words.get("ceil_mode", 0))
    whole = bool(words.get("count_include_pad", 0))
    plain = before == after and all(2 * b <= k for b, k in zip(before, kernel))
    at, border = flow.at, before
    if node.op == "LpPool":
        if any(before) or any(after) or any(d != 1 for d in dilations) or words.get("p", 2) % 2:
            raise node.refusal("has borders, dilations or an odd p, which LPPool, the layer of that kind, has not")
    elif not plain:
        if not any(before) and not (whole and not is_max) and _by_ceil(image, kernel, strides, dilations, out):
            ceil, border = True, before
        elif is_max:
            at, border = _framed(reader, node, dims, before, after, LEAST, flow), (0,) * dims
        elif whole:
            at, border = _framed(reader, node, dims, before, after, 0.0, flow), (0,) * dims
        else:
            raise node.refusal(
                f"has borders {[*before, *after]} that do not count in the mean: AvgPool, the layer of that kind, "
                "has the same on both sides"
            )
    args: dict[str, Any] = {"kernel_size": one_or_each(kernel)}
    if node.op == "LpPool":
        args = {"norm_type": float(words.get("p", 2)), **args}
    if strides != kernel:
        args["stride"] = one_or_each(strides)
    if any(border):
        args["padding"] = one_or_each(border)
    if is_max and any(d != 1 for d in dilations):
        args["dilation"] = one_or_each(dilations)
    elif any(d != 1 for d in dilations):
        raise node.refusal("takes a mean over pixels apart (dilations), which no layer here does")
    if ceil and not _same_without_ceil(image, kernel, strides, border, dilations, out):
        args["ceil_mode"] = True
    if node.op == "AveragePool":
        if not any(border) and at == flow.at and before == after:
            at, _, border = Pads(reader, node, dims).taken(before, after, ("zeros",), flow)
            if any(border) and any(2 * b > k for b, k in zip(border, kernel)):
                at, border = flow.at, (0,) * dims
            if any(border):
                args["padding"], whole = one_or_each(border), True
        if any(border) and not whole:
            args["count_include_pad"] = False
    return Flow(reader.add(node, kind, args, [at]))


def _by_ceil(image: Sizes, kernel: Sizes, strides: Sizes, dilations: Sizes, out: Sizes) -> bool:
    """Borders behind the picture only: a last, partial window is the same."""
    sizes = zip(image, kernel, strides, dilations, out)
    return all(extent(n, k, s, 0, d, True) == o for n, k, s, d, o in sizes)


def _same_without_ceil(
    image: Sizes, kernel: Sizes, strides: Sizes, border: Sizes, dilations: Sizes, out: Sizes
) -> bool:
    sizes = zip(image, kernel, strides, border, dilations, out)
    return all(extent(n, k, s, p, d, False) == o for n, k, s, p, d, o in sizes)


def _framed(reader: Reader, node: Node, dims: int, before: Sizes, after: Sizes, value: float, flow: Flow) -> int:
    sides = [side for pair in zip(before[::-1], after[::-1]) for side in pair]
    if not value:
        return reader.add(node, f"ZeroPad{dims}d", {"padding": sides}, [flow.at], path="")
    return reader.add(node, f"ConstantPad{dims}d", {"padding": sides, "value": value}, [flow.at], path="")


@reads("GlobalAveragePool", "GlobalMaxPool")
def whole_picture(reader: Reader, node: Node) -> Flow:
    dims, flow = dims_of(reader, node), reader.plain(node)
    kind = "AdaptiveAvgPool" if node.op == "GlobalAveragePool" else "AdaptiveMaxPool"
    return Flow(reader.add(node, f"{kind}{dims}d", {"output_size": 1}, [flow.at]))


@reads("ReduceMean", "ReduceMax")
def reduced(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.flow(node), reader.shape(node.inputs[0])
    if flow.order is not None:
        raise node.refusal("takes together columns that were turned: no layer does that")
    axes = sorted(flow.axes[axis] if flow.axes else axis for axis in reduced_axes(reader.net, node, len(shape)))
    dims = len(shape) - 2
    if dims not in (1, 2, 3) or axes != list(range(2, len(shape))):
        raise node.refusal(f"takes axes {axes} of {list(shape)} together; layers do so with whole pictures only")
    kind = "AdaptiveAvgPool" if node.op == "ReduceMean" else "AdaptiveMaxPool"
    at = reader.add(node, f"{kind}{dims}d", {"output_size": 1}, [flow.at])
    if node.attributes.get("keepdims", 1):
        return Flow(at, flow.axes)
    return Flow(reader.add(node, "Flatten", {}, [at], path=""))
