"""RNN, GRU and LSTM, with Steps behind them; layers of one module become one of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.onnx_import.lowering import Flow, Reader, reads
from lenetcli.onnx_import.net import Array, Node
from lenetcli.onnx_import.sequences import OPS, directions

USUAL = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
TURNED = (1, 0, 2)  # (steps, samples, numbers) of what a layer has as (samples, steps, numbers)


@reads(*OPS)
def recurrent(reader: Reader, node: Node) -> Flow:
    flow, words = reader.flow(node), node.attributes
    if flow.axes != TURNED:
        raise node.refusal("takes steps first and samples second; nets whose samples come first are read")
    _check(reader, node)
    args: dict[str, Any] = {"hidden_size": int(words["hidden_size"]), "batch_first": True}
    names = [name.capitalize() for name in words.get("activations", USUAL[node.op] * directions(node))]
    if node.op == "RNN" and set(names) == {"Relu"}:
        args["nonlinearity"] = "relu"
    elif names != USUAL[node.op] * directions(node):
        raise node.refusal(f"its gates have {', '.join(names[:6])}; no layer here has these")
    if directions(node) == 2:
        args["bidirectional"] = True
    if reader.constant(node, 3) is None:
        args["bias"] = False
    given = reader.before(node)
    below = reader.layers[given.inputs[0]] if given is not None and given.inputs[0] >= 0 else None
    if given is not None and below is not None and given.type == "Steps" and not given.args:
        count = below.args.get("num_layers", 1)
        same = {**below.args, "num_layers": None} == {**args, "num_layers": None}
        if below.type == node.op and below.path == node.path and same:
            below.args["num_layers"] = count + 1
            below.weights |= _weights(reader, node, count)
            return flow
    at = reader.add(node, node.op, args, [flow.at], _weights(reader, node, 0), node.path)
    return Flow(reader.add(node, "Steps", {}, [at], path=""), TURNED)


def _check(reader: Reader, node: Node) -> None:
    """Refuses what ONNX's operators can do beyond the layers.

    Raises:
        NotImportable: the message says what.
    """
    words = node.attributes
    steps = reader.shape(node.inputs[0])[0]
    lengths = reader.constant(node, 4)
    if words.get("direction", "forward") not in ("forward", "bidirectional"):
        raise node.refusal("walks backward only: no layer does that")
    if "clip" in words or "activation_alpha" in words or "activation_beta" in words:
        raise node.refusal("limits its numbers, or gives its activations parameters: no layer does that")
    if words.get("input_forget", 0) or (len(node.inputs) > 7 and node.inputs[7]):
        raise node.refusal("couples its gates or looks at the cell's state (peepholes): no layer does that")
    if node.op == "GRU" and not words.get("linear_before_reset", 0):
        raise node.refusal("resets before it multiplies (linear_before_reset is 0), the other formula of a GRU")
    if lengths is not None and (lengths != steps).any():
        raise node.refusal("sequences of a batch have lengths of their own: no layer does that")
    for at in (5, 6):
        if (first := reader.constant(node, at)) is not None and first.any():
            raise node.refusal("begins with another state than zeros: no layer of a configuration does that")


def _weights(reader: Reader, node: Node, layer: int) -> dict[str, Array]:
    """Parameters under torch's names, the gates in its order."""
    found: dict[str, Array] = {}
    both = reader.floats(node, 3)
    for at, name in ((1, "weight_ih"), (2, "weight_hh")):
        array = reader.floats(node, at)
        assert array is not None
        for way, part in enumerate(array):
            found[_name(name, layer, way)] = _gates(node, part)
    for way, part in enumerate(() if both is None else both):
        for name, half in zip(("bias_ih", "bias_hh"), np.split(part, 2)):
            found[_name(name, layer, way)] = _gates(node, half)
    return found


def _name(name: str, layer: int, way: int) -> str:
    return f"{name}_l{layer}{'_reverse' if way else ''}"


def _gates(node: Node, array: Array) -> Array:
    parts = np.split(array, len(OPS[node.op]))
    return np.concatenate([parts[at] for at in OPS[node.op]])
