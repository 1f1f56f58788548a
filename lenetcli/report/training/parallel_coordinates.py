"""Runs as parallel coordinates, a PNG or SVG file drawn by matplotlib.

There is an upright line for each key and one for how well a run did, and a way through all of them for each run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.errors import ConfigError
from lenetcli.report.axes import limits, short, ticks
from lenetcli.report.training.plot_file import write_picture
from lenetcli.report.training.runs import Differences, short_keys, shown
from lenetcli.runs.table import RunRow, ordered

MOST_NAMES = 20  # of values on an axis without numbers
FEW = 4  # numbers that are all written beside their axis
LINE = 0.04  # height of a line of text, as a share of the axis
WIDE = 30.0  # the highest value divided by the lowest, from which an axis is logarithmic


@dataclass(frozen=True)
class Upright:
    """One of the lines.

    Args:
        places: of each run, from 0 (bottom) to 1; None where it has no value.
        marks: place and text of what is written beside the line.
    """

    title: str
    places: list[float | None]
    marks: list[tuple[float, str]]


def upright(title: str, values: Sequence[Any]) -> Upright:
    """The line for some values: numbers have a scale, anything else a place for each value.

    Example:
        >>> upright("type", ["SGD", "Adam", "SGD"]).places
        [1.0, 0.0, 1.0]
        >>> upright("lr", [0.001, 0.1, None, 0.01]).places
        [0.0, 1.0, None, 0.5]
    """
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)]
    if numbers and len(numbers) == sum(value is not None for value in values):
        return _scale(title, values, numbers)
    names = sorted({shown(value) for value in values})
    step = 1 / max(len(names) - 1, 1)
    places: list[float | None] = [names.index(shown(value)) * step for value in values]
    every = -(-len(names) // MOST_NAMES)
    return Upright(title, places, [(i * step, name) for i, name in enumerate(names)][::every])


def _scale(title: str, values: Sequence[float | None], numbers: Sequence[float]) -> Upright:
    """The line of numbers, logarithmic where they are far apart; few of them are written, of many round ones."""
    log = min(numbers) > 0 and max(numbers) / min(numbers) >= WIDE

    def on_scale(number: float) -> float:
        return math.log10(number) if log else number

    low, high = limits([(on_scale(n), on_scale(n)) for n in numbers])
    places = [None if v is None else (on_scale(v) - low) / (high - low) for v in values]
    few = sorted(set(numbers))
    if len(few) <= FEW:
        written = [on_scale(n) for n in few]
    else:
        written = _powers(low, high) if log else ticks(low, high, 6)
    marks = [((w - low) / (high - low), short(float(f"{10**w:.6g}") if log else w)) for w in written]
    return Upright(title, places, _apart(marks))


def _apart(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The marks, from below, without those that would be written over the one above.

    Example:
        >>> _apart([(0.0, "0.3"), (0.99, "0.94"), (1.0, "0.95")])
        [(0.0, '0.3'), (1.0, '0.95')]
    """
    kept: list[tuple[float, str]] = []
    for place, text in reversed(marks):
        if not kept or kept[0][0] - place >= LINE:
            kept.insert(0, (place, text))
    return kept


def _powers(low: float, high: float) -> list[float]:
    """Logarithms of round numbers between two limits: powers of ten, with 3 times those where they are few."""
    whole = [float(e) for e in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    if len(whole) >= 3:
        return whole[:: -(-len(whole) // 8)]
    between = [n + math.log10(3) for n in range(math.floor(low), math.ceil(high))]
    return sorted(whole + [e for e in between if low <= e <= high])


def write(path: Path, rows: Sequence[RunRow], differing: Differences, metric: str) -> None:
    """Writes the picture. The better a run, the brighter and nearer it is.

    Args:
        differing: the keys, with the value of each run.
        metric: "accuracy" or "loss".

    Raises:
        ConfigError: matplotlib is not installed, or no run has that figure.
        LenetError: the file cannot be written.
    """
    figures = [row.value(metric) for row in rows]
    if not any(figure is not None for figure in figures):
        raise ConfigError(f"{path}: no run has a {metric} to draw")
    titles = short_keys(list(differing))
    lines = [upright(titles[key], values) for key, values in differing.items()]
    lines.append(upright(metric, figures))
    best_last = ordered(rows, metric)[::-1]
    order = [next(i for i, row in enumerate(rows) if row is wanted) for wanted in best_last]
    known = [i for i in order if figures[i] is not None]
    write_picture(path, max(6.0, 1.8 * len(lines)), lambda axes: _draw(axes, lines, known))


def _draw(axes: Any, lines: Sequence[Upright], order: Sequence[int]) -> None:
    """The runs in this order, the best one last."""
    from matplotlib import colormaps

    colors = colormaps["viridis"](np.linspace(0.85, 0.0, max(len(order), 2)))
    xs = np.arange(len(lines))
    for rank, run in enumerate(order):
        best = rank == len(order) - 1
        ys = [np.nan if line.places[run] is None else line.places[run] for line in lines]
        axes.plot(
            xs, ys, color="#d62728" if best else colors[rank], linewidth=2.4 if best else 1.1,
            alpha=1.0 if best else 0.7, marker="o", markersize=3.5, label="the best" if best else None,
        )  # fmt: skip
    for x, line in zip(xs, lines):
        axes.axvline(x, color="#444444", linewidth=0.9)
        for place, text in line.marks:
            axes.annotate(
                text, (x, place), (4, 0), textcoords="offset points", va="center", fontsize=8, parse_math=False,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
            )  # fmt: skip
    axes.set_xticks(xs, [line.title for line in lines], parse_math=False)
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(lines) - 0.55)
    axes.set_ylim(-0.05, 1.05)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.06), frameon=False, fontsize=8)
