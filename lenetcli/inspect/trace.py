"""One forward and one backward pass, watched: the forward chain, the graph node by node, gradients before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli._tensor import Tensor
from lenetcli.autograd.modes import fusion
from lenetcli.autograd.node import AccumulateGrad, Node
from lenetcli.nn.module import Module

# what the tutorial calls the steps of the forward chain, by the node that made them
CHAIN_NAMES = {
    "Convolution": "conv2d",
    "MaxPool2DWithIndices": "maxpool2d",
    "AvgPool2D": "avgpool2d",
    "Addmm": "linear",
    "Mm": "linear",
    "NativeBatchNorm": "batch_norm",
    "NativeLayerNorm": "layer_norm",
    "NativeDropout": "dropout",
}


@dataclass
class TracedNode:
    """One node of the grad_fn graph."""

    id: int
    name: str
    module: str  # path of the module that made it; "" outside any
    shape: list[int]  # of its (first) output
    next: list[int | None]  # ids of the nodes its gradients go to; None where none flows
    parameter: str | None = None  # name, where gradients arrive at a parameter
    grad_norm: float | None = None  # Euclidean norm of the gradient that reached it

    def record(self) -> dict[str, Any]:
        """The node as JSON holds it."""
        found = {
            "id": self.id, "name": self.name, "module": self.module, "shape": self.shape,
            "next": self.next, "grad_norm": self.grad_norm,
        }  # fmt: skip
        return found | ({"parameter": self.parameter} if self.parameter else {})


@dataclass
class TracedParameter:
    """A parameter's gradient before and after backward."""

    name: str
    before: Any  # nested lists, or None
    after: Any

    def record(self) -> dict[str, Any]:
        """The parameter as JSON holds it."""
        return {"name": self.name, "grad_before": self.before, "grad_after": self.after}


@dataclass
class Trace:
    """What one forward and backward pass did."""

    loss: float
    loss_text: str
    forward: list[str]
    nodes: list[TracedNode]
    first_steps: list[str]
    parameters: list[TracedParameter]

    def record(self) -> dict[str, Any]:
        """The trace as `trace-grad --json` prints it."""
        return {
            "loss": self.loss,
            "forward": self.forward,
            "first_steps": self.first_steps,
            "nodes": [n.record() for n in self.nodes],
            "parameters": [p.record() for p in self.parameters],
        }


def trace(
    model: Module, criterion: Module, inputs: Tensor, targets: Tensor, shown: list[str], set_to_none: bool = True
) -> Trace:
    """Runs zero_grad, forward, loss and backward, and notes everything on the way.

    Args:
        shown: names of the parameters whose gradients are kept before and after.
        set_to_none: what zero_grad leaves: None, or zeros.
    """
    model.zero_grad(set_to_none)
    parameters = dict(model.named_parameters())
    before = {name: _values(parameters[name].grad) for name in shown}
    with fusion(False):
        loss = criterion(model(inputs), targets)
    assert loss.grad_fn is not None, "a loss of a model with trainable parameters has a graph"
    order = topological(loss.grad_fn)
    names = {id(p): name for name, p in parameters.items()}
    nodes = _describe(order, names)
    text = repr(loss)
    handles = [node.register_prehook(_note_norm(nodes[i])) for i, node in enumerate(order)]
    steps = first_steps(loss.grad_fn)
    chain = forward_chain(order, type(criterion).__name__)
    try:
        loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    after = [TracedParameter(name, before[name], _values(parameters[name].grad)) for name in shown]
    return Trace(loss.item(), text, chain, nodes, steps, after)


def topological(root: Node) -> list[Node]:
    """Every node below `root`, newest first, gradient accumulators last; without recursion."""
    seen, stack, found = {root}, [root], []
    while stack:
        node = stack.pop()
        found.append(node)
        for below, _ in reversed(node.next_functions):
            if below is not None and below not in seen:
                seen.add(below)
                stack.append(below)
    return sorted(found, key=lambda n: -n.sequence)


def first_steps(root: Node, count: int = 3) -> list[str]:
    """Names along `grad_fn -> next_functions[0][0] -> ...`, as the tutorial walks them."""
    names, node = [], root
    while len(names) < count:
        names.append(node.name())
        below = node.next_functions[0][0] if node.next_functions else None
        if below is None:
            break
        node = below
    return names


def forward_chain(order: list[Node], criterion: str) -> list[str]:
    """The way from input to loss in the tutorial's words: input, conv2d, relu, ..., MSELoss, loss.

    The loss's own nodes become one step with the criterion's name; transposed weights are left out.
    """
    chain = ["input"]
    loss_scope = order[0].scope
    for node in reversed(order):
        name = node.name().removesuffix("Backward")
        if isinstance(node, AccumulateGrad) or name == "T" or (node.scope == loss_scope and loss_scope is not None):
            continue
        chain.append(CHAIN_NAMES.get(name, name.lower()))
    return [*chain, criterion, "loss"]


def _describe(order: list[Node], parameters: dict[int, str]) -> list[TracedNode]:
    numbers = {node: i for i, node in enumerate(order)}
    paths: dict[tuple[int, int], str] = {}
    described = []
    for node in order:
        path = ""
        if node.scope is not None:
            key = (id(node.scope[0]), id(node.scope[1]))
            if key not in paths:
                paths[key] = node.metadata.get("module", "")
            path = paths[key]
        below = [None if target is None else numbers[target] for target, _ in node.next_functions]
        traced = TracedNode(numbers[node], node.name(), path, list(node.outputs[0][0]), below)
        if isinstance(node, AccumulateGrad):
            traced.parameter = parameters.get(id(node.variable))
            traced.module = (traced.parameter or "").rpartition(".")[0]
        described.append(traced)
    return described


def _note_norm(traced: TracedNode) -> Callable[[Any], None]:
    def note(grads: Any) -> None:
        squares = [float(np.square(g.array, dtype=np.float64).sum()) for g in grads if g is not None]
        traced.grad_norm = float(np.sqrt(sum(squares)))

    return note


def _values(grad: Tensor | None) -> Any:
    return None if grad is None else grad.tolist()
