"""What a lesson is: a mistake and its remedy as code that runs, and what running both shows."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenetcli.autograd.random import drawing_from
from lenetcli.inspection.record import strict

if TYPE_CHECKING:
    from lenetcli.inspection.lab.bench import Bench

Cell = str | int | float | None


@dataclass(frozen=True)
class Finding:
    """What the runs showed.

    Args:
        columns: headings; those of the wrong way begin with "wrong", those of the right way with "right".
        rows: a cell for each column.
        signs: what gives the mistake away, in sentences with these runs' numbers.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """A mistake.

    Args:
        name: as the command line has it.
        mistake: what is done wrong, in a line.
        wrong, right: functions that do it; their text is shown.
        ways: runs both.
        why: what happens, and why.
        remedy: what to do instead.
    """

    name: str
    mistake: str
    wrong: Callable[..., Any]
    right: Callable[..., Any]
    ways: Callable[[Bench], Finding]
    why: str
    remedy: str

    def compare(self, bench: Bench) -> Finding:
        """Runs both ways; they draw from the bench's random numbers, so that the program's stay where they are."""
        with drawing_from(bench.random):
            return self.ways(bench)

    def record(self, finding: Finding) -> dict[str, Any]:
        """As `lenet lab NAME --json` prints it."""
        found: dict[str, Any] = strict(
            {
                "name": self.name,
                "mistake": self.mistake,
                "wrong": body(self.wrong),
                "right": body(self.right),
                "columns": list(finding.columns),
                "rows": [list(row) for row in finding.rows],
                "signs": list(finding.signs),
                "why": self.why,
                "remedy": self.remedy,
            }
        )
        return found


def body(function: Callable[..., Any]) -> str:
    """The text of a function, without its first line and docstring."""
    lines = inspect.getsource(function).splitlines()
    start = next(i for i, line in enumerate(lines) if line.rstrip().endswith(":")) + 1
    if lines[start].lstrip().startswith('"""'):
        start += 1
    return textwrap.dedent("\n".join(lines[start:]))
