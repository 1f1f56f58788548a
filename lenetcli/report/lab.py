"""The mistake lab: the list of lessons, and a lesson with its code, table and explanation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.inspection.lab import Finding, Lesson
from lenetcli.inspection.lab.lesson import Cell, body
from lenetcli.report.columns import Column, Columns

BULLET = "  • "


def listing(lessons: Iterable[Lesson]) -> Iterator[RenderableType]:
    """Every lesson in a line or two."""
    found = list(lessons)
    yield Columns([
        Column("lesson", [lesson.name for lesson in found]),
        Column("mistake", [lesson.mistake for lesson in found], fold=True),
    ])  # fmt: skip
    yield Text("\nrun one with: lenet lab NAME [CONFIG]", style="dim")


def draw(lesson: Lesson, finding: Finding, width: int) -> Iterator[RenderableType]:
    """A lesson, top to bottom."""
    yield Text(textwrap.fill(f"{lesson.name}: {lesson.mistake}", width), style="bold")
    for title, function, style in (("wrong", lesson.wrong, "red"), ("right", lesson.right, "green")):
        yield Text(f"\n{title}", style=f"bold {style}")
        yield Text(textwrap.indent(body(function), "  "))
    yield Text("\nboth, for real", style="bold")
    yield _table(finding)
    yield Text("\nwhat gives it away", style="bold")
    for sign in finding.signs:
        yield Text(textwrap.fill(sign, width, initial_indent=BULLET, subsequent_indent=" " * len(BULLET)))
    yield Text("\nwhy", style="bold")
    yield Text(textwrap.fill(lesson.why, width, initial_indent="  ", subsequent_indent="  "))
    yield Text("\nwhat to do", style="bold")
    yield Text(textwrap.fill(lesson.remedy, width, initial_indent="  ", subsequent_indent="  "))


def _table(finding: Finding) -> Columns:
    columns = []
    for i, title in enumerate(finding.columns):
        cells = [row[i] for row in finding.rows]
        numbers = any(isinstance(cell, (int, float)) for cell in cells)
        columns.append(Column(title, [written(cell) for cell in cells], right=numbers, fold=not numbers))
    return Columns(columns)


def written(cell: Cell) -> str:
    """A cell as text: whole numbers whole, others in four digits."""
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4g}" if isinstance(cell, float) else cell
