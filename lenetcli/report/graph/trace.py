"""A gradient trace as text: the forward chain, the graph as a table, gradients before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.graph.nodes import TracedNode
from lenetcli.inspection.graph.outline import ROWS, SMALL, Row, is_side, outline, title
from lenetcli.inspection.graph.trace import Trace
from lenetcli.report.columns import Column, Columns, bar
from lenetcli.report.histogram import HEIGHTS
from lenetcli.report.rails import heads, lines
from lenetcli.report.tables import figure, numbers, sizes

RAILS = 10  # beside the table; more would leave no room
CHAIN = 60  # steps of the forward chain that are shown in full
BAR = 12  # columns
COURSE = 36  # columns
FAINTEST = 1e-6  # share of the largest gradient at which a bar ends


def draw(trace: Trace, expand: bool = False, depth: int | None = None) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom.

    Args:
        expand: every node, even of a large graph.
        depth: fold modules below this level.
    """
    if trace.step:
        yield Text(f"after {trace.step:,} training step{'s' if trace.step > 1 else ''}\n")
    yield Text("forward", style="bold")
    yield Text("  " + " -> ".join(_shortened(trace.forward)))
    yield Text(f"\nloss {trace.loss_text}")
    if trace.batches > 1:
        yield Text(
            f"of the first of {trace.batches} batches, whose graph this is; they make one step (train.accumulate) with "
            f"loss {trace.loss:.6g}"
        )
    yield Text("\na few steps backward", style="bold")
    for i, name in enumerate(trace.first_steps):
        yield Text("  loss.grad_fn" + ".next_functions[0][0]" * i + f"  {name}")
    if expand or (depth is None and len(trace.nodes) <= SMALL):
        yield Text("\nbackward, node by node", style="bold")
        yield _node_table(trace)
    else:
        yield Text("\nbackward, module by module (--expand shows every node)", style="bold")
        yield _module_table(trace, outline(trace, depth))
    yield Text("\n" + "\n".join(remarks(trace)))
    for parameter in trace.parameters:
        name = plain_text(parameter.name)
        yield Text(f"\n{name}.grad before backward", style="bold")
        yield Text(numbers(parameter.before))
        yield Text(f"{name}.grad after backward", style="bold")
        yield Text(numbers(parameter.after))


def _shortened(chain: list[str]) -> list[str]:
    if len(chain) <= CHAIN:
        return chain
    return [*chain[:12], f"({len(chain) - 24:,} more)", *chain[-12:]]


def _node_table(trace: Trace) -> Columns:
    nodes = trace.nodes
    checked = any(n.check is not None for n in nodes)
    turns = [_turn(trace, n) for n in nodes]
    side = is_side(trace)
    columns = [
        Column("id", [str(n.id) for n in nodes], right=True),
        *_branches([(n.id, [] if side[n.id] else [t for t in n.next if t is not None and not side[t]]) for n in nodes]),
        Column("node", [plain_text(n.name) for n in nodes], fold=True),
        Column("module", [plain_text(n.parameter or n.module) + t for n, t in zip(nodes, turns)], fold=True),
        Column("type", [_kind(trace, n) for n in nodes], rank=4),
        Column("shape", [sizes(n.shape) for n in nodes]),
        Column("|grad|", [figure(n.grad_norm) for n in nodes], right=True),
        *_check_columns([[n] for n in nodes], checked),
        Column("next", [_ids(n.next) for n in nodes], rank=1 if checked else 0, fold=True),
        *_figure_columns(nodes),
    ]
    return Columns(columns, [_style([n], "dim" if n.parameter else None) for n in nodes])


def _module_table(trace: Trace, rows: list[Row]) -> Columns:
    nodes = trace.nodes
    outs = [None if row.heading else nodes[row.node] for row in rows]
    inside = [[nodes[i] for i in row.nodes] for row in rows]
    checked = any(n.check is not None for n in nodes)
    titles = [title(trace, row) for row in rows]
    modules, kinds = zip(*(t if row.call is not None else (t[1], t[0]) for row, t in zip(rows, titles)))
    columns = [
        Column("row", [str(row.id) for row in rows], right=True),
        *_branches([(row.id, row.next) for row in rows]),
        Column("module", ["  " * row.level + plain_text(module) for row, module in zip(rows, modules)], fold=True),
        Column("type", [plain_text(kind) for kind in kinds], fold=True),
        Column("shape", [sizes(n.shape) if n else "" for n in outs]),
        Column("|grad|", [figure(n.grad_norm) if n else "" for n in outs], right=True),
        *_check_columns(inside, checked),
        Column("next", [_ids(row.next) for row in rows], rank=1 if checked else 0, fold=True),
        Column("|grad| of parameters", [_parameters(trace, row) for row in rows], rank=8),
        Column("nodes", [str(len(row.nodes)) if row.nodes else "" for row in rows], rank=9, right=True),
        *_figure_columns(outs),
    ]
    middle = range(ROWS // 2, len(rows) - ROWS // 2) if len(rows) > ROWS + 1 else range(0)
    return Columns(columns, [_style(of, "bold" if row.heading else None) for row, of in zip(rows, inside)], middle)


def _branches(rows: Sequence[tuple[int, Sequence[int]]]) -> list[Column]:
    """Rails from each row to those that its gradients go to; none where that is a chain.

    Args:
        rows: of each its number and those of the others, which come below it.
    """
    place = {number: i for i, (number, _) in enumerate(rows)}
    above: list[list[int]] = [[] for _ in rows]
    for i, (_, targets) in enumerate(rows):
        for target in dict.fromkeys(targets):
            above[place[target]].append(i)
    if max(map(len, above), default=0) < 2 and all(len(set(targets)) < 2 for _, targets in rows):
        return []
    parts = [taken if taken or rows[i][1] else None for i, taken in enumerate(above)]
    found = lines(parts)
    return [Column("", heads(found), name="branches")] if max(line.last for line in found) < RAILS else []


def _check_columns(rows: Sequence[Sequence[TracedNode]], checked: bool) -> list[Column]:
    """Verdict and figures of the worst check in each row."""
    if not checked:
        return []
    checks = [
        max((n.check for n in nodes if n.check), key=lambda c: (not c.ok, c.error), default=None) for nodes in rows
    ]
    verdicts = ["" if c is None else "FAILED" if not c.ok else "ok, kink" if c.kink else "ok" for c in checks]
    return [
        Column("check", verdicts),
        Column("error", [f"{c.error:.1e}" if c else "" for c in checks], rank=1, right=True),
        Column("numeric", [f"{c.numeric:.6g}" if c else "" for c in checks], rank=2, right=True),
        Column("analytic", [f"{c.analytic:.6g}" if c else "" for c in checks], rank=2, right=True),
    ]


def _figure_columns(nodes: Sequence[TracedNode | None]) -> list[Column]:
    """Figures of gradients (in) and forward values (out), and a bar of the gradient's size."""

    def cells(get: Callable[[TracedNode], str]) -> list[str]:
        return [get(n) if n is not None else "" for n in nodes]

    grads = [(n.grad.norm if n is not None and n.grad is not None else None) for n in nodes]
    dead = cells(lambda n: "" if n.dead is None else f"{n.dead}/{n.units}")
    return [
        Column("grad 0s", cells(lambda n: percent(n.grad.zeros) if n.grad else ""), rank=3, right=True),
        *([Column("dead", dead, rank=4, right=True)] if any(dead) else []),
        Column("grad mean", cells(lambda n: figure(n.grad.mean_abs) if n.grad else ""), rank=5, right=True),
        Column("grad max", cells(lambda n: figure(n.grad.max_abs) if n.grad else ""), rank=5, right=True),
        Column("out mean", cells(lambda n: figure(n.value.mean) if n.value else ""), rank=6, right=True),
        Column("out std", cells(lambda n: figure(n.value.std) if n.value else ""), rank=6, right=True),
        Column("out 0s", cells(lambda n: percent(n.value.zeros) if n.value else ""), rank=6, right=True),
        Column("|grad|, log", bars(grads), rank=7),
    ]


def bars(norms: Sequence[float | None]) -> list[str]:
    """A bar for each norm, on a logarithmic scale that ends at the largest."""
    return ["" if height is None else bar(height, BAR) for height in _heights(norms)]


def _heights(norms: Sequence[float | None]) -> list[float | None]:
    """Of each norm its place on that scale, from 0 to 1; None where it is none, no number or zero."""
    known = [n for n in norms if n is not None and math.isfinite(n) and n > 0]
    if not known:
        return [None] * len(norms)
    high = math.log(max(known))
    low = max(math.log(min(known)), high + math.log(FAINTEST)) - 0.5
    return [
        max(0.0, (math.log(n) - low) / (high - low)) if n is not None and math.isfinite(n) and n > 0 else None
        for n in norms
    ]


def course(trace: Trace) -> str:
    """The gradient's length on its way from the loss to the input, in a line; a dot where it is zero."""
    side = is_side(trace)
    norms = [n.grad_norm for n in trace.nodes if n.next and not side[n.id] and n.grad_norm is not None]
    if not norms:
        return ""
    columns = min(len(norms), COURSE)
    heights = _heights([norms[i * (len(norms) - 1) // max(1, columns - 1)] for i in range(columns)])
    drawn = "".join("·" if height is None else HEIGHTS[max(1, round(8 * height))] for height in heights)
    return f"|grad| from loss to input, log: {figure(norms[0])} {drawn} {figure(norms[-1])}"


def remarks(trace: Trace) -> list[str]:
    """What the table adds up to: the gradient's course, how many nodes, dead units, no numbers, checks."""
    accumulators = sum(1 for n in trace.nodes if not n.next)
    lines = [
        course(trace),
        f"{len(trace.nodes):,} nodes, {accumulators:,} of them parameters, in {len(trace.calls):,} module calls",
    ]
    dying = [n for n in trace.nodes if n.dead]
    if dying:
        listed = ", ".join(f"{n.dead} of {n.units} in {_place(n)}" for n in dying[:6])
        more = f" and {len(dying) - 6} more" if len(dying) > 6 else ""
        samples = dying[0].shape[0]
        what = "units that are zero for this one sample"
        if samples > 1:
            what = f"dead units (zero for all {samples:,} samples)"
        lines.append(f"{what}: {listed}{more}")
    gone = next((n for n in trace.nodes if n.grad_norm == 0 and n.next), None)
    if gone is not None:
        lines.append(f"the gradient that reaches {_place(gone)} is zero: nothing that only it leads to can learn")
    broken = [n for n in trace.nodes if (n.grad and n.grad.nonfinite) or (n.value and n.value.nonfinite)]
    if broken:
        lines.append(f"NaN or infinity in {len(broken):,} nodes, first {_place(broken[-1])}")
    checks = [(n, n.check) for n in trace.nodes if n.check is not None]
    if checks:
        worst, check = max(checks, key=lambda pair: (not pair[1].ok, pair[1].error))
        lines.append(
            f"checked {len(checks):,} nodes against differences, {len(trace.failed)} failed; "
            f"largest relative error {check.error:.1e} at {_place(worst)}"
        )
    return lines


def _place(node: TracedNode) -> str:
    """A node's name, number and module in few words: ReluBackward 8 (module 10)."""
    where = node.parameter or (f"module {node.module}" if node.module else "")
    return plain_text(f"{node.name} {node.id}" + (f" ({where})" if where else ""))


def _style(nodes: Sequence[TracedNode], otherwise: str | None) -> str | None:
    bad = any(n.check is not None and not n.check.ok for n in nodes)
    return "bold red" if bad else otherwise


def _turn(trace: Trace, node: TracedNode) -> str:
    """Which call of a module that is used several times."""
    if node.call is None or trace.calls[node.call].turns == 1 or not node.module:
        return ""
    return f" #{trace.calls[node.call].turn}"


def _kind(trace: Trace, node: TracedNode) -> str:
    """Class of the module that made a node."""
    return "" if node.call is None else plain_text(trace.calls[node.call].kind)


def _parameters(trace: Trace, row: Row) -> str:
    """Norms of the gradients of a row's parameters, by the last part of their names."""
    shown = []
    for number in row.parameters:
        node = trace.nodes[number]
        shown.append(f"{plain_text((node.parameter or '').rpartition('.')[2])} {figure(node.grad_norm)}")
    return "  ".join(shown)


def _ids(numbers: Sequence[int | None]) -> str:
    return " ".join("-" if n is None else str(n) for n in numbers)


def percent(share: float | None) -> str:
    """A share in per cent; 0% and 100% mean none and all."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{100 * share:.0f}%"
