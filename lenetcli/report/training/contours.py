"""Numbers over a plane as a picture: shades, contour lines with their values, and a path on it. As inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lenetcli.display.markup import Markup, element
from lenetcli.inspection.training.landscape import Surface
from lenetcli.report.axes import short, ticks
from lenetcli.report.tables import figure
from lenetcli.report.training.run_page.chart import coord

WIDTH, HEIGHT = 460.0, 400.0  # units of the drawing; about a pixel each
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 12.0, 44.0
LEVELS = 9  # contour lines
FLAT = 10  # times: losses that differ more are told by their logarithms
LEAST = 1e-12  # of a logarithm's loss

Array = npt.NDArray[np.float64]
Segment = tuple[float, float, float, float]

STYLE = """
.contour { fill: none; stroke: var(--ink); stroke-width: .8; opacity: .55; }
.chart .level { font-size: 10px; fill: var(--ink); stroke: var(--card); stroke-width: 2.5; paint-order: stroke; }
.way { fill: none; stroke: var(--train); stroke-width: 2; stroke-linejoin: round; }
.stop { fill: var(--card); stroke: var(--train); stroke-width: 1.8; }
.stop.last { fill: var(--train); }
.chart .told { fill: var(--ink); stroke: var(--card); stroke-width: 3; paint-order: stroke; }
"""


def contours(surface: Surface, steps: Sequence[int], label: str) -> Markup:
    """The picture of a plane.

    Args:
        steps: of the path's places.
        label: what it shows, for those who cannot see it.
    """
    losses = np.array(surface.losses, np.float64)
    heights = scaled(losses)
    finite = heights[np.isfinite(heights)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    levels = np.linspace(low, high, LEVELS + 2)[1:-1].tolist() if high > low else []
    across, upward = _Axis(surface.xs, LEFT, WIDTH - RIGHT), _Axis(surface.ys, HEIGHT - BOTTOM, TOP)
    logarithmic = is_logarithmic(losses)
    return element(
        "svg",
        element("title", label),
        list(_cells(losses, heights, low, high, across, upward)),
        list(_lines(heights, levels, logarithmic, across, upward, [(across(x), upward(y)) for x, y in surface.path])),
        list(_grid(surface, across, upward)),
        list(_path(surface.path, steps, across, upward)),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img", aria_label=label, class_="chart",
    )  # fmt: skip


class _Axis:
    """From places of the grid, evenly spaced, to units of the drawing; the grid's cells have their places inside."""

    def __init__(self, places: Sequence[float], begin: float, end: float) -> None:
        self.places = places
        self.step = (end - begin) / len(places)
        self.begin = begin

    def cell(self, i: float) -> float:
        """Where cell i begins; its middle is i + 0.5."""
        return self.begin + i * self.step

    def __call__(self, value: float) -> float:
        spacing = (self.places[-1] - self.places[0]) / (len(self.places) - 1)
        return self.cell((value - self.places[0]) / spacing + 0.5)


def is_logarithmic(losses: Array) -> bool:
    """Whether shades and lines go by logarithms: losses above 0 that differ by more than ten times."""
    finite = losses[np.isfinite(losses)]
    return bool(finite.size and finite.min() > LEAST and finite.max() > FLAT * finite.min())


def scaled(losses: Array) -> Array:
    """The losses, or their logarithms to base 10."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(losses) if is_logarithmic(losses) else losses


def segments(heights: Array, level: float) -> list[Segment]:
    """The contour line of a level, as pieces (x, y, x, y) in places of the grid, by marching squares.

    Between two places of the grid the line is where it would be if the heights went straight from one to the other.

    Example:
        >>> segments(np.array([[0.0, 1.0], [0.0, 1.0]]), 0.25)
        [(0.25, 0.0, 0.25, 1.0)]
    """
    found = []
    rows, columns = heights.shape
    for i in range(rows - 1):
        for j in range(columns - 1):
            corners = [(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)]
            values = [float(heights[y, x]) for x, y in corners]
            if not all(map(math.isfinite, values)):
                continue
            cuts = []
            for k in range(4):
                (x, y), (to_x, to_y) = corners[k], corners[(k + 1) % 4]
                a, b = values[k], values[(k + 1) % 4]
                if (a < level) != (b < level):
                    share = (level - a) / (b - a)
                    cuts.append((x + share * (to_x - x), y + share * (to_y - y)))
            if len(cuts) == 4 and (sum(values) / 4 < level) == (values[0] < level):
                cuts = [*cuts[1:], cuts[0]]  # of a saddle: the low corners are joined in the middle
            found += [(*cuts[k], *cuts[k + 1]) for k in range(0, len(cuts), 2)]
    return found


def _cells(losses: Array, heights: Array, low: float, high: float, across: _Axis, upward: _Axis) -> Iterator[Markup]:
    for i, row in enumerate(losses.tolist()):
        for j, loss in enumerate(row):
            told = element("title", f"loss {figure(loss)} at {short(across.places[j])}, {short(upward.places[i])}")
            height = float(heights[i, j])
            share = (height - low) / (high - low) if high > low else 0.5
            look = {"style": f"--share:{share:.3f}", "class_": "cell"} if math.isfinite(height) else {
                "class_": "cell wrong"
            }  # fmt: skip
            left, right = round(across.cell(j)), round(across.cell(j + 1))
            bottom, top = round(upward.cell(i)), round(upward.cell(i + 1))
            yield element("rect", told, x=left, y=top, width=right - left, height=bottom - top, **look)


def _lines(
    heights: Array, levels: Sequence[float], logarithmic: bool, across: _Axis, upward: _Axis,
    taken: Sequence[tuple[float, float]],
) -> Iterator[Markup]:  # fmt: skip
    """The lines, and on every other one its value, where it is furthest from what is taken and from other values."""
    labels = list(taken)
    for number, level in enumerate(levels):
        pieces = [
            (across.cell(x + 0.5), upward.cell(y + 0.5), across.cell(to_x + 0.5), upward.cell(to_y + 0.5))
            for x, y, to_x, to_y in segments(heights, level)
        ]
        if not pieces:
            continue
        value = figure(10**level if logarithmic else level)
        drawn = "".join(f"M{coord(a)} {coord(b)}L{coord(c)} {coord(d)}" for a, b, c, d in pieces)
        yield element("path", element("title", f"loss {value}"), d=drawn, class_="contour")
        inside = [(a, b) for a, b, _, _ in pieces if LEFT + 20 < a < WIDTH - RIGHT - 20 and b > TOP + 10]
        if number % 2 == 0 and inside:
            best = max(inside, key=lambda p: min(math.dist(p, q) for q in labels))
            if all(math.dist(best, q) > 28 for q in labels):
                labels.append(best)
                yield element(
                    "text", value, x=coord(best[0]), y=coord(best[1]), dy="0.34em", text_anchor="middle", class_="level"
                )


def _grid(surface: Surface, across: _Axis, upward: _Axis) -> Iterator[Markup]:
    bottom = HEIGHT - BOTTOM
    for value in ticks(surface.xs[0], surface.xs[-1], 7):
        x = coord(across(value))
        yield element("path", d=f"M{x} {coord(bottom)}v5", class_="axis")
        yield element("text", short(value), x=x, y=coord(bottom + 19), text_anchor="middle")
    for value in ticks(surface.ys[0], surface.ys[-1], 7):
        y = coord(upward(value))
        yield element("path", d=f"M{coord(LEFT)} {y}h-5", class_="axis")
        yield element("text", short(value), x=coord(LEFT - 8), y=y, dy="0.34em", text_anchor="end")
    middle = coord((LEFT + WIDTH - RIGHT) / 2)
    yield element("text", f"→ {surface.axes[0]}", x=middle, y=coord(HEIGHT - 5), text_anchor="middle", class_="unit")
    halfway = coord((TOP + bottom) / 2)
    yield element(
        "text", f"→ {surface.axes[1]}", x="12", y=halfway, text_anchor="middle", class_="unit",
        transform=f"rotate(-90 12 {halfway})",
    )  # fmt: skip


def _path(path: Sequence[tuple[float, float]], steps: Sequence[int], across: _Axis, upward: _Axis) -> Iterator[Markup]:
    points = [(across(x), upward(y)) for x, y in path]
    drawn = "L".join(f"{coord(x)} {coord(y)}" for x, y in points)
    yield element("path", d=f"M{drawn}", class_="way")
    for i, ((x, y), step) in enumerate(zip(points, steps)):
        last = i == len(points) - 1
        told = element("title", f"step {step:,}")
        yield element("circle", told, cx=coord(x), cy=coord(y), r="4", class_="stop last" if last else "stop")
    ends = ((points[0], "begin"), (points[-1], "end"))
    if math.dist(points[0], points[-1]) < 24:
        ends = ((points[-1], "begin and end"),)  # type: ignore[assignment]  # one name for what is one place to the eye
    for (x, y), name in ends:
        left = x > WIDTH - 110
        yield element(
            "text", name, x=coord(x + (-8 if left else 8)), y=coord(y), dy="-0.5em",
            text_anchor="end" if left else "start", class_="told",
        )  # fmt: skip
