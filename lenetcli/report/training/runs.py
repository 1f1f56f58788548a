"""Runs as a table, or as JSON: what they differ in beside how they did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.record import strict
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import four
from lenetcli.report.training.progress import duration
from lenetcli.runs.table import RunRow

LONGEST = 40  # characters of a value
STYLES = {"running": "cyan", "diverged": "red", "killed": "yellow", "interrupted": "yellow", "pruned": "dim"}

CHOSEN_ON_TEST = "best epochs were chosen on the test split; train.validation holds data back for that"

Differences = Mapping[str, Sequence[Any]]


def record(rows: Sequence[RunRow], differing: Differences) -> dict[str, Any]:
    """The table as `--json` shows it."""
    found = []
    for i, row in enumerate(rows):
        line = {key: value for key, value in asdict(row).items() if key != "config"}
        found.append({**line, "config": {key: values[i] for key, values in differing.items()}})
    plain: dict[str, Any] = strict({"keys": list(differing), "runs": found})
    return plain


def draw(rows: Sequence[RunRow], differing: Differences) -> Iterator[RenderableType]:
    """A run a line; the keys that they differ in, as far as there is room."""
    if not rows:
        yield Text("no runs")
        return
    differing = {key: values for key, values in differing.items() if key != "train.epochs"}  # "epochs" tells it
    titles = short_keys(list(differing))
    splits = ["" if row.best is None else row.best.split for row in rows]
    validated = "validation" in splits
    unclassed = all(row.accuracy is None for row in rows)
    keys = [
        Column(titles[key], [shown(value) for value in values], 2 + i, right=all(map(is_number, values)), name=key)
        for i, (key, values) in enumerate(differing.items())
    ]
    table = Columns(
        [
            Column("run", [plain_text(row.run) for row in rows], fold=True),
            Column("status", [row.status for row in rows]),
            *keys,
            Column("accuracy", [four(row.accuracy) for row in rows], right=True),
            Column("last acc", [four(row.last_accuracy) for row in rows], rank=3, right=True),
            Column("loss", [four(row.loss) for row in rows], rank=1, right=True),
            Column("last loss", [four(row.last_loss) for row in rows] if unclassed else [], rank=1, right=True),
            Column("split", splits if validated else [], rank=1),
            Column("test acc", [four(row.test_accuracy) for row in rows] if validated else [], rank=1, right=True),
            Column("epochs", [f"{row.epoch}/{row.epochs}" for row in rows], rank=1, right=True),
            Column("time", [duration(row.seconds) for row in rows], rank=1, right=True),
        ],
        [STYLES.get(row.status) for row in rows],
    )
    table.columns = [column for column in table.columns if any(column.cells)]
    yield table
    if any(row.best is not None and row.best.split == "test" and row.epoch > 1 for row in rows):
        yield Text(f"\n{CHOSEN_ON_TEST}")
    yield Text(f"\n{len(rows):,} run{'' if len(rows) == 1 else 's'}")


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key with the shortest end of it that no other has.

    Example:
        >>> list(short_keys(["optimizer.lr", "layers[0].p", "layers[3].p", "loss.type"]).values())
        ['lr', 'layers[0].p', 'layers[3].p', 'loss.type']
    """
    found = {}
    for key in keys:
        parts = key.split(".")
        least = 2 if parts[-1] == "type" else 1
        ends = [".".join(parts[-count:]) for count in range(least, len(parts) + 1)]
        others = [other for other in keys if other != key]
        found[key] = next((e for e in ends if not any(o == e or o.endswith(f".{e}") for o in others)), key)
    return found


def shown(value: Any) -> str:
    """A value of a configuration in a cell."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    text = plain_text(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def is_number(value: Any) -> bool:
    """Whether a value is one, or absent: a column of such is aligned to the right."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
