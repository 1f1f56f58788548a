"""The differences of two configurations or runs as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lenetcli.inspect.difference import Difference, FirstStep, TensorDifference
from lenetcli.report.tables import figure, plain_table


def draw_config(found: list[Difference], a: str, b: str) -> Iterator[RenderableType]:
    """Key by key."""
    if not found:
        yield Text("configuration: no difference")
        return
    table = plain_table("configuration")
    table.add_column("key", no_wrap=True)
    table.add_column(Text(a), overflow="fold")
    table.add_column(Text(b), overflow="fold")
    for difference in found:
        table.add_row(Text(difference.key), _value(difference.a), _value(difference.b))
    yield table


def draw_steps(found: FirstStep | None) -> RenderableType:
    """Where the losses part."""
    if found is None:
        return Text("\nlosses: the same at every step that both runs made")
    return Text(f"\nlosses: part at step {found.step}: {found.a!r} and {found.b!r}")


def draw_tensors(found: list[TensorDifference], names: tuple[str, str]) -> Iterator[RenderableType]:
    """The weights that differ, the largest difference marked."""
    if not found:
        yield Text("\nbest weights: bit for bit the same")
        return
    largest = max(found, key=lambda d: -1.0 if d.largest is None else d.largest)
    yield _tensor_table(found, largest, names)
    yield Text(f"\nfirst differing tensor: {found[0].name}; largest difference: {largest.name}")


def _tensor_table(found: list[TensorDifference], largest: TensorDifference, names: tuple[str, str]) -> Table:
    table = plain_table("\nbest weights")
    table.add_column("tensor", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    for heading in ("numbers", "largest", "at", *names):
        table.add_column(Text(heading), justify="right")
    for d in found:
        style = "bold" if d is largest else None
        if d.count is None:
            table.add_row(Text(d.name), " / ".join("none" if s is None else str(s) for s in d.shapes), style=style)
        else:
            cells = (f"{d.count:,}", figure(d.largest), str(d.index), f"{d.a:.8g}", f"{d.b:.8g}")
            table.add_row(Text(d.name), str(d.shapes[0]), *cells, style=style)
    return table


def _value(value: Any) -> Text:
    return Text("" if value is None else value if isinstance(value, str) else json.dumps(value))
