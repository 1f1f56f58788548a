"""The backward pass as a graph: gradients that are tensors on the tape, so that they can be differentiated again.

`run_backward` sends arrays from node to node and takes every short way there is. `run_graph` sends tensors, and asks
each node for `backward_graph`, which makes the gradients from ops; what it gives is a function of the inputs like any
other. It is what `create_graph=True` runs, and nothing else does. How ops state it: `autograd.rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import from_numpy_dtype
from lenetcli.autograd.engine import expanded, newest_first, unseen_run
from lenetcli.autograd.hooks import replaced, replaced_all
from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import AccumulateGrad, Edge, Node, Variable

Gradient = Variable | None


def run_graph(
    roots: Sequence[Variable],
    root_grads: Sequence[Variable],
    retain_graph: bool,
    inputs: Sequence[Variable] | None = None,
) -> list[Any]:
    """Sends gradients from the roots to the leaves, as tensors with a history.

    Args:
        roots: variables to differentiate.
        root_grads: the gradient of each root, of its shape.
        retain_graph: keep what the nodes saved, so that another backward may follow.
        inputs: where given, nothing is accumulated; the gradients of these are returned instead.

    Returns:
        Gradients of `inputs` (None where a root does not depend on one); an empty list without `inputs`.
    """
    before = switches.grad
    switches.grad = True
    try:
        with np.errstate(all="ignore"):
            return _run(roots, root_grads, retain_graph, inputs)
    finally:
        switches.grad = before


def _run(
    roots: Sequence[Variable], root_grads: Sequence[Variable], retain_graph: bool, inputs: Sequence[Variable] | None
) -> list[Any]:
    expanded([v.grad_fn for v in roots])
    wanted = [v.gradient_edge() for v in inputs] if inputs is not None else []
    captured: dict[tuple[Node, int], Gradient] = dict.fromkeys(wanted)
    starts = [v.gradient_edge() for v in roots]
    buffers: dict[Node, list[Gradient]] = {}
    _send(starts, root_grads, buffers)
    order = newest_first([node for node, _ in starts])
    merging = switches.fusion and not switches.anomaly
    consumers = Counter(below for above in order for below, _ in above.edges)
    useful = None if inputs is None else _leading_to({node for node, _ in wanted}, order)
    for node in order:
        grads = buffers.pop(node, None)
        if grads is None:
            continue
        if node.variable_hooks:
            _call_variable_hooks(node, grads, node.variable_hooks)
        for number, grad in enumerate(grads):
            if (node, number) in captured:
                captured[node, number] = grad
        run = [node]
        if useful is None or node in useful:
            merged = None
            if merging and node.merge_graph is not None and not (node.hooks or node.prehooks):
                run = unseen_run(node, consumers, buffers, captured)
                merged = node.merge_graph(run, *grads)
            count, d_inputs = merged or (1, _gradients(node, grads))
            run = run[:count]
            _send(run[-1].edges, d_inputs, buffers)
        if not retain_graph:
            for done in run:
                done.release()
    for node, grads in buffers.items():  # leaves, in order of first arrival
        _arrive(node, grads, captured if inputs is not None else None)
    return [] if inputs is None else [_own(captured[edge]) for edge in wanted]


def _leading_to(wanted: set[Node], order: Sequence[Node]) -> set[Node]:
    """The nodes above the wanted ones: only these need to run."""
    found: set[Node] = set()
    for node in reversed(order):
        if any(below in wanted or below in found for below, _ in node.edges if below is not None):
            found.add(node)
    return found


def _gradients(node: Node, grads: list[Gradient]) -> Sequence[Gradient]:
    """What a node makes of its gradients, with its hooks around it."""
    for prehook in list((node.prehooks or {}).values()):
        returned = prehook(tuple(grads))
        if returned is not None:
            grads[:] = replaced_all(prehook, grads, returned)
    if all(g is None for g in grads):
        return [None] * len(node.edges)
    if isinstance(node, AccumulateGrad):
        accumulate(node.variable, grads[0])
        return ()
    result = node.backward_graph(*grads)
    d_inputs: Sequence[Gradient] = result if isinstance(result, tuple) else (result,)
    for hook in list((node.hooks or {}).values()):
        returned = hook(tuple(d_inputs), tuple(grads))
        if returned is not None:
            d_inputs = replaced_all(hook, d_inputs, returned)
    return d_inputs


def _send(edges: Sequence[Edge], d_inputs: Sequence[Any], buffers: dict[Node, list[Gradient]]) -> None:
    """Adds each gradient to what its node has received, as its output's shape and type."""
    for (node, number), grad in zip(edges, d_inputs):
        if node is None or grad is None:
            continue
        shape, kind = node.outputs[number]
        if grad.array.shape != shape:
            grad = reduced_to(grad, shape)
        if grad.array.dtype != kind:
            grad = grad.to(from_numpy_dtype(kind))
        slots = buffers.setdefault(node, [None] * len(node.outputs))
        before = slots[number]
        slots[number] = grad if before is None else before + grad


def reduced_to(grad: Any, shape: tuple[int, ...]) -> Any:
    """Sums over the dimensions that broadcasting added or stretched."""
    given = grad.array.shape
    extra = len(given) - len(shape)
    over = [i for i, size in enumerate(given) if i < extra or (size != 1 and shape[i - extra] == 1)]
    return grad.sum(over, keepdim=True).reshape(shape)


def _call_variable_hooks(node: Node, grads: list[Gradient], watched: dict[int, list[Variable]]) -> None:
    """Tensor hooks, in order of registration, then retained gradients."""
    for number, variables in watched.items():
        for variable in variables:
            for hook in list((variable.hooks or {}).values()):
                grad = grads[number]
                returned = None if grad is None else hook(grad)
                if returned is not None:
                    grads[number] = replaced(hook, grad, returned)
            if variable.retains_grad and grads[number] is not None and not isinstance(node, AccumulateGrad):
                accumulate(variable, grads[number])


def _arrive(node: Any, grads: list[Gradient], captured: dict[tuple[Node, int], Gradient] | None) -> None:
    """Gives a leaf its gradient; only a wanted one, and into `captured`, where that is given."""
    if node.variable.hooks:
        _call_variable_hooks(node, grads, {0: [node.variable]})
    if captured is not None:
        if (node, 0) in captured:
            captured[node, 0] = grads[0]
        return
    _gradients(node, grads)


def _own(grad: Any) -> Any:
    """A gradient whose memory is no other tensor's."""
    return None if grad is None else grad.clone()


def accumulate(variable: Variable, grad: Any) -> None:
    """Adds a gradient that has a history: the sum is a new tensor, which has one, too."""
    before: Any = variable._grad
    if grad is not None:
        variable._grad = grad.clone() if before is None else before + grad
