"""Tables of facts: weights and gradients over time, layers, configuration, environment."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

from lenetcli.display.markup import Child, Markup, element
from lenetcli.inspect.run_report import RunReport
from lenetcli.report.run_page.parts import count, heat, missing, note, table
from lenetcli.report.tables import figure

MOST_KEYS = 100
MOST_TEXT = 2000  # characters of a value


def flow(report: RunReport) -> Child:
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


def model(report: RunReport) -> Child:
    """The layers with the shapes of their outputs and their parameters."""
    rows = [[line.layer, line.kind, _shape(line.output), f"{line.parameters:,}"] for line in report.layers]
    heads = ["layer", "type", "output", "parameters"]
    caption = f"{count(len(rows), 'layer')}, {count(report.parameters, 'parameter')}, input {_shape(report.input)}"
    return table(caption, heads, rows, class_="numbers model")


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def config(report: RunReport) -> Child:
    """The configuration with every default written out."""
    return [
        note("Fully resolved: training from it repeats the run."),
        element("pre", element("code", report.config), tabindex=0, role="region", aria_label="Configuration as YAML"),
    ]


def environment(report: RunReport) -> Child:
    """Where the run was made."""
    found = report.environment
    if found is None:
        return missing(report.problems.get("environment", "environment.json is missing."))
    rows = [[key.replace("_", " "), _value(value)] for key, value in list(found.items())[:MOST_KEYS]]
    return table("What the run was made with", ["what", "value"], rows, class_="facts")


def _value(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = " ".join(value)
    elif isinstance(value, dict):
        text = ", ".join(f"{key}={inner}" for key, inner in value.items()) or "none set"
    else:
        text = value if isinstance(value, str) else "unknown" if value is None else json.dumps(value)
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + " ..."
