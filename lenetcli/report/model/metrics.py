"""Metrics with their intervals, and the best thresholds, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType

from lenetcli.errors import plain_text
from lenetcli.inspection.model.judgement import Metrics
from lenetcli.report.columns import Column, Columns

SHOWN = 20  # thresholds; --json has all


def draw_metrics(found: Metrics, thresholds: Sequence[dict[str, Any]]) -> Iterator[RenderableType]:
    """The tables, one below the other."""
    ends = [found.intervals.get(name) for name in found.values]
    yield ""
    yield Columns([
        Column("metric", [name.replace("_", " ") for name in found.values]),
        Column("value", [f"{value:.4f}" for value in found.values.values()], right=True),
        Column("95 % interval", ["" if e is None else f"{e[0]:.4f} to {e[1]:.4f}" for e in ends], right=True),
    ])  # fmt: skip
    if thresholds:
        some = thresholds[:SHOWN]
        yield ""
        yield Columns([
            Column("label", [plain_text(row["label"]) for row in some], fold=True),
            Column("yes from (probability)", [f"{row['threshold']:.4f}" for row in some], right=True),
            Column("F1 then", [f"{row['f1']:.4f}" for row in some], right=True),
        ])  # fmt: skip
