"""A table that fits its place: columns come in order of importance as the width allows, long cells fold, none is cut.

It draws thousands of rows at once, which rich's own tables are slow at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

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
    """

    title: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = False
    fold: bool = False

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

    def left_out(self, place: int) -> list[str]:
        """Titles of the columns that a place of this width has no room for."""
        shown, _ = self._chosen(place)
        return [column.title for column in self.columns if column not in shown]

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


def plain_text(text: str) -> str:
    """Text that a terminal shows as it is: what would control it (escape sequences, line ends) is written out.

    Example:
        >>> plain_text("conv\\x1b[31m1")
        'conv\\\\x1b[31m1'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
