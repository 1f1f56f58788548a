"""Tables of facts: layers, configuration, environment."""

from __future__ import annotations

import json
from typing import Any

from lenetcli.display.markup import Child, element
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.training.run_page.parts import across, count, missing, note, table

MOST_KEYS = 100
MOST_TEXT = 2000  # characters of a value


def model(report: RunReport) -> Child:
    """The layers with the shapes of their outputs and their parameters."""
    rows = [[line.layer, line.kind, across(line.output), f"{line.parameters:,}"] for line in report.layers]
    heads = ["layer", "type", "output", "parameters"]
    caption = f"{count(len(rows), 'layer')}, {count(report.parameters, 'parameter')}, input {across(report.input)}"
    return table(caption, heads, rows, class_="numbers model")


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
