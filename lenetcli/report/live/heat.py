"""Figures of layers over the steps as rows of blocks, the newest at the right: the higher the block, the larger.

All rows share one logarithmic scale, so that layers can be compared; the height says it without colours, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.training.gradient_history import Course
from lenetcli.report.axes import short

BLOCKS = "▁▂▃▄▅▆▇█"
COLOURS = ("#5f6fd7", "#3f83d6", "#2aa0c0", "#22b08a", "#6cb544", "#c9b01f", "#e38a1c", "#e0523d")
NONE = "·"  # no figure: no gradient, or no finite number
NARROW = 14  # characters of a name


def rows(title: str, layers: Sequence[Course], key: str, width: int) -> Iterator[Text]:
    """The rows, under a line that says what they show and what the lowest and the highest block mean.

    Args:
        key: which figure of a layer.
    """
    names = [_fitted(plain_text(layer.name), min(NARROW, max(4, width // 4))) for layer in layers]
    margin = max(map(len, names), default=0) + 1
    dead = [_dead(layer) for layer in layers]
    room = max(1, width - margin - (max(map(len, dead)) if key == "norm" else 0))
    seen = [getattr(layer, key)[-room:] for layer in layers]
    known = [value for row in seen for value in row if value is not None and value > 0]
    low, high = (min(known), max(known)) if known else (1.0, 1.0)
    scale = f"{BLOCKS[0]} {short(_two(low))}  {BLOCKS[-1]} {short(_two(high))}" if known else "none yet"
    yield Text(f"{title}  ", style="bold").append(scale, style="not bold dim")
    for name, row, told in zip(names, seen, dead):
        line = Text(f"{name:<{margin}}")
        places = [None if v is None or not math.isfinite(v) else level(v, low, high) for v in row]
        for place, equal in groupby(places):
            block, style = (NONE, "dim") if place is None else (BLOCKS[place], COLOURS[place])
            line.append(block * len(list(equal)), style)
        if key == "norm" and told:
            line.append(told, style="yellow")
        yield line


def level(value: float, low: float, high: float) -> int:
    """Which of the blocks stands for a value, on a logarithmic scale.

    Example:
        >>> level(1e-3, 1e-3, 10.0), level(0.1, 1e-3, 10.0), level(10.0, 1e-3, 10.0), level(0.0, 1e-3, 10.0)
        (0, 4, 7, 0)
    """
    if value <= low or high <= low:
        return 0
    share = (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return min(len(BLOCKS) - 1, round(share * (len(BLOCKS) - 1)))


def _dead(layer: Course) -> str:
    """What is said of units without a gradient at the last look."""
    last = layer.dead[-1] if layer.dead else None
    return f" {last:.0f} dead" if last else ""


def _two(value: float) -> float:
    return float(f"{value:.2g}")


def _fitted(name: str, most: int) -> str:
    """A name's end is what tells layers apart."""
    return name if len(name) <= most else "…" + name[1 - most :]
