"""Line charts as inline SVG: colours come from the page's style, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lenetcli.display.markup import Markup, element, joined
from lenetcli.inspection.training.curves import Curve, thinned
from lenetcli.report.axes import limits, short, ticks

WIDTH, HEIGHT = 460, 270  # units of the drawing; about a pixel each
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 44
MARKED = 40  # curves of more points have no marks
POINTS = 600  # of a curve that are drawn

Room = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A curve of a chart.

    Args:
        look: "train" (dashed, square marks), "test" (solid, round marks) or "faint" (thin, behind the others).
    """

    name: str
    curve: Curve
    look: str


@dataclass(frozen=True)
class Scale:
    """The drawing's coordinates of the numbers on both axes."""

    xs: Room
    ys: Room
    log: bool = False

    def x(self, value: float) -> float:
        """From the left."""
        low, high = self.xs
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """From the top."""
        low, high = self.ys
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def chart(
    lines: Sequence[Line], label: str, unit: str, floor: float | None = None, log: bool = False,
    best: tuple[float, str] | None = None, whole: bool = True,
) -> Markup:  # fmt: skip
    """A chart with round numbers on its axes.

    Args:
        label: what it shows, for those who cannot see it.
        unit: what goes to the right.
        floor: where the upward axis begins, if the numbers come near.
        log: a logarithmic upward axis; all numbers are above 0.
        best: a place to the right that is marked, and how it is called.
        whole: only whole numbers go to the right.
    """
    lines = [Line(line.name, thinned(line.curve, POINTS), line.look) for line in lines]
    curves = [line.curve for line in lines]
    ys = [(float(c.y.min()), float(c.y.max())) for c in curves]
    xs = limits([(float(c.x[0]), float(c.x[-1])) for c in curves])
    scale = Scale(xs, _decades(ys) if log else limits(ys, floor), log)
    return element(
        "svg",
        element("title", label),
        _grid(scale, unit, whole),
        _best(scale, best, curves),
        [_path(scale, line) for line in sorted(lines, key=lambda line: line.look != "faint")],
        [_marks(scale, line, unit) for line in lines if line.look != "faint" and len(line.curve.x) <= MARKED],
        viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, class_="chart",
    )  # fmt: skip


def legend(lines: Sequence[Line]) -> Markup:
    """What each kind of line stands for."""
    return element("p", [element("span", _sample(line.look), line.name) for line in lines], class_="legend")


def _sample(look: str) -> Markup:
    mark = _mark(16, 6, look, None) if look != "faint" else None
    return element(
        "svg", element("path", d="M0 6H32", class_=f"line {look}"), mark, viewBox="0 0 32 12", width=32, height=12,
        aria_hidden="true",
    )  # fmt: skip


def _grid(scale: Scale, unit: str, whole: bool) -> Markup:
    parts = []
    for value in _log_ticks(scale.ys) if scale.log else ticks(*scale.ys, 6):
        y = coord(scale.y(value))
        parts += [
            element("path", d=f"M{LEFT} {y}H{WIDTH - RIGHT}", class_="grid"),
            element("text", short(value), x=LEFT - 8, y=y, dy="0.34em", text_anchor="end"),
        ]
    for value in ticks(*scale.xs, 7):
        if whole and value != math.floor(value):
            continue
        x = coord(scale.x(value))
        parts += [
            element("path", d=f"M{x} {HEIGHT - BOTTOM}v5", class_="axis"),
            element("text", short(value), x=x, y=HEIGHT - BOTTOM + 19, text_anchor="middle"),
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return joined([
        parts,
        element("path", d=f"M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}", class_="axis"),
        element("text", unit, x=coord(middle), y=HEIGHT - 5, text_anchor="middle", class_="unit"),
    ])  # fmt: skip


def _best(scale: Scale, best: tuple[float, str] | None, curves: Sequence[Curve]) -> Markup | None:
    """The upright line at the best place; its name stands at the end where the curves are not."""
    if best is None or not scale.xs[0] <= best[0] <= scale.xs[1]:
        return None
    x = scale.x(best[0])
    left = x > (LEFT + WIDTH) / 2
    heights = [scale.y(float(c.y[int(np.abs(c.x - best[0]).argmin())])) for c in curves]
    y = TOP + 11 if min(heights) > TOP + 40 else HEIGHT - BOTTOM - 8
    return joined([
        element("path", d=f"M{coord(x)} {TOP}V{HEIGHT - BOTTOM}", class_="best"),
        element("text", best[1], x=coord(x + (-6 if left else 6)), y=y, text_anchor="end" if left else "start"),
    ])  # fmt: skip


def _path(scale: Scale, line: Line) -> Markup:
    points = [f"{coord(scale.x(x))} {coord(scale.y(y))}" for x, y in zip(line.curve.x.tolist(), line.curve.y.tolist())]
    return element("path", d="M" + "L".join(points), class_=f"line {line.look}")


def _marks(scale: Scale, line: Line, unit: str) -> list[Markup]:
    return [
        _mark(scale.x(x), scale.y(y), line.look, f"{unit} {short(x)}: {line.name} {y:.6g}")
        for x, y in zip(line.curve.x.tolist(), line.curve.y.tolist())
    ]


def _mark(x: float, y: float, look: str, title: str | None) -> Markup:
    inside = None if title is None else element("title", title)
    if look == "train":
        return element("rect", inside, x=coord(x - 3), y=coord(y - 3), width=6, height=6, class_=f"mark {look}")
    return element("circle", inside, cx=coord(x), cy=coord(y), r="3.2", class_=f"mark {look}")


def _decades(ys: Sequence[Room]) -> Room:
    low, high = min(y[0] for y in ys), max(y[1] for y in ys)
    return (low * 0.8, high * 1.25) if low < high else (low / 10, low * 10)


def _log_ticks(room: Room) -> list[float]:
    """Powers of ten, and 2 and 5 times those where they are few."""
    exponents = range(math.floor(math.log10(room[0])), math.ceil(math.log10(room[1])) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        found = [f * 10.0**e for e in exponents for f in factors if room[0] <= f * 10.0**e <= room[1]]
        if len(found) >= 4:
            break
    every = -(-len(found) // 8)
    return found[::every] or [room[0], room[1]]


def coord(value: float) -> str:
    """A coordinate in a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")
