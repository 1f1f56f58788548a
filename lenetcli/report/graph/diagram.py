"""A traced graph as boxes and arrows, in the direction that gradients take; and these as Mermaid and Graphviz text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lenetcli.errors import plain_text
from lenetcli.inspection.graph.nodes import TracedNode
from lenetcli.inspection.graph.outline import in_order, is_side, outline, stacks, title
from lenetcli.inspection.graph.trace import Trace
from lenetcli.report.tables import figure, sizes

LOOK = (  # of a Graphviz picture
    'graph [fontname="sans-serif", rankdir=TB, style=rounded, color="#8896a8"]',
    'node [fontname="sans-serif", fontsize=11, shape=box, style="rounded,filled"]',
    'node [fillcolor="#eef3fa", color="#4a6a97"]',
    'edge [color="#4a6a97"]',
)


@dataclass
class Box:
    """A box of the diagram.

    Args:
        id: its number.
        name: its first line.
        kind: what it is: a module's class or a node's name.
        node: the node whose gradient it shows.
        frames: names of the modules around it, outermost first, each with the number of its call.
        parameters: names of parameters inside it, with their nodes.
        next: boxes that its gradients go to.
        side: it works on parameters alone, or is one.
    """

    id: int
    name: str
    kind: str
    node: TracedNode
    frames: tuple[tuple[int, str], ...] = ()
    parameters: list[TracedNode] = field(default_factory=list)
    next: list[int] = field(default_factory=list)
    side: bool = False

    @property
    def lines(self) -> list[str]:
        """What stands in the box: name, what it is with its shape, the gradient's norm, then parameters with theirs."""
        lines = [self.name, f"{self.kind} {sizes(self.node.shape)}".strip(), f"|grad| {_norm(self.node)}"]
        if not self.name:
            del lines[0]
        return [*lines, *(f"{last_part(p)} {sizes(p.shape)} |grad| {_norm(p)}" for p in self.parameters)]


def last_part(parameter: TracedNode) -> str:
    """A parameter's name without its module's path."""
    return plain_text((parameter.parameter or "").rpartition(".")[2])


def boxes(trace: Trace, expand: bool = False, depth: int | None = None) -> list[Box]:
    """The boxes, from the loss down: one for each row of the outline, or with `expand` one for each node."""
    return _every_node(trace) if expand else _outlined(trace, depth)


def _outlined(trace: Trace, depth: int | None) -> list[Box]:
    found: dict[int, Box] = {}  # by row
    frames: list[tuple[int, str]] = []
    rows = outline(trace, depth)
    for row in rows:
        name, kind = map(plain_text, title(trace, row))
        del frames[row.level :]
        if row.heading:
            assert row.call is not None, "a heading stands for a call"
            frames.append((row.call, f"{name} {kind}"))
            continue
        if row.call is None:
            name, kind = kind, name
        parameters = [trace.nodes[i] for i in row.parameters]
        found[row.id] = Box(len(found), name, kind, trace.nodes[row.node], tuple(frames), parameters)
    for row in rows:
        if not row.heading:
            found[row.id].next = [found[target].id for target in row.next]
    return list(found.values())


def _every_node(trace: Trace) -> list[Box]:
    around, side = stacks(trace), is_side(trace)
    numbers = {node: i for i, node in enumerate(in_order(trace))}
    lone = _lone_calls(trace, side)
    found = []
    frames: tuple[tuple[int, str], ...] = ()
    for number in numbers:
        node, name = trace.nodes[number], ""
        if node.next:
            stack = around[node.call][1:] if node.call is not None else ()
            named = [(c, plain_text(_named(trace, c))) for c in stack]
            frames = tuple((c, plain_text(f"{label} {trace.calls[c].kind}")) for c, label in named if c not in lone)
            if not side[number] and stack and stack[-1] in lone:
                name = named[-1][1]
        else:
            name = plain_text(node.parameter or "")
        below = [numbers[target] for target in dict.fromkeys(node.next) if target is not None]
        found.append(Box(numbers[number], name, plain_text(node.name), node, frames, [], below, side[number]))
    return found


def _named(trace: Trace, call: int) -> str:
    found = trace.calls[call]
    return f"{found.path} #{found.turn}" if found.turns > 1 else found.path


def _lone_calls(trace: Trace, side: list[bool]) -> set[int]:
    """Calls with one node on the way that data takes: their box bears the module's name, they need no frame."""
    counts = [0] * len(trace.calls)
    for node in trace.nodes:
        if node.call is not None and not side[node.id]:
            counts[node.call] += 1
    outer = {call.outer for call in trace.calls}
    return {i for i, count in enumerate(counts) if count == 1 and i not in outer}


def _norm(node: TracedNode) -> str:
    return figure(node.grad_norm) or "none"


def mermaid(trace: Trace, expand: bool = False, depth: int | None = None) -> str:
    """The diagram in Mermaid's language, which many pages and editors draw."""
    shown = boxes(trace, expand, depth)
    lines = ["flowchart TB"]
    for box, opened, closed in framed(shown):
        lines += ["end"] * closed
        lines += [f'subgraph m{call}["{_entities(name)}"]' for call, name in opened]
        left, right = ("([", "])") if box.side else ("[", "]")
        lines.append(f'b{box.id}{left}"{"<br>".join(map(_entities, box.lines))}"{right}')
    lines += ["end"] * len(shown[-1].frames)
    lines += [f"b{box.id} --> b{target}" for box in shown for target in box.next]
    return "\n".join(lines) + "\n"


def dot(trace: Trace, expand: bool = False, depth: int | None = None) -> str:
    """The diagram in Graphviz's language."""
    shown = boxes(trace, expand, depth)
    lines = ["digraph gradients {", *LOOK]
    for box, opened, closed in framed(shown):
        lines += ["}"] * closed
        lines += [f'subgraph cluster_{call} {{ label="{_quoted(name)}"' for call, name in opened]
        look = ', shape=ellipse, style=filled, fillcolor="#f4f4f4"' if box.side else ""
        text = "\\n".join(map(_quoted, box.lines))
        lines.append(f'b{box.id} [label="{text}"{look}]')
    lines += ["}"] * len(shown[-1].frames)
    lines += [f"b{box.id} -> b{target}" for box in shown for target in box.next]
    return "\n".join([*lines, "}"]) + "\n"


def framed(shown: list[Box]) -> list[tuple[Box, tuple[tuple[int, str], ...], int]]:
    """Each box with the frames that begin before it, and how many end there."""
    found = []
    before: tuple[tuple[int, str], ...] = ()
    for box in shown:
        common = 0
        while common < min(len(before), len(box.frames)) and before[common] == box.frames[common]:
            common += 1
        found.append((box, box.frames[common:], len(before) - common))
        before = box.frames
    return found


def _entities(text: str) -> str:
    """Text for a Mermaid label: what it might take for markup is written as a character's number."""
    return re.sub(r"[^\w .,:()\[\]|-]", lambda match: f"#{ord(match[0])};", text)


def _quoted(text: str) -> str:
    """Text for a quoted Graphviz string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
