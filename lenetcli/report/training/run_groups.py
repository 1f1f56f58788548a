"""Groups of runs as a table, or as JSON: the mean of each figure and its spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from lenetcli.inspection.record import strict
from lenetcli.report.columns import Column, Columns
from lenetcli.report.training.progress import duration
from lenetcli.report.training.runs import is_number, short_keys, shown
from lenetcli.runs.groups import FIGURES, Group

SHOWN = {"accuracy": "accuracy", "last_accuracy": "last acc", "test_accuracy": "test acc", "loss": "loss"}


def record(groups: Sequence[Group]) -> dict[str, Any]:
    """The table as `--json` shows it."""
    found = []
    for group in groups:
        spreads = {figure: group.spread(figure) for figure in FIGURES}
        found.append(
            {
                "config": group.config,
                "runs": [row.run for row in group.rows],
                "status": group.status,
                **{figure: None if spread is None else asdict(spread) for figure, spread in spreads.items()},
            }
        )
    plain: dict[str, Any] = strict({"groups": found})
    return plain


def draw(groups: Sequence[Group], console: Console) -> Iterator[RenderableType]:
    """A group a line."""
    if not groups:
        yield Text("no runs")
        return
    keys = list(dict.fromkeys(key for group in groups for key in group.config))
    titles = short_keys(keys)
    values = {key: [group.config.get(key) for group in groups] for key in keys}
    plus = "±" if console.encoding.lower().startswith("utf") else "+-"
    figures = [
        Column(title, [spread_of(group, figure, plus) for group in groups], rank=0 if i == 0 else 1, right=True)
        for i, (figure, title) in enumerate(SHOWN.items())
    ]
    seconds = [group.spread("seconds") for group in groups]
    table = Columns([
        *(Column(titles[key], [shown(v) for v in values[key]], right=all(map(is_number, values[key])), fold=True)
          for key in keys),
        Column("runs", [f"{len(group.rows):,}" for group in groups], right=True),
        Column("status", [_status(group) for group in groups], rank=2, fold=True),
        *figures,
        Column("time", ["" if s is None else duration(s.mean) for s in seconds], rank=2, right=True),
    ])  # fmt: skip
    table.columns = [column for column in table.columns if any(column.cells)]
    yield table
    runs = sum(len(group.rows) for group in groups)
    many = f"{len(groups):,} group{'' if len(groups) == 1 else 's'} of {runs:,} run{'' if runs == 1 else 's'}"
    yield Text(f"\n{many}: mean {plus} standard deviation")


def spread_of(group: Group, figure: str, plus: str = "±") -> str:
    """Mean and standard deviation of a figure; the mean alone of one run."""
    found = group.spread(figure)
    if found is None:
        return ""
    return f"{found.mean:.4f}" if found.std is None else f"{found.mean:.4f} {plus} {found.std:.4f}"


def _status(group: Group) -> str:
    found = group.status
    return next(iter(found)) if len(found) == 1 else ", ".join(f"{count} {name}" for name, count in found.items())
