"""Histograms in a line of blocks."""

from __future__ import annotations

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
