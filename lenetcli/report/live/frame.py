"""One picture of runs that train: a head, and blocks below it in as many columns as the place has room for.

In a place of some height blocks grow smaller, and then the least important ones are left out; a file or a pipe, which
has no height, gets all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.segment import Segment
from rich.text import Text

from lenetcli.inspection.training.curves import Curve, averaged, curves
from lenetcli.inspection.training.gradient_history import by_layer, gradient_course
from lenetcli.inspection.training.standing import STILL, TRAINING, Standing
from lenetcli.report.columns import Column, Columns, plain_text
from lenetcli.report.live import heat
from lenetcli.report.model.evaluation import matrix_table
from lenetcli.report.tables import four
from lenetcli.report.training.plot import STYLES, Place, framed, is_plain, labels
from lenetcli.report.training.progress import duration
from lenetcli.runs.history import History
from lenetcli.train.answers import class_names
from lenetcli.train.confusion import Confusion
from lenetcli.train.events import Evaluated

COLUMN = 50  # characters that a column of blocks needs
MOST = 4  # columns
PAIRS = 8  # of classes that are confused, where the matrix has no room
GAP = 3
HEIGHTS = range(10, 3, -1)  # lines of a chart, where there is room
LOOKS: dict[str, str] = {TRAINING: "green", STILL: "yellow", "paused": "yellow", "diverged": "red"}

Lines = list[list[Segment]]


@dataclass(frozen=True)
class Watched:
    """A run as it is shown.

    Args:
        classes: their names, as far as they are known.
    """

    standing: Standing
    history: History
    classes: Sequence[str] = ()


@dataclass(frozen=True)
class Frame:
    """The picture, for `Console.print`.

    Args:
        foot: what stands in the last lines: keys, and what has happened.
        height: lines of the place; None: as many as it takes.
    """

    runs: Sequence[Watched]
    foot: Sequence[str] = ()
    height: int | None = None
    told: Sequence[str] = field(default_factory=tuple)

    def __rich_console__(self, console: Console, options: Any) -> Iterator[Segment]:
        width = options.max_width
        head = _lines(console, Group(*_head(self.runs, width, is_plain(console.encoding))), width)
        foot = [line for text in (*self.told, *self.foot) for line in _lines(console, Text(text, style="dim"), width)]
        room = None if self.height is None else self.height - len(head) - len(foot) - 1
        body = _body(self.runs, console, width, room)
        lines = [*head, *([[Segment("")]] if body else []), *body, *foot]
        for line in lines if self.height is None else lines[: self.height]:
            yield from _without_end(line)
            yield Segment.line()


def _without_end(line: list[Segment]) -> list[Segment]:
    """A line without the spaces at its end: a narrower terminal does not break it."""
    found = list(line)
    while found and not found[-1].text.strip():
        found.pop()
    if found:
        found[-1] = Segment(found[-1].text.rstrip(), found[-1].style)
    return found


def _lines(console: Console, part: RenderableType, width: int) -> Lines:
    return console.render_lines(part, console.options.update(width=width, height=None), pad=True)


# The head


def _head(runs: Sequence[Watched], width: int, plain: bool) -> Iterator[RenderableType]:
    if len(runs) > 1:
        yield _table([watched.standing for watched in runs])
        return
    found = runs[0].standing
    yield Text.assemble(
        (plain_text(found.run), "bold"), "  ", (found.status, LOOKS.get(found.status, "cyan")), overflow="fold"
    )
    line, used = Text(), 0
    for part in _parts(found):
        if used and used + 2 + len(part) > width:
            yield line
            line, used = Text(), 0
        line.append(("  " if used else "") + part)
        used = len(line)
    yield line
    if found.steps:
        done = round(found.share * width)
        full, rest = ("#", "-") if plain else ("━", "─")
        yield Text.assemble((full * done, "green"), (rest * (width - done), "dim"))


def _parts(found: Standing) -> Iterator[str]:
    """What is known, in words."""
    of = f"/{found.epochs}" if found.epochs else ""
    yield f"epoch {found.epoch}{of}"
    yield f"step {found.step:,}" + (f"/{found.steps:,}" if found.steps else "")
    if found.loss is not None:
        yield f"loss {found.loss:.4g}"
    if found.accuracy is not None:
        yield f"{found.split} accuracy {found.accuracy:.4f}"
    elif found.judged_loss is not None:
        yield f"{found.split} loss {found.judged_loss:.4g}"
    if found.lr is not None:
        yield f"lr {found.lr:.4g}"
    if found.samples_per_second:
        yield f"{found.samples_per_second:,.0f} images/s"
    yield duration(found.seconds)
    if found.left is not None and found.status == TRAINING:
        yield f"{duration(found.left)} left"


def _table(found: Sequence[Standing]) -> Columns:
    """A line for each of several runs, with the letter of its curves."""
    columns = [
        Column("", labels(len(found))),
        Column("run", [plain_text(s.run) for s in found], fold=True),
        Column("status", [s.status for s in found], 1),
        Column("epoch", [f"{s.epoch}/{s.epochs}" if s.epochs else str(s.epoch) for s in found], right=True),
        Column("loss", [four(s.loss) for s in found], 2, right=True),
        Column("accuracy", [four(s.accuracy) for s in found], right=True),
        Column("lr", ["" if s.lr is None else f"{s.lr:.4g}" for s in found], 5, right=True),
        Column("images/s", [f"{s.samples_per_second or 0:,.0f}" for s in found], 4, right=True),
        Column("left", ["" if s.left is None else duration(s.left) for s in found], 3, right=True),
    ]
    return Columns(columns, [STYLES[i % len(STYLES)] for i in range(len(found))])


# The blocks


def _body(runs: Sequence[Watched], console: Console, width: int, room: int | None) -> Lines:
    """The blocks, in columns: with room for all, or with the most important ones that fit."""
    count = max(1, min(MOST, (width + GAP) // (COLUMN + GAP)))
    each = (width - GAP * (count - 1)) // count
    if room is not None and room < 1:
        return []
    still = _still(runs, console, each)
    for height in HEIGHTS if room is not None else HEIGHTS[:1]:
        placed = _placed([*_charts(runs, console, each, height), *still], count, room)
        if placed is not None:
            return _beside(placed, each)
    charts = _charts(runs, console, each, HEIGHTS[-1])
    blocks = [*charts, *still]
    while blocks:
        blocks.pop()
        placed = _placed(blocks, count, room)
        if placed is not None and blocks:
            return _beside(placed, each)
    return []


def _placed(blocks: Sequence[Lines], count: int, room: int | None) -> list[Lines] | None:
    """Each block at the end of the shortest column; None where that has too many lines."""
    columns: list[Lines] = [[] for _ in range(count)]
    for block in blocks:
        shortest = min(columns, key=len)
        shortest += [[Segment("")], *block] if shortest else block
    return columns if room is None or max(map(len, columns)) <= room else None


def _beside(columns: Sequence[Lines], width: int) -> Lines:
    found: Lines = []
    for parts in zip_longest(*columns, fillvalue=[]):
        line: list[Segment] = []
        for i, part in enumerate(parts):
            if i:
                line.append(Segment(" " * GAP))
            line += Segment.adjust_line_length(list(part), width)
        found.append(line)
    return found


def _charts(runs: Sequence[Watched], console: Console, width: int, height: int) -> list[Lines]:
    """Loss and accuracy over the steps."""
    found = []
    metrics: tuple[Literal["loss", "accuracy"], ...] = ("loss", "accuracy")
    for metric in metrics:
        drawn = list(_curves(runs, metric, 2 * width))
        if not drawn:
            continue
        several = len(runs) > 1
        names = labels(len(runs) if several else len(drawn))
        title = Text(f"{metric} by step", style="bold")
        for number, curve in [] if several else drawn:
            title.append(f"  {names[number]} {curve.split}".rstrip(), style=f"not bold {STYLES[number % len(STYLES)]}")
        if several and drawn:
            title.append(f"  {drawn[0][1].split}", style="not bold")
        place = Place(width, height, is_plain(console.encoding))
        lines = framed([c for _, c in drawn], metric, "step", place, [n for n, _ in drawn], unit=False)
        found.append(_lines(console, Group(title, *lines), width))
    return found


def _curves(runs: Sequence[Watched], metric: Literal["loss", "accuracy"], most: int) -> Iterator[tuple[int, Curve]]:
    """The curves with their numbers: all of a run; of several, one of each, what judges it where it has that."""
    for number, watched in enumerate(runs):
        found = [averaged(c, most) if c.split == "train" else c for c in curves(watched.history, "", metric, "step")]
        if len(runs) == 1:
            yield from enumerate(found)
        elif found:
            yield number, found[-1]


def _still(runs: Sequence[Watched], console: Console, width: int) -> list[Lines]:
    """What does not change its size: gradients and updates of the layers, the confusion, the learning rate."""
    if len(runs) > 1:
        return []
    history, classes = runs[0].history, runs[0].classes
    found = []
    course = gradient_course(history.gradients[-width:])
    if course is not None:
        layers = by_layer(course).parameters
        for title, key in (("gradient norm", "norm"), ("update / weight", "update")):
            found.append(_lines(console, Group(*heat.rows(title, layers, key, width)), width))
    judged = [e.event for e in history.evaluations if e.event.confusion]
    if judged:
        told = Text(f"confusion of {judged[-1].split}, epoch {judged[-1].epoch}", style="bold")
        told.append("  true class down, predicted across", style="not bold dim")
        found.append(_lines(console, Group(told, *_confusion(judged[-1], classes, width)), width))
    if len(history.changes) or _varies(history):
        rate = [averaged(c, 2 * width) for c in curves(history, "", "lr", "step")]
        lines = framed(rate, "lr", "step", Place(width, 4, is_plain(console.encoding)), unit=False)
        found.append(_lines(console, Group(Text("learning rate by step", style="bold"), *lines), width))
    return found


def _confusion(judged: Evaluated, classes: Sequence[str], width: int) -> Iterator[RenderableType]:
    """The matrix or, where it has no room, what was taken for what most often."""
    counts = Confusion.of(judged.confusion)
    names = class_names(classes, counts.classes)
    found = matrix_table(counts, names, width)
    if found is not None:
        yield found[0]
        return
    for true, predicted, count in counts.mistaken[:PAIRS]:
        yield Text(plain_text(f"{names[true]} taken for {names[predicted]}: {count:,} of {counts.actual[true]:,}"))


def _varies(history: History) -> bool:
    rates = history.steps.lr
    return bool(len(rates)) and bool((rates != rates[0]).any())
