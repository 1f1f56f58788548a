"""The differences of two configurations or runs as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.compare.config import Difference, FirstStep
from lenetcli.inspection.compare.replay import Parting, Replay
from lenetcli.inspection.compare.tensors import BitDifference, TensorDifference
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import figure


def draw_config(found: list[Difference], a: str, b: str) -> Iterator[RenderableType]:
    """Key by key."""
    if not found:
        yield Text("configuration: no difference")
        return
    yield Text("configuration", style="bold")
    yield Columns([
        Column("key", [d.key for d in found], fold=True),
        Column(a, [_value(d.a) for d in found], fold=True),
        Column(b, [_value(d.b) for d in found], fold=True),
    ])  # fmt: skip


def draw_steps(found: FirstStep | None) -> RenderableType:
    """Where the losses part."""
    if found is None:
        return Text("\nlosses: the same at every step that both runs made")
    return Text(f"\nlosses: part at step {found.step}: {found.a!r} and {found.b!r}")


def draw_replay(found: Replay, names: tuple[str, str]) -> Iterator[RenderableType]:
    """Where training again has seen them part: the step, the tensor, and in what part of the step it began."""
    if found.problem:
        yield Text(f"trained again: not to the end; {found.problem}")
    elif found.parting is not None:
        yield from _parting(found.parting, _headings(names))
    elif found.compared == found.begun:
        yield Text(f"the checkpoints of step {found.begun} are the same to the last bit")
    else:
        yield Text(f"trained again: the same to the last bit after each step from {found.begun} to {found.compared}")


def _parting(found: Parting, headings: Iterator[str]) -> Iterator[RenderableType]:
    tensor = found.tensor
    where = f"after step {found.step}" if found.step else "before the first step"
    yield Text(f"\ntrained again: the runs part {where}, first in the {found.seen_in}")
    rows = [] if found.losses is None else [("loss", *map(repr, found.losses))]
    if found.rates is not None:
        rows.append(("learning rate", *(f"{rate:g}" for rate in found.rates)))
    if found.gradient is not None:
        rows.append((f"gradient of {found.gradient.place}", *_numbers(found.gradient)))
    elif found.losses is not None:
        rows.append(("gradients", "the same", ""))
    rows.append((tensor.place, *_numbers(tensor)))
    yield Columns([
        Column("", [row[0] for row in rows], fold=True),
        Column(next(headings), [row[1] for row in rows], right=True, fold=True),
        Column(next(headings), [row[2] for row in rows], right=True, fold=True),
    ])  # fmt: skip


def _numbers(found: BitDifference) -> tuple[str, str]:
    return (_number(found.a), _number(found.b))


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.9g}" if isinstance(value, float) else str(value)


def draw_tensors(
    found: list[TensorDifference], names: tuple[str, str], title: str = "best weights"
) -> Iterator[RenderableType]:
    """The weights that differ, the largest difference marked."""
    if not found:
        yield Text(f"\n{title}: bit for bit the same")
        return
    headings = _headings(names)
    largest = max(found, key=lambda d: -1.0 if d.largest is None else d.largest)
    yield Text(f"\n{title}", style="bold")
    yield Columns(
        [
            Column("tensor", [d.name for d in found], fold=True),
            Column("shape", [_shapes(d) for d in found], 3),
            Column("numbers", ["" if d.count is None else f"{d.count:,}" for d in found], right=True),
            Column("largest", [figure(d.largest) for d in found], right=True),
            Column("at", ["" if d.index is None else str(d.index) for d in found], 2, right=True),
            Column(next(headings), [_number(d.a) if d.count else "" for d in found], 1, right=True),
            Column(next(headings), [_number(d.b) if d.count else "" for d in found], 1, right=True),
        ],
        ["bold" if d is largest else None for d in found],
    )
    most = "" if largest.largest is None else f"; largest difference: {largest.name}"
    yield Text(f"\nfirst differing tensor: {found[0].name}{most}")


def _headings(names: tuple[str, str]) -> Iterator[str]:
    """The ends of two paths, in which they differ."""
    parts = [Path(name).parts for name in names]
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*parts)))
    return (str(Path(*own[alike:] or own[-1:])) for own in parts)


def _shapes(found: TensorDifference) -> str:
    if found.count is not None:
        return str(found.shapes[0])
    return " / ".join("none" if shape is None else str(shape) for shape in found.shapes)


def _value(value: Any) -> str:
    return "" if value is None else plain_text(value if isinstance(value, str) else json.dumps(value))
