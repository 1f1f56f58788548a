"""A weight's way as a table: the steps that changed it most, each taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.training.why import Moved, Why
from lenetcli.report.columns import Column, Columns
from lenetcli.train.answers import class_name

PARTS = ("gradient", "momentum", "decay")
RANKS = {"gradient": 2, "momentum": 3, "decay": 4}  # columns, by their importance


def draw(found: Why, count: int, classes: Sequence[str]) -> Iterator[RenderableType]:
    """The weight from its first to its last value, then the largest steps in the order they were made.

    Args:
        count: of steps.
        classes: names of the targets.
    """
    name = found.name + (f"[{','.join(map(str, found.index))}]" if found.index else "")
    change = found.last - found.first
    yield Text(f"{plain_text(name)}: {found.first:.6g} at first, {found.last:.6g} after {len(found.steps)} steps")
    if not found.trains:
        yield Text("frozen: no step changes it")
        return
    parts = ", ".join(f"{part} {getattr(found, part):+.4g}" for part in PARTS)
    told = f"changed by {change:+.6g}; the parts of all steps add up to {found.sum:+.6g}"
    yield Text(f"{told}: {parts}, rounding {abs(found.rounding):.0e}\n")
    shown = sorted(found.largest(count), key=lambda step: step.step)
    if shown:
        yield Columns([
            Column("step", [str(s.step) for s in shown], right=True),
            Column("epoch", [str(s.epoch) for s in shown], 6, right=True),
            Column("before", [f"{s.before:.5g}" for s in shown], 5, right=True),
            Column("change", [f"{s.change:+.3g}" for s in shown], right=True),
            *(Column(part, [_part(s, part) for s in shown], rank, right=True) for part, rank in RANKS.items()),
            Column("samples", [_samples(s, classes) for s in shown], 1, fold=True),
        ])  # fmt: skip
        yield Text("\nsamples: those that pushed it most: number in the training data, target, part of the change")
    if found.undivided:
        yield Text(f"{found.undivided} asks for all numbers of a parameter: the whole change is told as the gradient's")
    if len(shown) < len(found.steps):
        yield Text(f"{len(shown)} steps of {len(found.steps)}: those that changed it most; --steps shows more")


def _part(step: Moved, part: str) -> str:
    value = getattr(step, part)
    return f"{value:+.3g}" if value else "0"


def _samples(step: Moved, classes: Sequence[str]) -> str:
    said = []
    for sample in step.samples:
        target = f" ({plain_text(class_name(classes, sample.target))})" if isinstance(sample.target, int) else ""
        said.append(f"{sample.index}{target} {sample.change:+.2g}")
    return ", ".join(said)
