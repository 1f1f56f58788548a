"""Which class was taken for which, in as few characters as it takes: it is drawn again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.train.answers import class_names
from lenetcli.train.confusion import Confusion

PAIRS = 8  # of classes that are confused, where the matrix has no room


def rows(counts: Sequence[Sequence[int]], classes: Sequence[str], width: int) -> Iterator[Text]:
    """True classes down, predicted ones across, by their names or numbers; where that has no room, the worst pairs.

    Args:
        classes: their names, as far as they are known.

    Example:
        >>> [row.plain for row in rows([[3, 1], [0, 2]], ["cat", "dog"], 40)]
        ['     cat  dog', 'cat    3    1', 'dog    ·    2']
        >>> [row.plain for row in rows([[3, 1], [0, 2]], ["cat", "dog"], 6)]
        ['cat as dog: 1 of 4']
    """
    names = [plain_text(name) for name in class_names(classes, len(counts))]
    digits = [max(len(str(row[i])) for row in counts) for i in range(len(counts))]
    margin = max(map(cell_len, names))
    for heads, gap in ((names, 2), (names, 1), ([str(i) for i in range(len(counts))], 1)):
        widths = [gap + max(cell_len(head), count) for head, count in zip(heads, digits)]
        if margin + sum(widths) <= width:
            yield Text(" " * margin + "".join(_right(head, w) for head, w in zip(heads, widths)), style="bold")
            for i, (name, row) in enumerate(zip(names, counts)):
                yield _row(name + " " * (margin - cell_len(name)), row, i, widths)
            return
    found = Confusion.of(counts)
    actual = found.actual.tolist()
    for true, predicted, count in found.mistaken[:PAIRS]:
        yield Text(f"{names[true]} as {names[predicted]}: {count:,} of {actual[true]:,}")


def _row(name: str, row: Sequence[int], right: int, widths: Sequence[int]) -> Text:
    line = Text(name)
    for style, cells in groupby(range(len(row)), lambda j: "bold" if j == right else "red" if row[j] else "dim"):
        line.append("".join(_right(str(row[j]) if row[j] or j == right else "·", widths[j]) for j in cells), style)
    return line


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text
