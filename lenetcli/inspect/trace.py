"""One forward and one backward pass, watched: the forward chain, the graph node by node, gradients before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.modes import fusion
from lenetcli.autograd.node import AccumulateGrad, Node
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.inspect.check import Call, calls_noted, check_call
from lenetcli.inspect.figures import strict
from lenetcli.inspect.nodes import ModuleCall, Notes, TracedNode, described, forward_noted, gradients_noted
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

CHECKED = 8  # samples


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
    """What one forward and backward pass did.

    Args:
        step: training steps made before it.
        calls: the module calls that made the nodes.
    """

    loss: float
    loss_text: str
    forward: list[str]
    nodes: list[TracedNode]
    first_steps: list[str]
    parameters: list[TracedParameter]
    calls: list[ModuleCall] = field(default_factory=list)
    step: int = 0

    @property
    def failed(self) -> list[TracedNode]:
        """Nodes whose check did not hold."""
        return [n for n in self.nodes if n.check is not None and not n.check.ok]

    def record(self) -> dict[str, Any]:
        """The trace as `trace-grad --json` prints it; what is no finite number is None."""
        found: dict[str, Any] = strict(
            {
                "step": self.step,
                "loss": self.loss,
                "forward": self.forward,
                "first_steps": self.first_steps,
                "nodes": [n.record() for n in self.nodes],
                "calls": [c.record() for c in self.calls],
                "parameters": [p.record() for p in self.parameters],
            }
        )
        return found


def trace(
    model: Module, criterion: Module, inputs: Tensor, targets: Tensor, shown: list[str], set_to_none: bool = True,
    *, check: bool = False, histograms: bool = False, step: int = 0,
) -> Trace:  # fmt: skip
    """Runs zero_grad, forward, loss and backward, and notes everything on the way.

    Afterwards gradients are as backward left them; buffers and random numbers are as before.

    Args:
        shown: names of the parameters whose gradients are kept before and after.
        set_to_none: what zero_grad leaves: None, or zeros.
        check: compare each node's backward with differences, too.
        histograms: make histograms of values and gradients.
        step: training steps made before, to be noted.
    """
    model.zero_grad(set_to_none)
    parameters = dict(model.named_parameters())
    before = {name: _values(parameters[name].grad) for name in shown}
    notes = Notes()
    with undisturbed(model):
        with fusion(False), forward_noted(notes, histograms):
            loss = criterion(model(inputs), targets)
        assert loss.grad_fn is not None, "a loss of a model with trainable parameters has a graph"
        order = topological(loss.grad_fn)
        names = {id(p): name for name, p in parameters.items()}
        nodes, calls = described(order, notes, names, histograms)
        text = repr(loss)
        steps = first_steps(loss.grad_fn)
        chain = forward_chain(order, type(criterion).__name__)
        with gradients_noted(order, nodes, histograms):
            loss.backward()
    if check:
        _check_nodes(nodes, model, criterion, inputs, targets)
    after = [TracedParameter(name, before[name], _values(parameters[name].grad)) for name in shown]
    return Trace(loss.item(), text, chain, nodes, steps, after, calls, step)


def _check_nodes(nodes: list[TracedNode], model: Module, criterion: Module, inputs: Tensor, targets: Tensor) -> None:
    """Checks each node at the values it has with a few samples, or with all where a few make another graph."""
    for count in (CHECKED, len(inputs)):
        ran: dict[Node, Call] = {}
        with undisturbed(model), calls_noted(ran):
            loss = criterion(model(inputs[:count]), targets[:count])
        order = topological(loss.grad_fn)
        if [n.name() for n in order] == [n.name for n in nodes]:
            break
    for node, traced in zip(order, nodes):
        if node in ran:
            traced.check = check_call(ran[node])


@contextmanager
def undisturbed(model: Module) -> Iterator[None]:
    """Puts the model's buffers (running means) and the state of random numbers back after the block."""
    state = get_rng_state()
    kept = [(buffer, buffer.array, buffer.array.copy()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, array, values in kept:
            array[...] = values
            buffer.array = array
        set_rng_state(state)


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
    names: list[str] = []
    node = root
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


def _values(grad: Tensor | None) -> Any:
    return None if grad is None else grad.tolist()
