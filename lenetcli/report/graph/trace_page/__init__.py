"""Traces as one HTML page that needs nothing else: the graph with modules that fold, figures, a slider over steps."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from lenetcli.display.markup import filled, script_json
from lenetcli.inspection.graph.nodes import TracedNode
from lenetcli.inspection.graph.outline import in_order, is_side
from lenetcli.inspection.graph.trace import Trace
from lenetcli.inspection.record import strict
from lenetcli.inspection.statistics import Figures, Histogram
from lenetcli.report.tables import numbers

PLACE = Path(__file__).parent
SCRIPTS = ("graph.js", "view.js", "detail.js", "controls.js")  # in the order in which they need each other
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # heights of a histogram's bars


def page(name: str, traces: list[Trace]) -> str:
    """The page.

    Args:
        name: of what was traced, for the page's title.
        traces: at successive steps of a training.
    """
    parts = {
        "title": html.escape(name),
        "style": (PLACE / "page.css").read_text("utf-8"),
        "script": "\n".join((PLACE / name).read_text("utf-8") for name in SCRIPTS),
        "data": script_json(strict(_record(name, traces))),
    }
    return filled((PLACE / "page.html").read_text("utf-8"), parts)


def _record(name: str, traces: list[Trace]) -> dict[str, Any]:
    """All the page shows: graphs, each only once, and figures of their nodes at each step."""
    graphs: list[dict[str, Any]] = []
    steps = []
    for trace in traces:
        graph = _graph(trace)
        if graph not in graphs:
            graphs.append(graph)
        steps.append(_step(trace, graphs.index(graph)))
    return {"name": name, "graphs": graphs, "steps": steps}


def _graph(trace: Trace) -> dict[str, Any]:
    side = is_side(trace)
    return {
        "forward": trace.forward,
        "calls": [[c.path, c.kind, c.outer, c.turn, c.turns] for c in trace.calls],
        "nodes": [_node(trace.nodes[i], side[i]) for i in in_order(trace)],
    }


def _node(node: TracedNode, side: bool) -> dict[str, Any]:
    found = {"id": node.id, "name": node.name, "call": node.call, "shapes": node.shapes, "next": node.next}
    if not node.next:
        found["parameter"] = node.parameter or ""
    return found | ({"side": True} if side else {})


def _step(trace: Trace, graph: int) -> dict[str, Any]:
    nodes = [trace.nodes[i] for i in in_order(trace)]
    found: dict[str, Any] = {
        "step": trace.step,
        "loss": float(f"{trace.loss:.6g}"),
        "graph": graph,
        "grad": [n.grad and _gradient(n.grad) for n in nodes],
        "value": [n.value and _value(n.value) for n in nodes],
        "parameters": [[p.name, numbers(p.before), numbers(p.after)] for p in trace.parameters],
    }
    dead = {i: [n.dead, n.units] for i, n in enumerate(nodes) if n.dead is not None}
    checks = {
        i: [_short(n.check.numeric), _short(n.check.analytic), _short(n.check.error), n.check.ok, n.check.kink]
        for i, n in enumerate(nodes)
        if n.check is not None
    }
    return found | ({"dead": dead} if dead else {}) | ({"checks": checks} if checks else {})


def _gradient(f: Figures) -> list[Any]:
    return [*map(_short, (f.norm, f.mean_abs, f.max_abs, f.zeros)), f.nonfinite, *_bars(f.histogram)]


def _value(f: Figures) -> list[Any]:
    return [*map(_short, (f.mean, f.std, f.min, f.max, f.zeros)), f.nonfinite, *_bars(f.histogram)]


def _short(value: float | None) -> float | None:
    """Three significant digits are all that is shown."""
    return None if value is None else float(f"{value:.3g}")


def _bars(histogram: Histogram | None) -> list[Any]:
    """Ends of a histogram and its bars' heights, 0 to 63, as letters; a bar that is not empty is seen."""
    if histogram is None:
        return []
    most = max(histogram.counts)
    return [
        _short(histogram.low),
        _short(histogram.high),
        "".join(DIGITS[-(-63 * count // most)] for count in histogram.counts),
    ]
