"""A training step up to its gradients, watched: forward chain, graph node by node, gradients before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lenetcli.autograd.modes import fusion
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.autograd.tape import AccumulateGrad, Node
from lenetcli.inspection.graph.node_check import Call, calls_noted, check_call
from lenetcli.inspection.graph.nodes import ModuleCall, Notes, TracedNode, described, forward_noted, gradients_noted
from lenetcli.inspection.record import Record
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.losses import kinds
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Step

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
class TracedParameter(Record):
    """A parameter's gradient before and after backward."""

    KEYS: ClassVar = {"before": "grad_before", "after": "grad_after"}
    name: str
    before: Any  # nested lists, or None
    after: Any


@dataclass
class Trace(Record):
    """What the forward and backward passes of a step did.

    Args:
        loss: of the step.
        loss_text: of its first batch, as Python prints it; that batch's graph is the one told of.
        parameters: gradients after all batches of the step, before they are limited.
        calls: the module calls that made the nodes.
        step: training steps made before it.
        batches: in the step.
    """

    SHOWN: ClassVar = ("step", "loss", "forward", "first_steps", "nodes", "calls", "parameters")
    loss: float
    loss_text: str
    forward: list[str]
    nodes: list[TracedNode]
    first_steps: list[str]
    parameters: list[TracedParameter]
    calls: list[ModuleCall] = field(default_factory=list)
    step: int = 0
    batches: int = 1

    @property
    def failed(self) -> list[TracedNode]:
        """Nodes whose check did not hold."""
        return [n for n in self.nodes if n.check is not None and not n.check.ok]


def trace(
    run: Run, shown: Sequence[str], group: Sequence[Batch] | None = None,
    *, check: bool = False, histograms: bool = False,
) -> Trace:  # fmt: skip
    """Makes a run's next step up to its gradients, and notes everything on the way.

    Where gradients accumulate over batches, the graph is that of the first. Afterwards gradients are as backward left
    them; buffers and random numbers are as before.

    Args:
        shown: names of the parameters whose gradients are kept before and after.
        group: the batches of the step; by default those that training takes next.
        check: compare each node's backward with differences, too.
        histograms: make histograms of values and gradients.
    """
    group = next(batches_of_steps(run)) if group is None else group
    step, notes, first = Step(run, strict=False), Notes(), group[0]
    parameters = dict(run.model.named_parameters())
    names = {id(p): name for name, p in parameters.items()}
    before: dict[str, Any] = {}
    nodes: list[TracedNode] = []
    with undisturbed(run.model):
        for phase in step.phases(group):
            name = phase.__name__
            if name == "check":
                break
            if name == "forward" and step.batch is first:
                before = {key: _values(parameters[key].grad) for key in shown}
                with fusion(False), forward_noted(notes, histograms):
                    phase()
                root, text = step.loss.grad_fn, repr(step.loss)
                assert root is not None, "a loss of a model with trainable parameters has a graph"
                order, few = topological(root), first_steps(root)
                nodes, calls = described(order, notes, names, histograms)
            elif name == "backward" and step.batch is first:
                with gradients_noted(order, nodes, histograms):
                    phase()
            else:
                phase()
    if check:
        _check_nodes(nodes, run, first)
    after = [TracedParameter(key, before[key], _values(parameters[key].grad)) for key in shown]
    chain = forward_chain(order, kinds(run.criterion))
    return Trace(step.readout.loss, text, chain, nodes, few, after, calls, run.progress.step, len(group))


def _check_nodes(nodes: list[TracedNode], run: Run, batch: Batch) -> None:
    """Checks each node at the values it has with a few samples, or with all where a few make another graph."""
    step = Step(run)
    for count in (CHECKED, len(batch[0])):
        step.batch = tuple(part[:count] for part in batch)
        step.group, ran = [step.batch], dict[Node, Call]()
        with undisturbed(run.model), calls_noted(ran):
            step.forward()
        assert step.loss.grad_fn is not None, "the loss of all samples had a graph"
        order = topological(step.loss.grad_fn)
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
    root = order[0].scope and order[0].scope[0]
    for node in reversed(order):
        name = node.name().removesuffix("Backward")
        in_loss = root is not None and node.scope is not None and node.scope[0] is root
        if isinstance(node, AccumulateGrad) or name == "T" or in_loss:
            continue
        chain.append(CHAIN_NAMES.get(name, name.lower()))
    return [*chain, criterion, "loss"]


def _values(grad: Tensor | None) -> Any:
    return None if grad is None else grad.tolist()
