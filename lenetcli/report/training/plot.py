"""Curves in the terminal: braille dots where the output can show them, plain characters elsewhere.

Each curve has letters that stand on it here and there, so that curves can be told apart without colour.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.training.curves import By, Curve, Metric, thinned
from lenetcli.report.axes import limits, short, ticks
from lenetcli.report.columns import Column, Columns
from lenetcli.report.training.curve import BLANK, DOTS

LETTERS = string.ascii_lowercase + string.ascii_uppercase
MANY = 12  # curves; of more, those of the training data are left out
STYLES = ("cyan", "yellow", "green", "magenta", "blue", "red")
WIDEST = 100  # characters; wider ones are no easier to read
HEIGHT = 16
MARKS = 5  # at most: places on a curve where its letters stand
TOGETHER = 90  # such places of all curves
UNITS: dict[By, str] = {"step": "step", "epoch": "epoch", "time": "seconds"}
NAMES: dict[Metric, str] = {"loss": "loss", "accuracy": "accuracy", "lr": "learning rate"}

Cell = tuple[str, int | None]  # a character, and the number of the curve it belongs to


def draw(found: Sequence[Curve], metric: Metric, by: By, console: Console) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom.

    Args:
        console: where it goes: its width and what it can show decide how it is drawn.
    """
    given, found = found, without_training(found)
    yield Text(f"{NAMES[metric]} over {UNITS[by] if by != 'time' else 'time'}", style="bold")
    yield Text("")
    place = Place(min(console.width, WIDEST), HEIGHT, is_plain(console.encoding))
    yield from framed(found, metric, by, place)
    yield Text("")
    yield legend(found, by, console.encoding)
    if len(found) < len(given):
        yield Text(f"\nthe curves of the training data of {len(given) - len(found)} runs are left out; -o FILE has all")


@dataclass(frozen=True)
class Place:
    """Where curves are drawn.

    Args:
        width: characters, those of the axis among them.
        height: lines of the curves.
        plain: no characters but ASCII's.
    """

    width: int
    height: int
    plain: bool


def is_plain(encoding: str) -> bool:
    """Whether a stream has no braille dots."""
    return not encoding.lower().replace("-", "").startswith("utf")


def framed(
    found: Sequence[Curve], metric: Metric, by: By, place: Place, numbers: Sequence[int] | None = None,
    unit: bool = True,
) -> Iterator[Text]:  # fmt: skip
    """Curves between their axes, top to bottom.

    Args:
        numbers: of each curve, which letters and colour it has; default: in the order that they come.
        unit: with a line that says what goes to the right.
    """
    xs, ys = _room(found, metric)
    numbers = range(len(found)) if numbers is None else numbers
    letters = labels(max(numbers) + 1 if len(found) > 1 else 1)
    names = [letters[number] if len(found) > 1 else "" for number in numbers]
    marks = {tick: short(tick) for tick in ticks(*ys, min(6, place.height))}
    margin = max(map(len, marks.values()))
    width, height = place.width - margin - 3, place.height
    grid = (_plain_grid if place.plain else _braille_grid)(found, xs, ys, (width, height), names)
    rows = {_row(tick, ys, height): text for tick, text in marks.items()}
    upright, notch, corner = ("|", "+", "+") if place.plain else ("│", "┤", "└")
    for i, line in enumerate(grid):
        text = Text(f"{rows.get(i, ''):>{margin}} {notch if i in rows else upright}")
        for owner, cells in itertools.groupby(line, key=lambda cell: cell[1]):
            style = None if owner is None else STYLES[numbers[owner] % len(STYLES)]
            text.append("".join(character for character, _ in cells), style)
        text.rstrip()
        yield text
    for below, beside in zip(_x_axis(xs, width, UNITS[by], place.plain), (corner, " ", " ") if unit else (corner, " ")):
        yield Text(" " * (margin + 1) + beside + below)


def without_training(found: Sequence[Curve]) -> Sequence[Curve]:
    """The curves; where they are many, those that judge only."""
    judging = [curve for curve in found if curve.split != "train"]
    return found if len(found) <= MANY or not judging else judging


def labels(count: int) -> list[str]:
    """Names for so many curves, none twice: letters, or pairs of them.

    Example:
        >>> labels(3), labels(60)[57:]
        (['a', 'b', 'c'], ['cf', 'cg', 'ch'])
    """
    if count <= 1:
        return [""] * count
    if count <= len(LETTERS):
        return list(LETTERS[:count])
    small = string.ascii_lowercase
    width = 2 if count <= len(small) ** 2 else 3
    return ["".join(letters) for letters in itertools.islice(itertools.product(small, repeat=width), count)]


def _room(found: Sequence[Curve], metric: Metric) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of both axes."""
    x = limits([(float(c.x[0]), float(c.x[-1])) for c in found])
    return x, limits([(float(c.y.min()), float(c.y.max())) for c in found], 0.0 if metric != "accuracy" else None)


def _place(value: float, room: tuple[float, float], count: int) -> int:
    """Which of `count` places in a row a value has."""
    low, high = room
    return min(count - 1, max(0, round((value / 2 - low / 2) / (high / 2 - low / 2) * (count - 1))))


def _row(value: float, room: tuple[float, float], count: int) -> int:
    """Which of `count` lines a value stands in, from the top."""
    return count - 1 - _place(value, room, count)


def _braille_grid(
    found: Sequence[Curve],
    xs: tuple[float, float],
    ys: tuple[float, float],
    size: tuple[int, int],
    names: Sequence[str],
) -> list[list[Cell]]:
    width, height = size
    dots = [[BLANK] * width for _ in range(height)]
    owners: list[list[int | None]] = [[None] * width for _ in range(height)]
    marks: dict[tuple[int, int], int] = {}
    for number, curve in enumerate(found):
        path = list(_path(curve, xs, ys, 2 * width, 4 * height))
        for column, row in path:
            dots[row // 4][column // 2] |= DOTS[column % 2][row % 4]
            owners[row // 4][column // 2] = number
        _mark(marks, path, number, names, width, (2, 4))
    grid: list[list[Cell]] = [[(" " if d == BLANK else chr(d), o) for d, o in zip(*rows)] for rows in zip(dots, owners)]
    _write(grid, marks, names)
    return grid


def _plain_grid(
    found: Sequence[Curve],
    xs: tuple[float, float],
    ys: tuple[float, float],
    size: tuple[int, int],
    names: Sequence[str],
) -> list[list[Cell]]:
    width, height = size
    grid: list[list[Cell]] = [[(" ", None)] * width for _ in range(height)]
    marks: dict[tuple[int, int], int] = {}
    for number, curve in enumerate(found):
        path = list(_path(curve, xs, ys, width, height))
        for column, row in path:
            grid[row][column] = (".:*'~^"[number % 6], number)
        _mark(marks, path, number, names, width, (1, 1))
    _write(grid, marks, names)
    return grid


def _path(
    curve: Curve, xs: tuple[float, float], ys: tuple[float, float], columns: int, rows: int
) -> Iterator[tuple[int, int]]:
    """The dots of a curve, point by point and straight between them."""
    curve = thinned(curve, 8 * columns)
    points = [(_place(x, xs, columns), _row(y, ys, rows)) for x, y in zip(curve.x.tolist(), curve.y.tolist())]
    yield points[0]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        steps = max(abs(to_x - x), abs(to_y - y))
        for i in range(1, steps + 1):
            yield round(x + (to_x - x) * i / steps), round(y + (to_y - y) * i / steps)


def _mark(
    marks: dict[tuple[int, int], int], path: Sequence[tuple[int, int]], number: int, names: Sequence[str], room: int,
    cell: tuple[int, int],
) -> None:  # fmt: skip
    """Chooses cells in which a curve's letters stand: evenly across its width, each curve's a bit further on.

    Where another curve's stand already, the nearest free place on the curve is taken.
    """
    curves, width = len(names), len(names[number])
    if curves == 1:
        return
    columns = {min(column // cell[0], room - width): row // cell[1] for column, row in path}
    first, last = min(columns), max(columns)
    count = max(1, min(MARKS, TOGETHER // curves))
    for i in range(count):
        wanted = first + (last - first) * (i + (number + 0.5) / curves) / count
        free = [c for c, row in columns.items() if not any((c + d, row) in marks for d in range(1 - width, width))]
        if free:
            column = min(free, key=lambda c: abs(c - wanted))
            marks[column, columns[column]] = number


def _write(grid: list[list[Cell]], marks: dict[tuple[int, int], int], names: Sequence[str]) -> None:
    """Puts the letters where they stand, over the curves."""
    for (column, row), number in marks.items():
        for i, letter in enumerate(names[number]):
            grid[row][column + i] = (letter, number)


def _x_axis(room: tuple[float, float], width: int, unit: str, plain: bool) -> Iterator[str]:
    """The line below the curves, its numbers, its unit."""
    found = [t for t in ticks(*room, max(2, width // 10)) if unit == "seconds" or t == math.floor(t)]
    rule = ["-" if plain else "─"] * width
    numbers = [" "] * width
    end = -1
    for tick in found:
        column, label = _place(tick, room, width), short(tick)
        start = max(0, min(width - len(label), column - len(label) // 2))
        if start > end:
            numbers[start : start + len(label)] = label
            rule[column] = "+" if plain else "┬"
            end = start + len(label)
    yield "".join(rule)
    yield "".join(numbers).rstrip() or " "
    yield unit.rjust((width + len(unit)) // 2)


def legend(found: Sequence[Curve], by: By, encoding: str) -> Columns:
    """What each letter stands for, with the curve's last, lowest and highest value."""

    def at(curve: Curve, i: int) -> str:
        where = f"{curve.x[i]:.3g} s" if by == "time" else f"{by} {curve.x[i]:.9g}"
        return f"{curve.y[i]:.4g} ({where})"

    runs = [plain_text(c.run).encode(encoding, "backslashreplace").decode(encoding) for c in found]
    spreads = [c.spread for c in found]
    plus = "±" if encoding.lower().startswith("utf") else "+-"
    columns = [
        Column("", labels(len(found))),
        Column("curve", [c.split for c in found]),
        Column("run", runs, fold=True),
        Column("last", [f"{c.y[-1]:.4g}" for c in found], right=True),
        Column(plus, ["" if s is None else f"{s[-1]:.2g}" for s in spreads], right=True),
        Column("lowest", [at(c, int(c.y.argmin())) for c in found], rank=1, right=True),
        Column("highest", [at(c, int(c.y.argmax())) for c in found], rank=2, right=True),
    ]
    return Columns([c for c in columns if any(c.cells)], [STYLES[i % len(STYLES)] for i in range(len(found))])
