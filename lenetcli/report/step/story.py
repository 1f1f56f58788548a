"""A training step, moment by moment, as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.statistics import figures
from lenetcli.inspection.step.story import Change, Moment, Shown, Story
from lenetcli.inspection.step.written_out import ByHand
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import figure, sizes

INDENT = 2
KEPT = "\u00a0"  # a space where no line ends


def opening(story: Story, width: int) -> Iterator[RenderableType]:
    """What step it is."""
    yield Text(f"training step {story.step}: epoch {story.epoch}, batch {story.batch}, lr {story.lr:g}", style="bold")
    place = f"[{','.join(map(str, story.index))}]" if story.index else ""
    told = (
        f"{len(story.moments)} moments. y3 is the result of moment 3, d_y3 its gradient. "
        f"Followed through the update: {plain_text(story.parameter)}{place}"
    )
    yield Text(_wrapped(told, width, 0))
    yield Text(_wrapped(f"Here op by op; while training, such a step is {story.recorded}", width, 0), style="dim")


def draw_all(story: Story, width: int) -> Iterator[RenderableType]:
    """The opening and every moment."""
    yield from opening(story, width)
    for moment in story.moments:
        yield from draw(story, moment, width)


def draw(story: Story, moment: Moment, width: int) -> Iterator[RenderableType]:
    """The parts of one moment, top to bottom."""
    title = Text(f"{moment.number}/{len(story.moments)}  {moment.phase}  ", style="bold")
    title.append(plain_text(f"{moment.module}  " if moment.module else ""), style="cyan")
    title.append(plain_text(moment.title))
    yield Text("─" * width, style="dim")
    yield title
    for rule in moment.rules:
        yield Text(_wrapped(rule, width, INDENT))
    if moment.shown:
        yield ""
        yield _tensors(moment.shown)
    if moment.by_hand:
        yield ""
        yield Text("by hand, one number", style="bold")
        for by_hand in moment.by_hand:
            yield worked(by_hand, width)
    if moment.changes:
        yield ""
        yield _changes(moment.changes)
    if moment.notes or moment.source:
        yield ""
    for note in moment.notes:
        yield Text(_wrapped(plain_text(note), width, 0), style="dim")
    if moment.source:
        yield Text(moment.source, style="dim")


def worked(by_hand: ByHand, width: int) -> Text:
    """A formula, the same with numbers below it, and what it comes to."""
    text = Text(_wrapped(by_hand.formula, width, INDENT) + "\n")
    value = signed(by_hand.value, by_hand.digits)
    if by_hand.numbers != value:
        text.append(_wrapped(f"= {by_hand.numbers}", width, 2 * INDENT) + "\n")
    text.append(f"{'':{2 * INDENT}}= {value}", style="bold green")
    return text


def signed(value: float, digits: int = 4) -> str:
    """A number as formulas write it."""
    return f"{value:.{digits}g}".replace("-", "−")


def _tensors(shown: Sequence[Shown]) -> Columns:
    """What took part: shapes, figures, a few numbers."""
    found = [figures([s.array]) for s in shown]
    return Columns(
        [
            Column("", [s.role for s in shown]),
            Column("tensor", [plain_text(s.name) for s in shown], fold=True),
            Column("shape", [sizes(s.array.shape) for s in shown], fold=True),
            Column("mean", [figure(f.mean) for f in found], 1, right=True),
            Column("min", [figure(f.min) for f in found], 3, right=True),
            Column("max", [figure(f.max) for f in found], 3, right=True),
            Column("zeros", [share(f.zeros) for f in found], 4, right=True),
            Column("first numbers", [_first(s.array, 0, 2) for s in shown], 2),
            Column("", [_first(s.array, 2, 5) for s in shown], 5),
        ]
    )


def _changes(changes: Sequence[Change]) -> Columns:
    """What is different: mean sizes before and after."""
    shapes = [sizes(next((a.shape for a in (c.after, c.before) if a is not None), None)) for c in changes]
    return Columns(
        [
            Column("changed", [plain_text(c.name) for c in changes], fold=True),
            *([Column("shape", shapes, 2)] if any(shapes) else []),
            Column("mean |before|", [_size(c.before) for c in changes], right=True),
            Column("mean |after|", [_size(c.after) for c in changes], right=True),
            Column("mean |change|", [figure(c.difference) for c in changes], 1, right=True),
            Column("relative", [figure(c.relative) for c in changes], 1, right=True),
        ]
    )


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "" if value is None else f"{value:.0%}"


def _size(array: npt.NDArray[np.generic] | None) -> str:
    return "None" if array is None else figure(figures([array]).mean_abs)


def _first(array: npt.NDArray[np.generic], start: int, stop: int) -> str:
    return " ".join(f"{value:.3g}" for value in array.reshape(-1)[start:stop].tolist())


def _wrapped(text: str, width: int, indent: int) -> str:
    """Text in lines of a width, those after the first set in by two more."""
    first, rest = " " * indent, " " * (indent + INDENT)
    whole = re.sub(r"… \([^)]*\)", lambda found: found[0].replace(" ", KEPT), text)
    lines = textwrap.wrap(whole, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return "\n".join(lines).replace(KEPT, " ")
