"""Operators that rearrange: flattening, reshaping, turning, borders, joining, rows of a table, resizing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.onnx_import.lowering import Flow, Reader, moved, one_or_each, reads
from lenetcli.onnx_import.net import Array, Node, Sizes
from lenetcli.onnx_import.resampling import LINEAR
from lenetcli.onnx_import.shapes import pads_of, resize_words


@reads("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def reshape(reader: Reader, node: Node) -> Flow:
    flow, old, new = reader.flow(node), reader.shape(node.inputs[0]), reader.shape(node.output)
    if old == new and flow.plain:
        return flow
    if (flow.axes is None and old[0] != new[0]) or not len(new):
        raise node.refusal(f"makes {list(old)} to {list(new)}, which mixes the samples of a batch")
    if flow.order is not None:
        if new == old:
            return flow
        raise node.refusal("reshapes what was turned (channels last) before it was flattened: no layer does that here")
    if flow.axes is not None:
        return _turned(reader, node, flow, old, new)
    if len(old) == len(new) == 4 and old[1] == new[3] == 1 and old[2:] == new[1:3]:  # one channel, and it comes last
        return Flow(flow.at, (0, 2, 3, 1))
    return Flow(_reshaped(reader, node, flow.at, old[1:], new[1:]))


def _reshaped(reader: Reader, node: Node, at: int, old: Sizes, new: Sizes) -> int:
    """Sizes of a sample to others: layers that join dimensions, and layers that split one."""
    start = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    rest = (old[::-1], new[::-1])
    end = next((i for i, (a, b) in enumerate(zip(*rest)) if a != b), min(len(old), len(new)))
    end = min(end, len(old) - start, len(new) - start)
    joined, split = old[start : len(old) - end], new[start : len(new) - end]
    if not joined and not split:
        return at
    if not joined or not split:  # only sizes of 1 come or go: the neighbour goes with them
        start -= 1 if start else 0
        end -= 0 if start + 1 + end <= min(len(old), len(new)) or not end else 1
        if not start and not old[start : len(old) - end]:
            end -= 1
        joined, split = old[start : len(old) - end], new[start : len(new) - end]
    if not joined or not split or math.prod(joined) != math.prod(split):
        start, end, joined, split = 0, 0, old, new
    if len(joined) > 1:
        args: dict[str, Any] = {}
        if start:
            args["start_dim"] = start + 1
        if end:
            args["end_dim"] = len(old) - end
        at = reader.add(node, "Flatten", args, [at], path=node.path if len(split) == 1 else "")
    if len(split) > 1:
        at = reader.add(node, "Unflatten", {"dim": start + 1, "unflattened_size": list(split)}, [at])
    return at


def _turned(reader: Reader, node: Node, flow: Flow, old: Sizes, new: Sizes) -> Flow:
    """Of what the file has with its axes in another order than the layers."""
    assert flow.axes is not None
    if flow.axes[0] != 0:
        raise node.refusal("reshapes what has its samples elsewhere than first: no layer does that")
    own = _own(flow.axes, old)
    if _without_ones(old) == _without_ones(new) and _without_ones(own) == _without_ones(new):
        return Flow(_reshaped(reader, node, flow.at, own[1:], new[1:]))  # turned or not is the same
    if new == (old[0], math.prod(old[1:])):
        places = np.arange(math.prod(own[1:])).reshape(own[1:])
        order = places.transpose([axis - 1 for axis in flow.axes[1:]]).reshape(-1)
        at = reader.add(node, "Flatten", {}, [flow.at])
        return Flow(at, None, None if np.array_equal(order, np.arange(order.size)) else order)
    raise node.refusal(f"makes {list(old)}, which are turned (channels last), to {list(new)}: no layer does that here")


def _own(axes: Sizes, shape: Sizes) -> Sizes:
    """Sizes as the layers have them, of those in the file."""
    found = [0] * len(shape)
    for i, axis in enumerate(axes):
        found[axis] = shape[i]
    return tuple(found)


def _without_ones(shape: Sizes) -> Sizes:
    return (shape[0], *(n for n in shape[1:] if n != 1))


@reads("Transpose")
def transpose(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.flow(node), reader.shape(node.inputs[0])
    perm = [int(i) for i in node.attributes.get("perm", range(len(shape))[::-1])]
    if flow.order is not None:
        raise node.refusal("turns what is flattened: no layer does that")
    before = flow.axes or tuple(range(len(shape)))
    axes = tuple(before[i] for i in perm)
    if axes == tuple(range(len(axes))):
        return Flow(flow.at)
    if axes[0] != 0:
        return Flow(flow.at, axes)
    moves = [axis for axis in axes if _own(before, shape)[axis] != 1]
    if moves == sorted(moves):  # only sizes of 1 change places
        own, new = _own(before, shape), reader.shape(node.output)
        return Flow(_reshaped(reader, node, flow.at, own[1:], new[1:]))
    unflattened = _before_unflatten(reader, node, perm)
    return Flow(flow.at, axes) if unflattened is None else unflattened


def _before_unflatten(reader: Reader, node: Node, perm: list[int]) -> Flow | None:
    """Columns that are shaped to (H, W, C) and then turned: the linear layer before gives them as (C, H, W) at once."""
    flow, layer = reader.flow(node), reader.before(node)
    if layer is None or layer.type != "Unflatten" or not flow.plain or layer.args["dim"] != 1:
        return None
    sizes = layer.args["unflattened_size"]
    if len(sizes) + 1 != len(perm):
        return None
    at, source = layer.inputs[0], None
    while at >= 0:
        source = reader.layers[at]
        if source.type == "Linear" or source.type not in ELEMENTWISE:
            break
        at = source.inputs[0]
    if source is None or source.type != "Linear" or not _only_way(reader, at, flow.at):
        return None
    order = np.arange(math.prod(sizes)).reshape(sizes).transpose([i - 1 for i in perm[1:]])
    source.weights = {key: array[order.reshape(-1)] for key, array in source.weights.items()}
    layer.args["unflattened_size"] = [int(n) for n in order.shape]
    return Flow(flow.at)


def _only_way(reader: Reader, start: int, end: int) -> bool:
    """From one layer to another there are only layers that nobody else takes."""
    at = end
    while at != start:
        at = reader.layers[at].inputs[0]
        if sum(layer.inputs.count(at) for layer in reader.layers) != 1:
            return False
    return not any(flow.at == start for name, flow in reader.flows.items() if reader.uses.get(name, 0) > 1)


ELEMENTWISE = {
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish", "Dropout", "Identity", "LogSigmoid", "Tanhshrink", "Threshold",
}  # fmt: skip  # layers that take each number alone


@reads("Pad")
def pad(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.flow(node), reader.shape(node.inputs[0])
    given = pads_of(reader.net, node, len(shape))
    pairs = [(0, 0)] * len(shape)
    for i, pair in enumerate(given):
        pairs[flow.axes[i] if flow.axes else i] = pair
    mode, dims = node.attributes.get("mode", "constant"), len(shape) - 2
    if flow.order is not None or any(map(any, pairs[: 2 if len(shape) > 2 else 1])):
        raise node.refusal("pads samples or channels: no layer does that")
    sides = [side for pair in pairs[:1:-1] for side in pair]
    if len(shape) == 2:
        dims, sides = 1, list(pairs[1])
    if dims not in (1, 2, 3):
        raise node.refusal(f"pads {len(shape)} dimensions; sequences (3), pictures (4) and volumes (5) are read")
    if mode == "constant":
        value = reader.constant(node, 2)
        number = float(node.attributes.get("value", 0.0) if value is None else value.reshape(-1)[0])
        number = float(
            np.clip(number, np.finfo(np.float32).min, np.finfo(np.float32).max)
        )  # a configuration has no inf
        kind = f"ConstantPad{dims}d" if number else f"ZeroPad{dims}d"
        args = {"padding": sides, "value": number} if number else {"padding": sides}
    elif mode in ("reflect", "edge", "wrap"):
        kind = {"reflect": "ReflectionPad", "edge": "ReplicationPad", "wrap": "CircularPad"}[mode] + f"{dims}d"
        args = {"padding": sides}
    else:
        raise node.refusal(f"pads in mode {mode!r}, which no layer here has")
    return moved(flow, reader.add(node, kind, args, [flow.at]))


@reads("Slice")
def crop(reader: Reader, node: Node) -> Flow:
    """A part of a picture, as a border of negative width."""
    from lenetcli.onnx_import.folding import sliced

    flow, shape = reader.flow(node), reader.shape(node.inputs[0])
    words = [reader.constant(node, i) for i in range(1, len(node.inputs))]
    pairs = [(0, 0)] * len(shape)
    for i, size in enumerate(shape):
        row = np.arange(size).reshape([size if j == i else 1 for j in range(len(shape))])
        kept = sliced(node, np.broadcast_to(row, shape), *words)
        line = kept[tuple(slice(None) if j == i else 0 for j in range(len(shape)))]
        if not np.array_equal(line, np.arange(line[0], line[0] + len(line))):
            raise node.refusal("takes every so many numbers, or turns them round: no layer does that")
        pairs[flow.axes[i] if flow.axes else i] = -int(line[0]), -(size - int(line[-1]) - 1)
    if not any(map(any, pairs)):
        return flow
    if flow.order is not None or any(map(any, pairs[: 2 if len(shape) > 2 else 1])) or len(shape) > 5:
        raise node.refusal("takes some of the channels or samples: no layer does that")
    sides = [side for pair in pairs[: 1 if len(shape) > 2 else 0 : -1] for side in pair]
    dims = max(1, len(shape) - 2)
    return moved(flow, reader.add(node, f"ZeroPad{dims}d", {"padding": sides}, [flow.at]))


@reads("Concat")
def concat(reader: Reader, node: Node) -> Flow:
    flows = [reader.flow(node, i) for i in range(len(node.inputs))]
    ndim = len(reader.shape(node.inputs[0]))
    axis = node.attributes["axis"] % ndim
    if axis == 0:
        raise node.refusal("joins the samples of a batch")
    first = flows[0]
    if any(flow.axes != first.axes for flow in flows[1:]):
        raise node.refusal("joins results whose axes are in another order each")
    order: Array | None = None
    if any(flow.order is not None for flow in flows):
        sizes = [reader.shape(name)[1] for name in node.inputs]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        parts = [
            start + (np.arange(size) if f.order is None else f.order) for start, size, f in zip(starts, sizes, flows)
        ]
        order = np.concatenate(parts)
    dim = axis if first.axes is None else first.axes[axis]
    args = {} if dim == 1 else {"dim": dim}
    return Flow(reader.add(node, "Concat", args, [flow.at for flow in flows]), first.axes, order)


@reads("Gather")
def rows(reader: Reader, node: Node) -> Flow:
    """One step of a sequence, or one of another dimension."""
    if reader.is_constant(node.inputs[0]):
        raise node.refusal("looks up rows of a table: a configuration has no such layer (nn.Embedding is for Python)")
    flow, index, shape = reader.flow(node), reader.constant(node, 1), reader.shape(node.inputs[0])
    axis = node.attributes.get("axis", 0) % len(shape)
    dim = axis if flow.axes is None else flow.axes[axis]
    if index is None or index.shape or flow.order is not None or not dim:
        raise node.refusal("takes chosen rows of a result: no layer does that")
    size = shape[axis]
    if not -size <= int(index) < size:
        raise node.refusal(f"takes number {int(index)} of {size}")
    at = int(index) % size
    args = {"at": -1 if at == size - 1 else at, **({} if dim == 1 else {"dim": dim})}
    rest = [i for i in range(len(shape)) if i != axis]
    axes = None if flow.axes is None else tuple(flow.axes[i] - (flow.axes[i] > dim) for i in rest)
    layer = reader.before(node)
    if layer is not None and layer.type == "Steps" and not layer.args and dim == 1:
        layer.args = args
        found = flow.at
    else:
        found = reader.add(node, "Steps", args, [flow.at])
    return Flow(found, None if axes == tuple(range(len(rest))) else axes)


@reads("DepthToSpace", "SpaceToDepth")
def shuffle(reader: Reader, node: Node) -> Flow:
    flow, block = reader.plain(node), int(node.attributes["blocksize"])
    channels = reader.shape(node.inputs[0])[1]
    if node.op == "DepthToSpace":
        if node.attributes.get("mode", "DCR") != "CRD":
            _reorder_channels(reader, node, channels, block)
        return Flow(reader.add(node, "PixelShuffle", {"upscale_factor": block}, [flow.at]))
    if channels != 1:
        raise node.refusal("orders channels in another way than PixelUnshuffle, the layer of that kind")
    return Flow(reader.add(node, "PixelUnshuffle", {"downscale_factor": block}, [flow.at]))


def _reorder_channels(reader: Reader, node: Node, channels: int, block: int) -> None:
    """Mode DCR has the blocks before the channels: the convolution before gives them behind."""
    if channels == block**2:
        return
    layer = reader.before(node)
    if layer is None or layer.type != "Conv2d":
        raise node.refusal("mode DCR behind something else than a convolution: no layer does that")
    order = np.arange(channels).reshape(block, block, -1).transpose(2, 0, 1).reshape(-1)
    if layer.args.get("groups", 1) != 1:
        raise node.refusal("mode DCR behind a convolution in groups: no layer does that")
    layer.weights = {key: array[order] for key, array in layer.weights.items()}


@reads("Resize", "Upsample")
def resize(reader: Reader, node: Node) -> Flow:
    flow, old, new = reader.flow(node), reader.shape(node.inputs[0]), reader.shape(node.output)
    scales, _ = resize_words(reader.net, node)
    words, dims = node.attributes, len(old) - 2
    if dims not in (1, 2, 3):
        raise node.refusal(f"resizes {len(old)} dimensions; sequences (3), pictures (4) and volumes (5) are read")
    own_old, own_new = (_own(flow.axes, shape) if flow.axes else shape for shape in (old, new))
    if own_old[:2] != own_new[:2]:
        raise node.refusal("resizes samples or channels: no layer does that")
    position = words.get("coordinate_transformation_mode", "half_pixel" if node.op == "Resize" else "asymmetric")
    if reader.net.opset < 11:
        position = "asymmetric"
    mode = words.get("mode", "nearest")
    args: dict[str, Any] = {}
    if scales is not None:
        turned = [0.0] * len(old)
        for i, scale in enumerate(scales):
            turned[flow.axes[i] if flow.axes else i] = scale
        factors = [_exact(f, n, m) for f, n, m in zip(turned[2:], own_old[2:], own_new[2:])]
        args["scale_factor"] = factors[0] if len(set(factors)) == 1 else factors
    else:
        args["size"] = one_or_each(own_new[2:])
    if mode == "nearest":
        _nearest(reader, node, position, args, own_old[2:], own_new[2:])
    elif mode in ("linear", "cubic"):
        one = any(m == 1 < n for n, m in zip(own_old[2:], own_new[2:]))
        exact = scales is None or all(abs(s * n - m) < 1e-4 for s, n, m in zip(scales, old, new))
        if position == "half_pixel" or (position == "pytorch_half_pixel" and not one):
            corners = False
        elif position == "align_corners" and exact:
            corners = True
            args = {"size": one_or_each(own_new[2:])}
        else:
            raise node.refusal(f"places pixels by {position!r}, which no layer here does for mode {mode!r}")
        if mode == "cubic" and (words.get("cubic_coeff_a", -0.75) != -0.75 or words.get("exclude_outside", 0)):
            raise node.refusal("its cubic has another coefficient than -0.75, or leaves out what is outside")
        if words.get("antialias", 0):
            raise node.refusal("smooths what it makes smaller (antialias), which no layer here does")
        args["mode"] = "bicubic" if mode == "cubic" else LINEAR[dims]
        if corners:
            args["align_corners"] = True
    else:
        raise node.refusal(f"resizes in mode {mode!r}, which no layer here has")
    return moved(flow, reader.add(node, "Upsample", args, [flow.at]))


def _exact(factor: float, old: int, new: int) -> float:
    """A factor that was rounded to float32, or moved by its last place, as it was meant."""
    for meant in (new / old, round(factor), round(factor * 2) / 2):
        if meant and abs(meant - factor) < 1e-6 * factor and int(old * meant) == new:
            return float(meant)
    return float(factor)


def _nearest(reader: Reader, node: Node, position: str, args: dict[str, Any], old: Sizes, new: Sizes) -> None:
    rounding = node.attributes.get("nearest_mode", "round_prefer_floor")
    if reader.net.opset < 11:
        rounding = "floor"
    if position == "asymmetric" and rounding == "floor":
        return
    if position in ("half_pixel", "pytorch_half_pixel") and rounding == "round_prefer_ceil":
        args["mode"] = "nearest-exact"
        return
    if all(m % n == 0 for n, m in zip(old, new)):  # each pixel becomes as many: however positions are rounded
        whole = position == "half_pixel" or (position == "pytorch_half_pixel" and 1 not in new)
        if (whole and rounding.startswith("round_prefer")) or (
            position in ("asymmetric", "tf_half_pixel_for_nn") and rounding == "floor"
        ):
            return
    raise node.refusal(f"places pixels by {position!r} and {rounding!r}, which no layer here does for mode 'nearest'")
