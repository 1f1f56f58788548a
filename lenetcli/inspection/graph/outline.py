"""A traced graph as an outline: nodes in the order of the backward pass, those of a module call folded into one row."""

from __future__ import annotations

from dataclasses import dataclass, field

from lenetcli.inspection.graph.nodes import TracedNode
from lenetcli.inspection.graph.trace import Trace

SMALL = 64  # graphs of as many nodes are shown node by node unless asked otherwise
ROWS = 200  # the outline unfolds modules as deep as this many rows allow


@dataclass
class Row:
    """One line of the outline.

    Args:
        id: the row's number.
        level: how deep it lies in the tree of modules.
        node: the newest of its nodes: the one whose output the rest of the net sees.
        call: number of the module call it stands for; None for a single node.
        heading: a module whose parts are the rows below; else the row stands for all its nodes.
        nodes: ids of its nodes, without those where gradients arrive at parameters.
        parameters: ids of the nodes where its parameters' gradients arrive.
        next: rows that its gradients go to.
    """

    id: int
    level: int
    node: int
    call: int | None
    heading: bool = False
    nodes: list[int] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    next: list[int] = field(default_factory=list)


def stacks(trace: Trace) -> list[tuple[int, ...]]:
    """Of each call, the numbers of the calls it was made in, outermost first, itself last."""
    found: list[tuple[int, ...]] = []
    for number, call in enumerate(trace.calls):  # an outer call is found before those inside
        found.append((*(found[call.outer] if call.outer is not None else ()), number))
    return found


def outline(trace: Trace, depth: int | None = None) -> list[Row]:
    """The rows, from the loss down: one for each call of a module that calls no other, one for each node beside those.

    Args:
        depth: how many levels of modules to unfold; None unfolds all, or as many as `ROWS` rows allow.
    """
    if depth is not None:
        return _rows(trace, depth)
    deepest = max((len(stack) for stack in stacks(trace)), default=1)
    for level in range(deepest, 1, -1):
        rows = _rows(trace, level)
        if len(rows) <= ROWS:
            return rows
    return _rows(trace, 1)


def _rows(trace: Trace, depth: int) -> list[Row]:
    around = stacks(trace)
    parents = {call.outer for call in trace.calls}
    rows: list[Row] = []
    row_of: dict[int, Row] = {}  # by node
    entered: tuple[int, ...] = ()
    for node in trace.nodes:
        if node.parameter is not None or not node.next:
            continue
        stack = around[node.call] if node.call is not None else ()
        folded = next((i for i, call in enumerate(stack) if i >= depth or call not in parents), None)
        open_calls = stack if folded is None else stack[:folded]
        for level in range(1, len(open_calls)):  # the outermost call, the model's, has no heading
            if entered[: level + 1] != open_calls[: level + 1]:
                rows.append(Row(len(rows), level - 1, node.id, open_calls[level], heading=True))
        entered = open_calls
        call = None if folded is None else stack[folded]
        if call is None or not rows or rows[-1].call != call:
            rows.append(Row(len(rows), max(len(open_calls) - 1, 0), node.id, call))
        rows[-1].nodes.append(node.id)
        row_of[node.id] = rows[-1]
    for row in rows:
        _connect(row, trace.nodes, row_of)
    return rows


def _connect(row: Row, nodes: list[TracedNode], row_of: dict[int, Row]) -> None:
    for number in row.nodes:
        for target in nodes[number].next:
            if target is None:
                continue
            if target not in row_of:
                if target not in row.parameters:
                    row.parameters.append(target)
            elif row_of[target] is not row and row_of[target].id not in row.next:
                row.next.append(row_of[target].id)


def in_order(trace: Trace) -> list[int]:
    """Ids of all nodes, each parameter's below the first node that sends it a gradient."""
    found: list[int] = []
    seen: set[int] = set()
    for node in trace.nodes:
        if not node.next:
            continue
        found.append(node.id)
        for target in node.next:
            if target is not None and not trace.nodes[target].next and target not in seen:
                seen.add(target)
                found.append(target)
    return found


def is_side(trace: Trace) -> list[bool]:
    """Of each node, whether it works on parameters alone (a transposed weight), beside the way that data takes."""
    side = [False] * len(trace.nodes)
    for node in reversed(trace.nodes):  # what a node sends gradients to comes after it
        side[node.id] = all(target is not None and side[target] for target in node.next)
    return side


def title(trace: Trace, row: Row) -> tuple[str, str]:
    """What a row is called: the module's path and class, or the node's name and its module's path.

    A module's second call has "#2" behind its path.
    """
    if row.call is None:
        node = trace.nodes[row.node]
        return node.name, node.module
    call = trace.calls[row.call]
    turn = f" #{call.turn}" if call.turns > 1 else ""
    return f"{call.path}{turn}".strip(), call.kind
