"""A module in a notebook: a table of the modules inside it, with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lenetcli.display.markup import Markup, element

MOST = 200  # lines of the table
CELL = "text-align:left;padding:.15em .9em .15em 0;border:0;white-space:nowrap"
NUMBER = "text-align:right;padding:.15em 0 .15em .9em;border:0;white-space:nowrap"
RULE = ";border-bottom:1px solid rgba(128,128,128,.5)"


@dataclass(frozen=True)
class Line:
    """A module.

    Args:
        name: in the module around it.
        depth: how many modules it is in.
        text: its class and what it says of itself.
        shapes: of its own parameters, by name.
        count: numbers in them.
    """

    name: str
    depth: int
    text: str
    shapes: Sequence[tuple[str, tuple[int, ...]]]
    count: int


def module_html(lines: Sequence[Line], total: int, trainable: int) -> Markup:
    """The table. Parameters that stand at several places count once in `total` and `trainable`.

    Example:
        >>> "2,500 parameters, all trainable" in module_html([Line("", 0, "Net", [], 2500)], 2500, 2500)
        True
    """
    rows = [
        element(
            "tr",
            element("td", line.name, style=f"{CELL};padding-left:{2 * max(line.depth - 1, 0)}em"),
            element("td", line.text, style=f"{CELL};white-space:normal;font-family:monospace"),
            element("td", ", ".join(f"{n} {'×'.join(map(str, s))}" for n, s in line.shapes), style=CELL),
            element("td", f"{line.count:,}" if line.count else "", style=NUMBER),
        )
        for line in lines[:MOST]
    ]
    heads = [element("th", head, style=CELL + RULE) for head in ("", "module", "parameters")]
    heads.append(element("th", "count", style=NUMBER + RULE))
    body = [element("thead", element("tr", heads)), element("tbody", rows)]
    kinds = "all trainable" if trainable == total else f"{trainable:,} trainable"
    more = f"; {len(lines) - MOST:,} more modules" if len(lines) > MOST else ""
    return element(
        "div",
        element("table", body, style="border-collapse:collapse;color:inherit;font-size:inherit"),
        element("div", f"{total:,} parameters, {kinds}{more}", style="font-size:85%;opacity:.75;margin-top:.3em"),
    )
