"""The check of a model's gradients as a table."""

from __future__ import annotations

from collections.abc import Sequence

from lenetcli.errors import plain_text
from lenetcli.inspection.model.gradient_check import ParameterCheck
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import sizes


def check_table(found: Sequence[ParameterCheck]) -> Columns:
    """A row for each parameter: its derivative along the direction where backward and differences agree least."""
    worst = [p.worst for p in found]
    verdicts = ["WRONG" if not c.ok else "ok, kink" if c.kink else "ok" for c in worst]
    columns = [
        Column("parameter", [plain_text(p.name) for p in found], fold=True),
        Column("shape", [sizes(p.shape) for p in found], rank=2),
        Column("differences", [f"{c.numeric:.6g}" for c in worst], rank=1, right=True),
        Column("backward", [f"{c.analytic:.6g}" for c in worst], rank=1, right=True),
        Column("error", [f"{c.error:.1e}" for c in worst], right=True),
        Column("verdict", verdicts),
    ]
    return Columns(columns, [None if c.ok else "bold red" for c in worst])
