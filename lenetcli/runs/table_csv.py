"""Runs, or groups of them, as comma-separated values: one line each, every key they differ in, all figures in full."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lenetcli.errors import plain_text
from lenetcli.runs.groups import FIGURES, Group
from lenetcli.runs.table import COLUMNS, RunRow


def runs_csv(rows: Sequence[RunRow], differing: Mapping[str, Sequence[Any]]) -> str:
    """A run a line, after a line of headings."""
    lines = [
        [row.value(key) for key in COLUMNS]
        + ["" if row.best is None else row.best.split]
        + [values[i] for values in differing.values()]
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return _text([*COLUMNS, "split", *differing], lines)


def groups_csv(groups: Sequence[Group]) -> str:
    """A group a line: how many runs, and of each figure the mean, the spread, the lowest and the highest."""
    keys = list(dict.fromkeys(key for group in groups for key in group.config))
    heads = [*keys, "runs", *(f"{figure}_{part}" for figure in FIGURES for part in ("mean", "std", "min", "max"))]
    lines = []
    for group in groups:
        line: list[Any] = [*(group.config.get(key) for key in keys), len(group.rows)]
        for figure in FIGURES:
            found = group.spread(figure)
            line += [None] * 4 if found is None else [found.mean, found.std, found.min, found.max]
        lines.append(line)
    return _text(heads, lines)


def _text(heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(plain_text, heads))
    writer.writerows([_cell(value) for value in line] for line in lines)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_text(value)  # somebody else's run may be called by what moves a terminal's cursor
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else json.dumps(value)
