"""How weights and gradients flowed in the course of a run: pictures over its steps, numbers at its checkpoints."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from lenetcli.display.markup import Child, Markup, element
from lenetcli.inspection.training.gradient_history import gradient_course, spread
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.tables import figure
from lenetcli.report.training.run_page.heatmap import ROWS, Values, heatmap
from lenetcli.report.training.run_page.parts import count, heat, missing, note, table

LOOKS = 8  # columns of the table of gradients


def flow(report: RunReport) -> Child:
    """What was written down while the run trained, as pictures; then what its checkpoints tell, in numbers."""
    return [_trained(report), _checkpoints(report)]


def _trained(report: RunReport) -> Child:
    """Norms of gradients and sizes of updates over the steps, parameter by parameter."""
    course = None if report.history is None else gradient_course(report.history.gradients)
    if course is None:
        return missing("The run has written down no gradients while it trained (train.log_gradients).")
    names = [p.name for p in course.parameters]
    charts = [
        _chart("Gradient norm", names, course.steps, [p.norm for p in course.parameters]),
        _chart("Update |w′ − w| / |w|", names, course.steps, [p.update for p in course.parameters]),
    ]
    shown = spread(len(course.steps), LOOKS)
    rows = [[p.name, *(figure(p.norm[i]) for i in shown)] for p in course.parameters]
    heads = ["parameter", *(f"step {course.steps[i]:,}" for i in shown)]
    caption = "Gradient norms in numbers"
    numbers = element("details", element("summary", caption), table(caption, heads, rows, class_="numbers"))
    told = (
        "As training saw them, on each step's own samples and before gradients were limited; stronger is larger, by "
        "orders of magnitude. A gradient that fades from the last rows to the first vanishes; one that grows explodes. "
        "Updates of 0.001 to 0.01 a step are healthy."
    )
    if len(names) > ROWS:
        told += f" {ROWS} of {count(len(names), 'parameter')} are drawn."
    return [note(told), element("div", charts, class_="charts"), numbers]


def _chart(title: str, names: Sequence[str], steps: Sequence[int], values: Values) -> Markup:
    known = [v for row in values for v in row if v is not None]
    ends = f", {figure(min(known))} to {figure(max(known))}" if known else ""
    label = f"{title} of {count(len(names), 'parameter')} at {count(len(steps), 'step')}{ends}"
    picture = heatmap(label, "step", names, steps, values)
    return element("figure", element("figcaption", title), picture, class_="card")


def _checkpoints(report: RunReport) -> Child:
    """How far weights moved between checkpoints and how large gradients are at each, layer by layer."""
    found = report.flow
    if found is None:
        return missing(report.problems.get("flow", "The run has no checkpoint to look at."))
    steps, layers = found.steps, found.layers
    tables: list[Child] = []
    if len(steps) > 1:
        stretches = [f"{a:,} to {b:,}" for a, b in itertools.pairwise(steps)]
        changes = [f.changes for f in layers]
        tables.append(_heat_table("Weight change |w′ − w| / |w| between steps", stretches, layers, changes))
    if found.has_gradients:
        heads = [f"step {step:,}" for step in steps]
        gradients = [f.gradients for f in layers]
        tables.append(_heat_table("Gradient norm on the same training batch", heads, layers, gradients))
    notes: list[Child] = [missing(f"Left out: {reason}") for reason in found.skipped]
    if found.has_gradients:
        notes.append(
            note("A gradient that shrinks from layer to layer towards the input vanishes; one that grows explodes.")
        )
    elif "gradients" in report.problems:
        notes.append(missing(f"No gradients: {report.problems['gradients']}"))
    lead = note("At the initial weights (step 0) and at each checkpoint that the run has kept.")
    return [lead, element("div", tables, class_="beside"), *notes]


def _heat_table(
    caption: str, heads: Sequence[str], layers: Sequence[Any], values: Sequence[Sequence[float | None]]
) -> Markup:
    """Numbers on a ground whose strength is their logarithm."""
    finite = [math.log10(v) for row in values for v in row if v is not None and 0 < v < math.inf]
    low, high = min(finite, default=0.0), max(finite, default=0.0)

    def cell(value: float | None) -> Markup:
        if value is None:
            return element("td")
        if not 0 < value < math.inf:
            return heat(f"{value:.3g}", 0.0 if value == 0 else 1.0, "right" if value == 0 else "wrong")
        return heat(figure(value), (math.log10(value) - low) / (high - low) if high > low else 0.5)

    rows = [[layer.layer or "(model)", *map(cell, row)] for layer, row in zip(layers, values)]
    return table(caption, ["layer", *heads], rows, class_="numbers")
