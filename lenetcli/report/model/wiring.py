"""A model's layers with rails beside them, along which values go: in the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lenetcli.display.markup import Markup, element
from lenetcli.errors import plain_text
from lenetcli.inspection.model.wiring import Place
from lenetcli.report.columns import Column, Columns
from lenetcli.report.rails import ENTERS, RAIL, heads, lines


def draw(places: Sequence[Place], sample: Sequence[int]) -> Iterator[RenderableType]:
    """The rails with a layer a row, from the input down."""
    rails = heads(lines([place.inputs for place in places]))
    rails = [RAIL.ljust(len(rails[0])), *rails]
    names = ["input", *(plain_text(place.path) or "output" for place in places)]
    marked = [
        f"{name} →" if place is not None and place.leaves and _several(places) else name
        for name, place in zip(names, [None, *places])
    ]
    yield Columns([
        Column("layer", [f"{head} {name}" for head, name in zip(rails, marked)]),
        Column("type", ["", *(place.kind for place in places)], 1),
        Column("output", [_shape(sample), *(_shape(place.output) for place in places)], 2),
        Column("parameters", ["", *(f"{p.parameters:,}" if p.parameters else "-" for p in places)], 3, right=True),
    ])  # fmt: skip
    branches = sum(len(place.inputs) > 1 for place in places)
    joined = f", {branches} of which join others" if branches else ""
    yield Text(f"\n{len(places):,} layers{joined}; {sum(place.parameters for place in places):,} parameters")


def _several(places: Sequence[Place]) -> bool:
    return sum(place.leaves for place in places) > 1


def _shape(shape: Sequence[int] | None) -> str:
    return "" if shape is None else "[" + ",".join(map(str, shape)) + "]"


STEP, GAP = 24, 18  # pixels between rows, and between rails
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1d2733; background: #fff; }
svg { font: 13px ui-monospace, monospace; } path { fill: none; stroke: #4a6a97; stroke-width: 1.5; }
circle { fill: #4a6a97; } .join { fill: #b4540a; } .out { fill: #1f7a3d; } .kind, .shape { fill: #5b6775; }
@media (prefers-color-scheme: dark) { body { color: #e6e9ee; background: #14181d; } text { fill: #e6e9ee; }
.kind, .shape { fill: #9aa7b5; } }
"""


def page(name: str, places: Sequence[Place], sample: Sequence[int], config: str) -> str:
    """The same as a page that needs nothing else, with the configuration below.

    Args:
        config: the resolved configuration as YAML.
    """
    title = f"{name}: layers and what they take"
    head = element("head", element("meta", charset="utf-8"), element("title", title), element("style", Markup(STYLE)))
    body = element(
        "body", element("h1", title), svg(places, sample), element("h2", "Configuration"), element("pre", config)
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def svg(places: Sequence[Place], sample: Sequence[int]) -> Markup:
    """The rails as curves, a layer a row."""
    rows = [line.rail or 0 for line in lines([place.inputs for place in places])]
    width = 1 + max(rows, default=0)
    x = [12 + GAP * rail for rail in range(width)]
    rail_of, row_of = {ENTERS: 0}, {ENTERS: 0}
    parts: list[Markup] = []
    for i, (place, rail) in enumerate(zip(places, rows)):
        rail_of[i], row_of[i] = rail, i + 1
        for source in place.inputs:
            a, b, top, bottom = x[rail_of[source]], x[rail], row_of[source] * STEP + 16, (i + 1) * STEP + 16
            if rail > rail_of[source]:  # leaves its rail at once, and goes down on the layer's
                way = f"M{a} {top}C{a} {top + STEP} {b} {top} {b} {top + STEP}V{bottom}"
            else:
                way = f"M{a} {top}V{bottom - STEP}C{a} {bottom} {b} {bottom - STEP} {b} {bottom}"
            parts.append(element("path", d=way))
    names = [("input", "", sample, ""), *(
        (p.path or "output", p.kind, p.output, "join" if len(p.inputs) > 1 else "out" if p.leaves else "")
        for p in places
    )]  # fmt: skip
    left = x[-1] + GAP
    longest = max(len(name) for name, *_ in names)
    for row, (name, kind, shape, look) in enumerate(names):
        y, rail = row * STEP + 16, 0 if row == 0 else rows[row - 1]
        parts += [
            element("circle", cx=str(x[rail]), cy=str(y), r="5", class_=look or "layer"),
            element("text", name, x=str(left), y=str(y + 4)),
            element("text", kind, x=str(left + 8 * longest + 16), y=str(y + 4), class_="kind"),
            element("text", _shape(shape), x=str(left + 8 * longest + 180), y=str(y + 4), class_="shape"),
        ]
    size = (left + 8 * longest + 340, len(names) * STEP + 20)
    words = f"{len(places)} layers; lines lead from each to those that take its value"
    return element("svg", *parts, width=str(size[0]), height=str(size[1]), role="img", aria_label=words)
