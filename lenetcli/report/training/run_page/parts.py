"""Pieces that several sections are made of: notes, figures, tables, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from lenetcli.display.markup import Child, Markup, element
from lenetcli.display.png import Pixels, data_uri


def note(*children: Child) -> Markup:
    """A sentence that explains."""
    return element("p", *children, class_="note")


def missing(reason: str) -> Markup:
    """What stands where there is nothing to show."""
    return element("p", reason, class_="missing")


def across(shape: Iterable[int]) -> str:
    """A shape, as in 16 × 13 × 13."""
    return " × ".join(map(str, shape))


def table(
    caption: Child, heads: Sequence[str], rows: Iterable[Sequence[Child]], class_: str | None = None,
    label: str | None = None,
) -> Markup:  # fmt: skip
    """A table; the first cell of each row names the row. It scrolls by itself where it is too wide.

    A cell that is a `td` already is taken as it is.

    Args:
        label: what it is, for those who move through the page by keyboard; default: the caption, if that is text.
    """
    body = [
        element("tr", element("th", row[0], scope="row"), [_cell(child) for child in row[1:]], "\n") for row in rows
    ]
    label = label or (caption if isinstance(caption, str) else None)
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", [element("th", head, scope="col") for head in heads])),
            element("tbody", body),
            class_=class_,
        ),
        class_="wide", role="region", tabindex=0, aria_label=label,
    )  # fmt: skip


def _cell(child: Child) -> Markup:
    if isinstance(child, Markup) and child.startswith("<td"):
        return child
    return element("td", child)


def heat(content: Child, share: float, kind: str = "right", title: str | None = None) -> Markup:
    """A cell on a ground that is the stronger the nearer `share` is to 1; `kind` is right or wrong."""
    strength = 0.0 if math.isnan(share) else max(0.0, min(1.0, share))
    return element("td", content, class_=f"heat {kind}", style=f"--share:{strength:.3f}", title=title)


def image(pixels: Pixels, alt: str, title: str | None = None, class_: str | None = None) -> Markup:
    """A picture, its pixels as squares."""
    height, width = pixels.shape[:2]
    return element(
        "img", src=data_uri(pixels), width=width, height=height, alt=alt, title=title, class_=class_,
        style=f"--ratio:{width}/{height}",
    )  # fmt: skip


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    Example:
        >>> count(1, "class", "classes"), count(2500, "sample")
        ('1 class', '2,500 samples')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
