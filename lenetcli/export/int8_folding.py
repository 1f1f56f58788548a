"""A graph before its numbers become integers: norms in the weights before them, activations at the end of sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Graph, Node, NotExportable

SUMMED = ("Conv", "Gemm", "MatMul")  # what has weights
ENDED = (*SUMMED, "Add", "Sub", "Mul", "AveragePool", "GlobalAveragePool", "ReduceMean")  # what an activation may end


@dataclass
class Folded:
    """A graph in fewer operators.

    Args:
        weights: of each operator that has them, by the name of what it gives: (O, ...) and (O,), in float64.
        bounds: what is cut off at 0 and above, by the name of what is cut off.
    """

    graph: Graph
    weights: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)


def folded(graph: Graph, ndim: Mapping[str, int]) -> Folded:
    """The graph with batch norms in the weights of what they follow, sums of a bias too, ReLU and ReLU6 as bounds.

    A batch norm that follows something else becomes a convolution of each channel alone by one number.

    Args:
        ndim: how many dimensions each value has.

    Raises:
        NotExportable: a product whose weights are not known, a norm that cannot be a convolution.
    """
    uses = Counter([*(name for node in graph.nodes for name in node.inputs), *(value.name for value in graph.outputs)])
    found = Folded(replace(graph, nodes=[]))
    last: dict[str, int] = {}  # the place of the operator that gives it, where only the next one takes it
    for given in graph.nodes:
        node = replace(given, ndim=max((ndim.get(name, 0) for name in given.inputs), default=0))
        at = next((last[name] for name in node.inputs if name in last and uses[name] == 1), None)
        before = None if at is None else found.graph.nodes[at]
        if at is None or before is None or not _joined(found, before, node, graph.constants):
            at, before = len(found.graph.nodes), None
            found.graph.nodes.append(_with_weights(found, node, graph.constants))
        else:
            found.graph.nodes[at] = replace(before, outputs=node.outputs)
            for table in (found.weights, found.bounds):
                if before.output in table:
                    _renamed(table, before.output, node.output)
        last[node.output] = at
    return found


def refusal(node: Node, reason: str) -> NotExportable:
    """The error that names the operator and its layer."""
    return NotExportable(f"{node.layer or 'the model'}: {node.op}: {reason}; it cannot become integers")


def upper_bound(node: Node, constants: Mapping[str, Array]) -> float | None:
    """Where an activation that cuts off at 0 cuts off above; None for other operators."""
    if node.op == "Relu":
        return float("inf")
    ends = [constants.get(name) for name in node.inputs[1:3]]
    if node.op == "Clip" and len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] == 0:
        return float(ends[1])
    return None


def _renamed(table: dict[str, Any], old: str, new: str) -> None:
    table[new] = table.pop(old)


def _joined(found: Folded, before: Node, node: Node, constants: Mapping[str, Array]) -> bool:
    """An operator becomes a part of the one before it, if it can."""
    if before.output in found.bounds:
        return False
    bound = upper_bound(node, constants)
    if bound is not None:
        if before.op in ENDED:
            found.bounds[before.output] = bound
        return before.op in ENDED
    if before.output not in found.weights:
        return False
    weight, bias = found.weights[before.output]
    if node.op == "BatchNormalization" and (before.op != "MatMul" or node.ndim == 2):
        factor, shift = _norm(node, constants)
        found.weights[before.output] = weight * _column(factor, weight), bias * factor + shift
        return True
    other = next((constants[name] for name in node.inputs if name in constants), None)
    if node.op == "Add" and before.op in ("Gemm", "MatMul") and other is not None and other.shape == bias.shape:
        found.weights[before.output] = weight, bias + other
        return True
    return False


def _with_weights(found: Folded, node: Node, constants: Mapping[str, Array]) -> Node:
    """The operator, whose weights are known now."""
    if node.op == "BatchNormalization":
        return _lone_norm(found, node, constants)
    if node.op not in SUMMED or (node.op == "MatMul" and node.inputs[1] not in constants):
        return node
    names = [name for name in node.inputs[1:3] if name]
    given = [constants[name] for name in names if name in constants]
    if len(given) < len(names) or (node.op == "MatMul" and given[0].ndim != 2):
        raise refusal(node, "its weights are not known before it runs")
    weight = np.asarray(given[0], np.float64)
    if node.op == "MatMul" or (node.op == "Gemm" and not node.attributes.get("transB")):
        weight = weight.T
    weight = weight * node.attributes.get("alpha", 1)
    bias = (
        np.zeros(len(weight)) if len(given) < 2 else np.asarray(given[1], np.float64) * node.attributes.get("beta", 1)
    )
    if bias.size != len(weight):
        raise refusal(node, "its bias is not one number for each output")
    found.weights[node.output] = weight, bias.reshape(-1)
    return replace(node, inputs=node.inputs[:1])


def _lone_norm(found: Folded, node: Node, constants: Mapping[str, Array]) -> Node:
    dims = node.ndim - 2
    if dims not in (1, 2):
        raise refusal(node, "it follows nothing that has weights")
    factor, shift = _norm(node, constants)
    words = {"kernel_shape": (1,) * dims, "strides": (1,) * dims, "pads": (0,) * 2 * dims, "dilations": (1,) * dims}
    found.weights[node.output] = factor.reshape(-1, *(1,) * (dims + 1)), shift
    return replace(node, op="Conv", inputs=node.inputs[:1], attributes={**words, "group": len(factor)})


def _norm(node: Node, constants: Mapping[str, Array]) -> tuple[Array, Array]:
    """The factor and the sum of each channel."""
    scale, shift, mean, var = (constants[name].astype(np.float64) for name in node.inputs[1:])
    factor = scale / np.sqrt(var + np.float64(FLOAT.type(node.attributes["epsilon"])))
    return factor, shift - mean * factor


def _column(factor: Array, weight: Array) -> Array:
    return factor.reshape(-1, *(1,) * (weight.ndim - 1))
