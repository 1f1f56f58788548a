"""Histograms and courses in a line of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

HEIGHTS = " ▁▂▃▄▅▆▇█"


def blocks(counts: Sequence[int]) -> str:
    """A character for each bin, the fullest one highest; a bin that is not empty is never shown as empty.

    Example:
        >>> blocks([0, 1, 50, 100])
        ' ▁▄█'
    """
    most = max(counts, default=0) or 1
    return "".join(HEIGHTS[0 if count == 0 else max(1, round(count / most * 8))] for count in counts)


def heights(rows: Sequence[Sequence[float | None]]) -> list[str]:
    """Rows of numbers by their logarithms, the same height for the same number in all; a blank where there is none.

    Example:
        >>> heights([[1.0, 10.0, 100.0], [None, 0.0, 10.0]])
        ['▁▅█', '  ▅']
    """
    logs = [[math.log10(v) if v is not None and 0 < v < math.inf else None for v in row] for row in rows]
    known = [value for row in logs for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = (high - low) or 1.0
    return ["".join(" " if v is None else HEIGHTS[1 + round((v - low) / span * 7)] for v in row) for row in logs]
