"""A table that fits its place: columns come in order of importance as the width allows, long cells fold, none is cut.

What has no room is named below the table, with the width that would have it.

It draws thousands of rows at once, which rich's own tables are slow at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from lenetcli.display.characters import shown

LEAST = 3  # characters of a column
BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass
class Column:
    """A column.

    Args:
        cells: one for each row.
        rank: 0 is always shown; the higher, the wider the place must be.
        right: aligned to the right, as numbers are.
        fold: a cell may go on in the next line, where even the columns of rank 0 are too wide. Where that is not
            enough, every cell may.
        name: what it is called where it is left out, if not by its title.
    """

    title: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = False
    fold: bool = False
    name: str = ""

    @property
    def width(self) -> int:
        """The width that shows every cell in one line."""
        return max(map(cell_len, (self.title, *self.cells)))


@dataclass
class Columns:
    """The table, for `Console.print`.

    Args:
        styles: of each row.
        hidden: rows in the middle that are only counted.
    """

    columns: list[Column]
    styles: Sequence[str | None] = field(default_factory=list)
    hidden: range = range(0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._in(console.encoding)._segments(options)

    def _in(self, encoding: str) -> Columns:
        """The table in characters that a stream can show."""
        columns = [
            replace(c, title=shown(c.title, encoding), cells=[shown(cell, encoding) for cell in c.cells])
            for c in self.columns
        ]
        return replace(self, columns=columns)

    def _segments(self, options: ConsoleOptions) -> RenderResult:
        shown, gap = self._chosen(options.max_width)
        widths = _folded(shown, options.max_width - gap * (len(shown) - 1))
        rule = ("-" if options.ascii_only else "─") * (sum(widths) + gap * (len(shown) - 1))
        for line in _lines([c.title for c in shown], shown, widths, gap):
            yield Segment(line + "\n", Style.parse("bold"))
        yield Segment(rule + "\n")
        looks = {style: Style.parse(style) for style in self.styles if style}
        for i in range(len(shown[0].cells)):
            if i in self.hidden:
                if i == self.hidden.start:
                    yield Segment(f"({len(self.hidden):,} more rows)\n", Style.parse("dim"))
                continue
            style = looks.get((self.styles[i] if self.styles else None) or "")
            for line in _lines([c.cells[i] for c in shown], shown, widths, gap):
                yield Segment(line, style)
                yield Segment.line()
        for line in no_room(self.left_out(options.max_width), self.whole, options.max_width):
            yield Segment(line + "\n", Style.parse("dim"))

    def left_out(self, place: int) -> list[str]:
        """Names of the columns that a place of this width has no room for; one without a title only goes on another."""
        shown, _ = self._chosen(place)
        left = [column.name or column.title for column in self.columns if not any(column is c for c in shown)]
        return [name for name in left if name]

    @property
    def whole(self) -> int:
        """The width that has room for all."""
        return sum(c.width for c in self.columns) + 2 * (len(self.columns) - 1)

    def _chosen(self, place: int) -> tuple[list[Column], int]:
        """The columns that fit, and the space between them."""
        chosen = {i for i, c in enumerate(self.columns) if c.rank == 0}
        widths = {i: c.width for i, c in enumerate(self.columns)}
        total = sum(widths[i] for i in chosen)
        gap = 2 if total + 2 * (len(chosen) - 1) <= place else 1
        for i in sorted(widths, key=lambda i: self.columns[i].rank):
            if i not in chosen and total + widths[i] + gap * len(chosen) <= place:
                chosen.add(i)
                total += widths[i]
        return [self.columns[i] for i in sorted(chosen)], gap


def no_room(names: Sequence[str], wanted: int, place: int) -> Iterator[str]:
    """Says which columns were left out, in lines that fit the place.

    Args:
        wanted: the width that has room for all.

    Example:
        >>> list(no_room(["dtype", "min"], 93, 80))
        ['(no room for dtype, min; COLUMNS=93 makes room)']
    """
    if names:
        yield from _parts(f"(no room for {', '.join(names)}; COLUMNS={wanted} makes room)", place)


def _folded(columns: list[Column], place: int) -> list[int]:
    """The columns' widths; where they are too wide titles give way, then cells that fold, then any, widest first."""
    widths = [c.width for c in columns]
    words = [max(map(cell_len, c.title.split(" "))) for c in columns]
    cells = [max(map(cell_len, c.cells), default=0) for c in columns]
    folded = [max(6, word) if c.fold else w for c, word, w in zip(columns, words, widths)]
    for least in (list(map(max, words, cells)), folded, [LEAST] * len(columns)):
        while sum(widths) > place and (wide := [i for i, width in enumerate(widths) if width > least[i]]):
            widths[max(wide, key=lambda i: widths[i])] -= 1
    return widths


def _lines(cells: list[str], columns: list[Column], widths: list[int], gap: int) -> Iterable[str]:
    if all(cell_len(cell) <= width for cell, width in zip(cells, widths)):
        yield _line(cells, columns, widths, gap)
        return
    parts = [_parts(cell, width) for cell, width in zip(cells, widths)]
    for i in range(max(map(len, parts))):
        yield _line([part[i] if i < len(part) else "" for part in parts], columns, widths, gap)


def _parts(cell: str, width: int) -> list[str]:
    """A cell in lines of at most `width`, broken at spaces where there are some."""
    if cell_len(cell) <= width:
        return [cell]
    lines = [""]
    for word in cell.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += chop_cells(word, width)
    return lines if lines[0] else lines[1:]


def _line(cells: list[str], columns: list[Column], widths: list[int], gap: int) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths):
        room = " " * (width - cell_len(cell))
        padded.append(room + cell if column.right else cell + room)
    return (" " * gap).join(padded).rstrip()


def bar(share: float, width: int) -> str:
    """A bar that fills `share` of a width.

    Example:
        >>> bar(0.5, 4)
        '██'
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return BLOCKS[8] * (eighths // 8) + BLOCKS[eighths % 8].strip()
