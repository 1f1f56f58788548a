"""A graph in the words of another opset than 18, in which all graphs are made: what older ones lack, in others' words.

Newer opsets only add to the operators used here, so that a graph for them stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Graph, Node

OPSET = 18
OLDEST = 11  # the first with Resize, Pad and Clip as they are used here


def in_opset(graph: Graph, opset: int) -> Graph:
    """The same graph, of the operators of this opset.

    Example:
        >>> from lenetcli import nn
        >>> from lenetcli.export.lowering import lower
        >>> graph = lower(nn.Sequential(nn.Hardswish()), (3,))
        >>> [[node.op for node in in_opset(graph, opset).nodes] for opset in (18, 13)]
        [['HardSwish'], ['HardSigmoid', 'Mul']]
    """
    found = replace(graph, nodes=[], constants=dict(graph.constants))
    for node in graph.nodes:
        since, rewrite = REWRITES.get(node.op, (0, None))
        if rewrite is None or opset >= since:
            found.nodes.append(node)
        else:
            rewrite(_Rewriter(found, node), node)
    return found


@dataclass
class _Rewriter:
    """Adds the nodes that stand for one."""

    graph: Graph
    node: Node
    count: int = 0

    def add(self, op: str, *inputs: str | Array, last: bool = False, **attributes: Any) -> str:
        """A node, whose output has the name of the old one's where it is the last; gives that name."""
        self.count += 1
        output = self.node.output if last else f"{self.node.output}/{self.count}"
        names = []
        for at, given in enumerate(inputs):
            if isinstance(given, str):
                names.append(given)
                continue
            names.append(f"{output}.constant.{at}")
            self.graph.constants[names[-1]] = given
        self.graph.nodes.append(
            replace(self.node, op=op, inputs=tuple(names), outputs=(output,), attributes=attributes)
        )
        return output


def _hard_swish(to: _Rewriter, node: Node) -> None:
    (x,) = node.inputs
    to.add("Mul", x, to.add("HardSigmoid", x, alpha=1 / 6, beta=0.5), last=True)


def _softmax(to: _Rewriter, node: Node) -> None:
    """Before opset 13 all axes from the given one on are taken together: the one that is meant has to be the last."""
    (x,), axis, ndim = node.inputs, node.attributes["axis"], node.ndim
    if axis == ndim - 1:
        to.add(node.op, x, axis=axis, last=True)
        return
    swap = list(range(ndim))
    swap[axis], swap[-1] = swap[-1], swap[axis]
    inner = to.add(node.op, to.add("Transpose", x, perm=swap), axis=ndim - 1)
    to.add("Transpose", inner, perm=swap, last=True)


def _reduced(to: _Rewriter, node: Node) -> None:
    """The axes are an attribute."""
    x, axes = node.inputs
    to.add(node.op, x, axes=to.graph.constants[axes].tolist(), **node.attributes, last=True)


def _layer_norm(to: _Rewriter, node: Node) -> None:
    x, weight, *bias = node.inputs
    axes = list(range(node.attributes["axis"], 0))
    beside = to.add("Sub", x, to.add("ReduceMean", x, axes=axes, keepdims=1))
    variance = to.add("ReduceMean", to.add("Mul", beside, beside), axes=axes, keepdims=1)
    deviation = to.add("Sqrt", to.add("Add", variance, np.array(node.attributes["epsilon"], FLOAT)))
    scaled = to.add("Mul", to.add("Div", beside, deviation), weight, last=not bias)
    if bias:
        to.add("Add", scaled, *bias, last=True)


def _resize(to: _Rewriter, node: Node) -> None:
    """The part of the image, which only cropping looks at, may not be left out."""
    x, _, scales = node.inputs
    to.add("Resize", x, np.zeros(0, FLOAT), scales, **node.attributes, last=True)


def _less_or_equal(to: _Rewriter, node: Node) -> None:
    x, y = node.inputs
    strict = to.add("Less" if node.op == "LessOrEqual" else "Greater", x, y)
    to.add("Or", strict, to.add("Equal", x, y), last=True)


REWRITES: dict[str, tuple[int, Callable[[_Rewriter, Node], None]]] = {
    "HardSwish": (14, _hard_swish),
    "Softmax": (13, _softmax),
    "LogSoftmax": (13, _softmax),
    "ReduceMean": (18, _reduced),
    "ReduceMax": (18, _reduced),
    "ReduceMin": (18, _reduced),
    "ReduceProd": (18, _reduced),
    "ReduceSum": (13, _reduced),
    "LessOrEqual": (12, _less_or_equal),
    "GreaterOrEqual": (12, _less_or_equal),
    "LayerNormalization": (17, _layer_norm),
    "Resize": (13, _resize),
}  # by operator: the first opset that has it as graphs use it, and what stands for it before
