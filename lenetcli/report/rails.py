"""Rails beside the rows of a table, along which values go: branches leave a rail, and join it again.

│      input
•      conv1
├─•    left
│ •    relu
•─╯    sum
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NODE, RAIL = "•", "│"
ENTERS = -1  # the number of what comes from above the first row

Inputs = Sequence[Sequence[int] | None]  # of each row, the rows that it takes values of; None: it takes no part


@dataclass
class Line:
    """One row of the rails.

    Args:
        rail: the number of the one that the row's value goes along; None: it takes no part.
        sources: rails of what it takes.
        before, after: rails that are in use above and below the row.
    """

    rail: int | None
    sources: list[int]
    before: set[int] = field(default_factory=set)
    after: set[int] = field(default_factory=set)

    @property
    def last(self) -> int:
        """The last rail that it draws on."""
        return max([self.rail or 0, *self.sources, *self.before, *self.after], default=0)


def lines(inputs: Inputs) -> list[Line]:
    """The rails: each value goes along one from the row that gives it to the last one that takes it."""
    last = {source: i for i, taken in enumerate(inputs) for source in taken or ()}
    rails: dict[int, int] = {ENTERS: 0} if ENTERS in last else {}  # of each value that is still wanted
    found = []
    for i, taken in enumerate(inputs):
        before = set(rails.values())
        if taken is None:
            found.append(Line(None, [], before, before))
            continue
        sources = [rails[source] for source in taken]
        for source in set(taken):
            if last[source] == i:
                del rails[source]
        busy = set(rails.values())
        ended = [rail for rail in sources if rail not in busy]
        rail = min(ended) if ended else next(n for n in range(len(busy) + 1) if n not in busy)
        if i in last:
            rails[i] = rail
        found.append(Line(rail, sources, before, set(rails.values())))
    return found


def heads(rows: Sequence[Line]) -> list[str]:
    """The rows as signs, two for each rail."""
    width = 1 + max((line.last for line in rows), default=0)
    return [drawn(line, width) for line in rows]


def drawn(line: Line, width: int) -> str:
    """One row as signs.

    Example:
        >>> [drawn(line, 2) for line in (Line(1, [0], {0}, {0, 1}), Line(0, [0, 1], {0, 1}, {0}))]
        ['├─• ', '•─╯ ']
    """
    if line.rail is None:
        return "".join((RAIL if rail in line.before else " ") + " " for rail in range(width))
    low, high = min([line.rail, *line.sources]), max([line.rail, *line.sources])
    signs = []
    for rail in range(width):
        runs_on, within = rail in line.before and rail in line.after and rail != line.rail, low <= rail <= high
        if rail == line.rail:
            sign = NODE
        elif rail in line.sources:
            right = rail < line.rail
            sign = ("├" if right else "┤") if runs_on else ("╰" if right else "╯")
            if low < rail < high and not runs_on:
                sign = "┴"
        elif runs_on:
            sign = "┼" if within else RAIL
        else:
            sign = "─" if within else " "
        signs.append(sign + ("─" if low <= rail < high else " "))
    return "".join(signs)
