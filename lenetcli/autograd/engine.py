"""The backward pass: one walk over the graph in reverse order of creation; iterative, so that any length works.

A node may run together with those below it, where that is less work (`Node.merge`) and nobody looks between them: each
has one consumer, no hooks, and no gradient that anyone asks for. Anomaly mode and `fusion(False)` run every node alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from operator import attrgetter
from typing import Any

import numpy as np

from lenetcli.autograd.anomaly import check_backward
from lenetcli.autograd.hooks import replacement, replacements
from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import AccumulateGrad, Array, Edge, Node, Variable, wrap
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import as_array, shares_elements
from lenetcli.kernels.layout import is_nothing
from lenetcli.kernels.sums import sum_over

_SEQUENCE = attrgetter("sequence")
LONGEST_RUN = 3  # nodes that any `merge` looks at

Buffers = dict[Node, list[Array | None]]
Leaves = dict[AccumulateGrad, Array]  # leaves take their gradients after all else has run, in order of first arrival
Captured = dict[tuple[Node, int], Array | None]


def run_backward(
    roots: Sequence[Variable],
    root_grads: Sequence[Array],
    retain_graph: bool,
    inputs: Sequence[Variable] | None = None,
) -> list[Array | None]:
    """Sends gradients from the roots to the leaves.

    Args:
        roots: variables to differentiate.
        root_grads: the gradient of each root, of its shape.
        retain_graph: keep what the nodes saved, so that another backward may follow.
        inputs: where given, nothing is accumulated; the gradients of these are returned instead.

    Returns:
        Gradients of `inputs` (None where a root does not depend on one); an empty list without `inputs`.
    """
    if retain_graph:
        expanded([v.grad_fn for v in roots])
    if inputs is None and len(roots) == 1 and run_chain(roots[0], root_grads[0], retain_graph):
        return []
    with np.errstate(all="ignore"):  # infinities and NaN are values here, as in torch
        return _run_backward(roots, root_grads, retain_graph, inputs)


def _chain(root: Variable) -> list[Node]:
    """The nodes from a root down to leaves, where each hands everything on to the next and nobody looks; else none."""
    chain: list[Node] = []
    node = root.grad_fn
    while node is not None and node.at_once and not (node.hooks or node.prehooks or node.variable_hooks):
        chain.append(node)
        edges = node.edges
        node = edges[0][0]
        if node is None or type(node) is AccumulateGrad:
            return chain if all(type(below) is AccumulateGrad for below, _ in edges[1:]) else []
        if len(edges) > 1:
            return []
    return []


def run_chain(root: Variable, grad: Array, retain_graph: bool) -> bool:
    """Goes straight down where there is nothing but nodes that stand for many; whether it did."""
    chain = [] if switches.anomaly else _chain(root)
    if not chain:
        return False
    before = switches.grad, switches.walking
    switches.grad, switches.walking = False, True
    try:
        grads: Sequence[Array | None] = [grad]
        for node in chain:
            grads = node.run(grads)
            if not retain_graph:
                node.release()
        arrived = [(node, g) for (node, _), g in zip(chain[-1].edges, grads) if node is not None and g is not None]
        arrive(arrived, None)  # type: ignore[arg-type]  # all are leaves
    finally:
        switches.grad, switches.walking = before
    return True


def _line(root: Variable) -> list[Node]:
    """The nodes from a root down, where each has leaves and at most one other below it, and nobody looks; else none.

    None either where nodes may run together, which has a way of its own.
    """
    line: list[Node] = []
    node = root.grad_fn
    while node is not None:
        if node.at_once or node.hooks or node.prehooks or node.variable_hooks or (line and line[-1].merge is not None):
            return []
        line.append(node)
        others = [below for below, _ in node.edges if below is not None and type(below) is not AccumulateGrad]
        if len(others) > 1:
            return []
        node = others[0] if others else None
    return line


def run_line(root: Variable, grad: Array, retain_graph: bool) -> bool:
    """The short way down a few ops in a row; whether there is one."""
    line = [] if switches.anomaly or (root.array.dtype is not grad.dtype) else _line(root)
    if not line:
        return False
    grads: list[Array | None] = [None] * len(line[0].outputs)
    grads[root.output_nr] = grad
    leaves: Leaves = {}
    before = switches.grad, switches.walking
    switches.grad, switches.walking = False, True
    try:
        with np.errstate(all="ignore"):
            for node, below in zip(line, (*line[1:], None)):
                buffers: Buffers = {}
                _send(node.edges, node.run(grads), grads, buffers, leaves)
                if not retain_graph:
                    node.release()
                if below is None or below not in buffers:
                    break
                grads = buffers[below]
            arrive(leaves.items(), None, quiet=True)
    finally:
        switches.grad, switches.walking = before
    return True


def _run_backward(
    roots: Sequence[Variable],
    root_grads: Sequence[Array],
    retain_graph: bool,
    inputs: Sequence[Variable] | None,
) -> list[Array | None]:
    wanted = [v.gradient_edge() for v in inputs] if inputs is not None else []
    captured: Captured | None = None if inputs is None else dict.fromkeys(wanted)
    starts = [v.gradient_edge() for v in roots]
    buffers: Buffers = {}
    leaves: Leaves = {}
    _send(starts, root_grads, root_grads, buffers, leaves)
    before = switches.grad, switches.walking
    switches.grad, switches.walking = False, True
    try:
        _walk(newest_first([node for node, _ in starts]), buffers, leaves, retain_graph, captured)
        arrive(leaves.items(), captured, quiet=True)
    finally:
        switches.grad, switches.walking = before
    return [] if captured is None else [captured[edge] for edge in wanted]


class Uncopied(Leaves):
    """Leaves whose gradients may be memory that others see, too."""


def leaf_gradients(root: Variable, grad: Array, leaves: Leaves) -> Leaves:
    """Fills in what would arrive at the leaves, which stay as they are."""
    start = root.gradient_edge()
    buffers: Buffers = {}
    _send([start], [grad], [], buffers, leaves, own=True)
    before = switches.grad, switches.walking
    switches.grad, switches.walking = False, True
    try:
        _walk(newest_first([start[0]]), buffers, leaves, False, None)
    finally:
        switches.grad, switches.walking = before
    return leaves


def expanded(tops: Sequence[Node | None]) -> None:
    """Has nodes that stand for many make those: what backward needs a second time is then what it was the first."""
    seen: set[Node] = set()
    stack = [node for node in tops if node is not None]
    while stack:
        node = stack.pop()
        if node in seen or isinstance(node, AccumulateGrad):
            continue
        seen.add(node)
        edges = node.next_functions if node.at_once else node.edges
        stack += [below for below, _ in edges if below is not None]


def _walk(
    order: Sequence[Node], buffers: Buffers, leaves: Leaves, retain_graph: bool, captured: Captured | None
) -> None:
    """Runs the nodes; the wanted gradients are put into `captured`, where it is given."""
    anomaly = switches.anomaly
    merging = switches.fusion and not anomaly
    consumers: Counter[Node | None] | None = None
    for node in order:
        grads = buffers.pop(node, None)
        if grads is None:
            continue
        if node.variable_hooks:
            _call_variable_hooks(node, grads, node.variable_hooks)
        if captured is not None:
            for number in range(len(grads)):
                if (node, number) in captured:
                    captured[node, number] = grads[number]
        watched = node.hooks or node.prehooks or anomaly
        ran: Sequence[Node] = ()
        if merging and node.merge is not None and not watched:
            if consumers is None:
                consumers = Counter(below for above in order for below, _ in above.edges)
            ran = _run_merged(unseen_run(node, consumers, buffers, captured), grads, buffers, leaves)
        if not ran:
            d_inputs = _run_watched(node, grads) if watched else node.run(grads)
            _send(node.edges, d_inputs, grads, buffers, leaves, node.at_once)
            ran = (node,)
        if not retain_graph:
            for done in ran:
                done.release()


def arrive(leaves: Iterable[tuple[AccumulateGrad, Array]], captured: Captured | None, quiet: bool = False) -> bool:
    """Gives each of the leaves its gradient; only the wanted ones, and into `captured`, where that is given.

    Args:
        quiet: NumPy's warnings are off already.

    Returns:
        Whether these are just the gradients that the leaves have now: none had any before, or hooks.
    """
    straight = True
    for node, grad in leaves:
        variable = node.variable
        if captured is None and variable._grad is None and not (variable.hooks or node.hooks or node.prehooks):
            variable._grad = gradient = object.__new__(variable.result_class)
            gradient.array = grad if type(grad) is np.ndarray else as_array(grad)
            continue
        straight = False
        with nullcontext() if quiet else np.errstate(all="ignore"):
            _arrive_watched(node, grad, captured)
    return straight


def _arrive_watched(node: AccumulateGrad, grad: Array, captured: Captured | None) -> None:
    """The way of a leaf that has a gradient already, or hooks."""
    grads: list[Array | None] = [grad]
    hooks = node.variable.hooks
    if hooks:
        _call_variable_hooks(node, grads, {0: [node.variable]})
        grads = _copies(grads)
    if captured is None:
        if node.hooks or node.prehooks:
            _run_watched(node, grads)
        else:
            node.run(grads)
    elif (node, 0) in captured:
        captured[node, 0] = grads[0]


def newest_first(starts: Sequence[Node]) -> list[Node]:
    """Every operation reachable from the starts, in reverse order of creation: after all that send it gradients."""
    seen = {node for node in starts if not isinstance(node, AccumulateGrad)}
    stack = list(seen)
    while stack:
        for node, _ in stack.pop().edges:
            if node is not None and node not in seen and not isinstance(node, AccumulateGrad):
                seen.add(node)
                stack.append(node)
    return sorted(seen, key=_SEQUENCE, reverse=True)


def unseen_run(
    node: Node,
    consumers: Counter[Node | None],
    buffers: Mapping[Node, Any],
    captured: Mapping[tuple[Node, int], Any] | None,
) -> list[Node]:
    """The node and those below it that get their gradient from it alone and that nobody looks at."""
    run = [node]
    seen = buffers.keys() | {above for above, _ in captured or ()}
    while len(run) < LONGEST_RUN:
        below = run[-1].edges[0][0]
        if below is None or isinstance(below, AccumulateGrad) or consumers[below] != 1 or below in seen:
            break
        if below.hooks or below.prehooks or below.variable_hooks:
            break
        run.append(below)
    return run


def _run_merged(run: Sequence[Node], grads: Sequence[Array | None], buffers: Buffers, leaves: Leaves) -> Sequence[Node]:
    """Runs as many nodes of a run at once as its first can; gives them, none where it can run no second one."""
    merge = run[0].merge
    merged = merge(run, *grads) if len(run) > 1 and merge is not None else None
    if merged is None:
        return ()
    count, d_inputs = merged
    _send(run[count - 1].edges, d_inputs, grads, buffers, leaves)
    return run[:count]


def _run_watched(node: Node, grads: list[Array | None]) -> Sequence[Array | None]:
    """Runs a node with its hooks around it, and a look at what it gives in anomaly mode."""
    if node.prehooks:
        for hook in list(node.prehooks.values()):
            returned = hook(_variables(node, grads))
            if returned is not None:
                grads[:] = replacements(hook, grads, returned)
        grads[:] = _copies(grads)
        if all(g is None for g in grads):
            return [None] * len(node.edges)
    d_inputs = node.run(grads)
    if node.hooks:
        for hook in list(node.hooks.values()):
            returned = hook(_variables(node, d_inputs), _variables(node, grads))
            if returned is not None:
                d_inputs = replacements(hook, d_inputs, returned)
        d_inputs = _copies(d_inputs)
    if switches.anomaly:
        check_backward(node, d_inputs)
    return d_inputs


def _send(
    edges: Sequence[Edge],
    d_inputs: Sequence[Array | None],
    grads: Sequence[Array | None],
    buffers: Buffers,
    leaves: Leaves,
    own: bool = False,
) -> None:
    """Sends gradients along edges: sums each into what its node has received, as its output's shape and type.

    Args:
        grads: what `d_inputs` were computed from.
        own: nothing else sees the memory of `d_inputs`.
    """
    for position, (node, number) in enumerate(edges):
        if node is None or (grad := d_inputs[position]) is None:
            continue
        if own and type(node) is AccumulateGrad and node not in leaves:  # of the leaf's shape and type, too
            leaves[node] = grad
            continue
        shape, kind = node.outputs[number]
        if grad.shape != shape:
            grad = reduce_to_shape(grad, shape, node)
        if grad.dtype is not kind and grad.dtype != kind:
            grad = grad.astype(kind)
        if not shape:  # NumPy computes scalars from arrays of no dimension
            grad = as_array(grad)
        if isinstance(node, AccumulateGrad):
            before = leaves.get(node)
            if before is not None:
                grad = _sum(before, grad)
            elif not (own or type(leaves) is Uncopied or _is_own(grad, grads, d_inputs, position)):
                grad = grad.copy(order="K")
            leaves[node] = grad
            continue
        slots = buffers.get(node)
        if slots is None:
            slots = buffers[node] = [None] * len(node.outputs)
        before = slots[number]
        slots[number] = grad if before is None else _sum(before, grad)


def _sum(a: Array, b: Array) -> Array:
    if is_nothing(a) or is_nothing(b):
        return b if is_nothing(a) else a
    return kernels.plus(a, b) if switches.whole else as_array(a + b)


def _is_own(grad: Array, grads: Sequence[Array | None], d_inputs: Sequence[Array | None], position: int) -> bool:
    """Whether a leaf may keep a gradient: nothing else will see or change its memory."""
    if not grad.flags.writeable if type(grad) is np.ndarray else shares_elements(grad):
        return False
    base = grad.base
    for g in grads:
        # an array that owns its memory shares it with its own views only
        if g is not None and (g is grad or g.base is grad if base is None else np.may_share_memory(grad, g)):
            return False
    return position == 0 or all(d_inputs[i] is not grad for i in range(position))


def reduce_to_shape(grad: Array, shape: tuple[int, ...], node: Node) -> Array:
    """Sums over the dimensions that broadcasting added or stretched."""
    extra = grad.ndim - len(shape)
    if extra > 0 and grad.shape[extra:] == shape:
        return sum_over(grad, tuple(range(extra)))
    stretched = [i for i in range(grad.ndim) if i < extra or (shape[i - extra] == 1 and grad.shape[i] != 1)]
    if extra >= 0 and all(i < extra or i in stretched or grad.shape[i] == shape[i - extra] for i in range(grad.ndim)):
        return sum_over(grad, tuple(stretched), keepdims=True).reshape(shape)
    raise RuntimeError(f"{node.name()} got a gradient of shape {list(grad.shape)}, its output has {list(shape)}")


def _variables(node: Node, grads: Sequence[Array | None]) -> tuple[Any, ...]:
    return tuple(None if g is None else wrap(node.result_class, g) for g in grads)


def _copies(grads: Sequence[Array | None]) -> list[Array | None]:
    """Gradients that no hook holds on to, for a leaf to keep and to add to."""
    return [None if g is None else g.copy(order="K") for g in grads]


def _call_variable_hooks(node: Node, grads: list[Array | None], watched: dict[int, list[Variable]]) -> None:
    """Tensor hooks, in order of registration, then retained gradients."""
    for number, variables in watched.items():
        for variable in variables:
            for hook in list((variable.hooks or {}).values()):
                grad = grads[number]
                if grad is None:
                    continue
                returned = hook(wrap(node.result_class, grad))
                if returned is not None:
                    grads[number] = replacement(hook, grad, returned)
            grad = grads[number]
            if variable.retains_grad and grad is not None and not isinstance(node, AccumulateGrad):
                before = variable._grad
                total = grad.copy(order="K") if before is None else before.array + grad
                variable.grad = wrap(node.result_class, total)
