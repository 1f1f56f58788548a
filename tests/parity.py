"""The parity report: `python -m tests.parity [--write]` runs torch's databases and prints (or writes) docs/parity.md.

Needs torch 2.13.0 and expecttest, which torch's own tests use.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.torch_databases import modules, operators, optimizers, second_derivatives
from tests.torch_databases.outcome import TOLERANCE, Row

SECOND = "Second derivatives"
PAGE = Path(__file__).parent.parent / "docs" / "parity.md"


def table(rows: list[Row], seconds: dict[str, Row]) -> Iterable[str]:
    """Lines of one table, worst differences in float32; how many second derivatives are equal, where there are any."""
    last = (" gradgrad |", "---:|") if seconds else ("", "")
    yield "| name | cases | equal | refused | worst value | worst gradient |" + last[0]
    yield "|---|---:|---:|---:|---:|---:|" + last[1]
    for row in rows:
        counts = row.outcomes
        cells = [f"`{row.name}`", counts.total(), counts["equal"], counts["refused"] or "", row.forward, row.gradient]
        if seconds:
            found = seconds[row.name].outcomes if row.name in seconds else Counter()
            cells.append(f"{found['equal']} of {found.total()}" if found else "")
        yield "| " + " | ".join(f"{c:.1e}" if isinstance(c, float) else str(c) for c in cells) + " |"


def page(parts: dict[str, list[Row]]) -> str:
    """The whole report."""
    import torch

    lines = [
        "# Parity with torch",
        "",
        f"torch {torch.__version__.partition('+')[0]}'s own test databases: every sample of every name that is here,",
        f"in float32 (tolerance {TOLERANCE['float32']:g}) and float64 ({TOLERANCE['float64']:g}; gradients ten times",
        "that), forward, backward and in place; second derivatives (gradgrad) in float64, up to 20 samples of an op. A",
        "difference is |ours - torch's| / (1 + |torch's|), the worst of all float32 samples. A greater one is equal",
        "where float32 numbers are at most twice as far from torch's float64 as torch's own. What is refused raises an",
        "error that names the argument. Written by `python -m tests.parity --write`.",
        "",
        "| | names | cases | equal | refused | wrong |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for title, rows in parts.items():
        total: Counter[str] = sum((row.outcomes for row in rows), Counter())
        cells = [len(rows), total.total(), total["equal"], total["refused"], total["wrong"]]
        lines.append(f"| {title} | " + " | ".join(f"{c:,}" for c in cells) + " |")
    for title, rows in parts.items():
        seconds = {row.name: row for row in parts[SECOND]} if title == "Operators" else {}
        if title != SECOND:
            lines += ["", f"## {title}", "", *table(sorted(rows, key=lambda row: row.name.lower()), seconds)]
    wrong = [
        f"- `{row.name}`: {note}" for rows in parts.values() for row in rows for note in row.notes if "wrong" in note
    ]
    if wrong:
        lines += ["", "## Wrong", "", *wrong]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found = page({
        "Operators": [row for row in operators.rows() if row.outcomes],
        "Layers and losses": list(modules.rows()),
        "Optimizers": list(optimizers.rows()),
        SECOND: [row for row in second_derivatives.rows() if row.outcomes],
    })  # fmt: skip
    if "--write" in sys.argv:
        PAGE.write_text(found, "utf-8")
    print(found[: found.index("## Operators")])
