"""A curve in the terminal, drawn with braille characters: 2 x 4 dots in each."""

from __future__ import annotations

import math
from collections.abc import Sequence

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, then row of the dot: Unicode's braille block
BLANK = 0x2800


def curve(
    xs: Sequence[float], ys: Sequence[float], width: int = 64, height: int = 12, log_x: bool = False
) -> list[str]:
    """Lines of text that show y over x, with the limits of both axes written on them.

    Args:
        xs: rising, finite; above 0 with `log_x`.
        ys: as many, finite.
        width: characters of the curve.
        height: lines of the curve.

    Example:
        >>> print("\\n".join(curve([0, 1, 2, 3], [0, 1, 2, 3], width=4, height=2)))
        3 │⠀⠀⡠⠊
        0 │⡠⠊⠀⠀
           0  3
    """
    places = [math.log(x) for x in xs] if log_x else list(xs)
    low, high = min(ys), max(ys)
    columns, rows = 2 * width - 1, 4 * height - 1
    points = [
        (
            round((x - places[0]) / ((places[-1] - places[0]) or 1) * columns),
            round((high - y) / ((high - low) or 1) * rows),
        )
        for x, y in zip(places, ys)
    ]
    cells = [[BLANK] * width for _ in range(height)]
    for here, there in zip(points, points[1:] or points):
        for column, row in _line(here, there):
            cells[row // 4][column // 2] |= DOTS[column % 2][row % 4]
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, labels))
    lines = [f"{label:>{margin}} │{''.join(map(chr, row))}" for label, row in zip(labels, cells)]
    first, last = f"{xs[0]:.4g}", f"{xs[-1]:.4g}"
    return [*lines, " " * (margin + 2) + first + last.rjust(width - len(first))]


def _line(here: tuple[int, int], there: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots from one to the other."""
    (x, y), (to_x, to_y) = here, there
    steps = max(abs(to_x - x), abs(to_y - y), 1)
    return [(round(x + (to_x - x) * i / steps), round(y + (to_y - y) * i / steps)) for i in range(steps + 1)]
