"""Numbers over time as a picture: a row for each parameter, a column for each look, colour by order of magnitude."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lenetcli.display.markup import Markup, element
from lenetcli.inspection.training.gradient_history import spread
from lenetcli.report.axes import short
from lenetcli.report.tables import figure
from lenetcli.report.training.run_page.chart import coord

WIDTH, LEFT, RIGHT, TOP = 460, 126, 6, 6  # units of the drawing; about a pixel each
ROW, LEAST_ROW, TALLEST = 20.0, 4.0, 520.0  # of a row; of all of them together
LETTERS = 16  # of a parameter's name
ROWS = int(TALLEST / LEAST_ROW)  # that are drawn
COLUMNS, MARKS = 60, 6  # looks that are drawn; places on the way that are told
SHADES = 24  # of the scale

Values = Sequence[Sequence[float | None]]


def heatmap(label: str, unit: str, names: Sequence[str], places: Sequence[int], values: Values) -> Markup:
    """The picture, with its scale below; colours come from the page's style.

    Args:
        label: what it shows, for those who cannot see it.
        unit: what goes to the right.
        names: of the rows.
        places: of the columns.
        values: a row for each name; None where there is nothing.
    """
    rows, columns = spread(len(names), ROWS), spread(len(places), COLUMNS)
    height = min(ROW, TALLEST / len(rows))
    width = (WIDTH - LEFT - RIGHT) / len(columns)
    logs = [math.log10(v) for i in rows for j in columns if (v := values[i][j]) is not None and 0 < v < math.inf]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    bottom = TOP + height * len(rows)

    def cells() -> Iterator[Markup]:
        for y, i in enumerate(rows):
            for x, j in enumerate(columns):
                value = values[i][j]
                if value is not None:
                    told = element("title", f"{names[i]}, {unit} {places[j]:,}: {figure(value)}")
                    yield element(
                        "rect", told, x=coord(LEFT + x * width), y=coord(TOP + y * height), width=coord(width),
                        height=coord(height - (1 if height > 8 else 0)), **_look(value, low, high),
                    )  # fmt: skip

    return element(
        "svg",
        element("title", label),
        list(cells()),
        list(_names(names, rows, height)),
        list(_places(unit, [places[j] for j in columns], width, bottom)),
        list(_scale(low, high, bottom + 52)) if logs else None,
        viewBox=f"0 0 {WIDTH} {coord(bottom + 84)}", role="img", aria_label=label, class_="chart",
    )  # fmt: skip


def _look(value: float, low: float, high: float) -> dict[str, str]:
    """The colour of a number; one that is not finite has its own."""
    if not math.isfinite(value):
        return {"class_": "cell wrong"}
    share = 0.0 if value <= 0 else (math.log10(value) - low) / (high - low) if high > low else 0.5
    return {"class_": "cell", "style": f"--share:{share:.3f}"}


def _names(names: Sequence[str], rows: Sequence[int], height: float) -> Iterator[Markup]:
    every = math.ceil(14 / height)  # rows to a line of text
    for y, i in list(enumerate(rows))[::every]:
        name = names[i] if len(names[i]) <= LETTERS else "…" + names[i][1 - LETTERS :]
        told = element("title", names[i]) if name != names[i] else None
        yield element("text", name, told, x=LEFT - 6, y=coord(TOP + (y + 0.5) * height), dy="0.34em", text_anchor="end")


def _places(unit: str, places: Sequence[int], width: float, bottom: float) -> Iterator[Markup]:
    for i in range(0, len(places), math.ceil(len(places) / MARKS)):
        x = LEFT + (i + 0.5) * width
        anchor = "end" if x > WIDTH - 30 else "middle"
        yield element(
            "text", f"{places[i]:,}", x=coord(WIDTH - RIGHT if anchor == "end" else x), y=coord(bottom + 16),
            text_anchor=anchor,
        )  # fmt: skip
    middle = coord((LEFT + WIDTH - RIGHT) / 2)
    yield element("text", unit, x=middle, y=coord(bottom + 33), text_anchor="middle", class_="unit")


def _scale(low: float, high: float, y: float) -> Iterator[Markup]:
    """The colours in order, and what some of them stand for."""
    width = (WIDTH - LEFT - RIGHT) / SHADES
    for i in range(SHADES):
        share = f"--share:{i / (SHADES - 1):.3f}"
        yield element(
            "rect", x=coord(LEFT + i * width), y=coord(y - 6), width=coord(width), height=10, class_="cell", style=share
        )
    for value, x, anchor in ((low, LEFT, "start"), ((low + high) / 2, (LEFT + WIDTH - RIGHT) / 2, "middle"),
                             (high, WIDTH - RIGHT, "end")):  # fmt: skip
        yield element("text", short(float(f"{10**value:.2g}")), x=coord(x), y=coord(y + 19), text_anchor=anchor)
