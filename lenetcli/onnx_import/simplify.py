"""A file's graph made plain: sizes worked out for one number of samples, constants folded, operators that do nothing
left out, everything else as it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lenetcli.errors import printable
from lenetcli.formats.onnx_in import OnnxModel, OnnxNode, OnnxValue, Subgraph
from lenetcli.onnx_import import folding, paths, shapes, signatures
from lenetcli.onnx_import.net import Array, Net, Node, NotImportable, ordered

BATCH = 2  # samples that sizes are worked out for, where the file takes any number
OLDEST, NEWEST = 6, 30
_MOST_MADE = 1 << 29  # bytes of constants that are worked out
_FLOATS, _INDICES = (1, 10, 11, 16), (6, 7)
QUANTIZED = (
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
    "MatMulInteger",
)  # fmt: skip
BRANCHES = ("If", "Loop", "Scan", "SequenceMap")


def simplified(model: OnnxModel, sizes: Sequence[int] | None = None) -> Net:
    """The graph as a net of one input.

    Args:
        sizes: of one sample, where the file leaves them open.

    Raises:
        NotImportable: what no layer here stands for; the message names the operator and the node.
    """
    if model.opset and not OLDEST <= model.opset <= NEWEST:
        raise NotImportable(f"it is of opset {model.opset}; {OLDEST} to {NEWEST} are read")
    given = _input(model)
    if not model.outputs:
        raise NotImportable("its graph has no outputs")
    shape = _shape(given, sizes)
    net = Net(given.name, [value.name for value in model.outputs], shape[0], model.opset)
    net.constants = dict(model.constants)
    net.shapes = {name: array.shape for name, array in net.constants.items()} | {given.name: shape}
    nodes = [_node(node, model) for node in model.nodes]
    seen: set[str] = {given.name, *net.constants}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in seen:
                raise node.refusal(f"gives {name!r}, which something else gives, too")
            seen.add(name)
    _run(net, ordered(nodes, {given.name, *net.constants}))
    net.without_dead()
    return net


def _input(model: OnnxModel) -> OnnxValue:
    """The one that is no constant."""
    open_ = [value for value in model.inputs if value.name not in model.constants]
    if len(open_) != 1:
        names = ", ".join(value.name for value in open_[:8]) or "none"
        raise NotImportable(printable(f"its graph has {len(open_)} inputs ({names}); nets of one input are read"))
    if open_[0].kind not in (0, *_FLOATS, *_INDICES):
        raise NotImportable(f"its input {open_[0].name!r} is of type number {open_[0].kind}; wanted floats or integers")
    return open_[0]


def _shape(given: OnnxValue, sizes: Sequence[int] | None) -> tuple[int, ...]:
    """Sizes with the batch, BATCH where that may be any."""
    if given.shape is None:
        if sizes is None:
            raise NotImportable(f"its input {given.name!r} has no sizes; give them in a configuration with --config")
        return (BATCH, *sizes)
    found = list(given.shape)
    if len(found) < 2:
        raise NotImportable(
            f"its input {given.name!r} has {len(found)} dimensions; wanted a batch of samples, N and their sizes"
        )
    if sizes is not None:
        found[1:] = _filled(found[1:], list(sizes))
    if not isinstance(found[0], int) or found[0] < 1:
        found[0] = BATCH
    open_ = [n for n in found if not isinstance(n, int) or n < 1]
    if open_:
        shown = printable(", ".join("?" if n is None else str(n) for n in given.shape))
        raise NotImportable(
            f"its input {given.name!r} has open sizes [{shown}]; give them in a configuration with --config"
        )
    shape = tuple(n for n in found if isinstance(n, int))
    if math.prod(shape) > shapes.MOST:
        raise NotImportable(f"its input {given.name!r} has sizes {list(shape)}, more than any net here takes")
    return shape


def _filled(known: list[int | str | None], sizes: list[int]) -> list[int | str | None]:
    """Open sizes from those of a sample, which may have its channels last in the file, or be a picture of one pixel.

    A model of ours that begins with Flatten takes vectors as data sources give them: [features, 1, 1].
    """
    if len(sizes) > len(known) and set(sizes[len(known) :]) == {1}:
        sizes = sizes[: len(known)]
    for order in (sizes, [*sizes[1:], *sizes[:1]]):
        fits = len(order) == len(known) and all(not isinstance(n, int) or n in (m, 0, -1) for n, m in zip(known, order))
        if fits:
            return list(order)
    raise NotImportable(f"it is not of this model: it takes samples of sizes {known}, the model {sizes}")


def _node(node: OnnxNode, model: OnnxModel) -> Node:
    label = node.name or next((name for name in node.outputs if name), "")
    found = Node(node.op, list(node.inputs), list(node.outputs), dict(node.attributes), label)
    if node.domain or node.op in model.functions:
        domain = node.domain or "this file"
        raise found.refusal(f"is an operator of {domain!r}, not of ONNX itself")
    if node.op in QUANTIZED:
        raise found.refusal("is of a quantized net; import the net from before it was quantized")
    if node.op in BRANCHES or any(isinstance(value, Subgraph) for value in node.attributes.values()):
        raise found.refusal("runs a graph of its own, depending on values: no layer does that")
    if not found.outputs or not any(found.outputs):
        raise found.refusal("gives nothing")
    signatures.check(found)
    found.path = node.scope or paths.of_node(node.name)
    return found


def _run(net: Net, nodes: list[Node]) -> None:
    """Follows the sizes through the graph; adds to the net what works on samples."""
    same: dict[str, str] = {}  # what does nothing gives its input
    made = 0
    for node in nodes:
        node.inputs = [same.get(name, name) for name in node.inputs]
        if node.op == "Shape" and node.inputs[0] in net.shapes:
            shape = _row(net.shapes[node.inputs[0]], node.attributes)
            _keep(net, node, [shape])
            continue
        if all(name in net.constants or not name for name in node.inputs):
            given = [net.constants[name] if name else None for name in node.inputs]
            found = folding.evaluate(node, given, net.opset)
            made += sum(array.nbytes for array in found if array.base is None)
            if made > _MOST_MADE:
                raise node.refusal("the constants that are worked out up to here take more memory than any net's")
            _keep(net, node, found)
            continue
        if _does_nothing(net, node):
            same[node.output] = node.inputs[0]
            continue
        shapes.infer(net, node)
        net.nodes.append(node)
    net.outputs = [same.get(name, name) for name in net.outputs]
    for name in net.outputs:
        if name in net.constants:
            raise NotImportable(printable(f"its output {name!r} does not depend on the input"))
        if name not in net.shapes:
            raise NotImportable(printable(f"its output {name!r} is made by nothing in the graph"))


def _row(shape: tuple[int, ...], attributes: dict[str, Any]) -> Array:
    import numpy as np

    return np.array(shape[attributes.get("start", 0) : attributes.get("end")], np.int64)


def _keep(net: Net, node: Node, found: list[Array]) -> None:
    for name, array in zip(node.outputs, found):
        if name:
            net.constants[name], net.shapes[name] = array, array.shape


def _does_nothing(net: Net, node: Node) -> bool:
    x = net.shapes.get(node.inputs[0], ())
    if node.op == "Identity":
        return True
    if node.op in ("Cast", "CastLike"):
        kind = node.attributes.get("to", 1)
        if kind in _FLOATS or (kind in _INDICES and node.inputs[0] == net.input):
            return True
        raise node.refusal("makes other numbers than floats of what flows; no layer does that")
    if node.op in ("Sum", "Mean", "Concat", "Max", "Min") and len(node.inputs) == 1:
        return True
    if node.op == "Pad":
        return not any(map(any, shapes.pads_of(net, node, len(x))))
    return node.op == "Expand" and _fits(net, node, x)


def _fits(net: Net, node: Node, x: tuple[int, ...]) -> bool:
    shapes.infer(net, node)
    return net.shapes[node.output] == x
