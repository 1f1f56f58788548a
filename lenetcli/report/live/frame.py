"""One picture of runs that train: a head, and blocks below it in as many columns as the place has room for.

In a place of some height blocks grow smaller, and then the least important ones are left out; a file or a pipe, which
has no height, gets all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.training.curves import Curve, Metric, averaged, curves
from lenetcli.inspection.training.gradient_history import by_layer, gradient_course
from lenetcli.inspection.training.standing import STILL, TRAINING, Standing
from lenetcli.report.columns import Column, Columns
from lenetcli.report.live import heat, matrix
from lenetcli.report.tables import four
from lenetcli.report.training.plot import STYLES, Place, framed, is_plain, labels
from lenetcli.report.training.progress import duration
from lenetcli.runs.history import History

COLUMN = 50  # characters that a column of blocks needs
MOST = 4  # columns
METRICS: tuple[Metric, ...] = ("loss", "accuracy")
GAP = 3
HEIGHTS = range(16, 3, -1)  # lines of a chart's curves, in a place of some height
WHOLE = 10  # the same in one that has none
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
        head = _lines(console, _head(self.runs, width, is_plain(console.encoding)), width)
        foot = _lines(console, (Text(text, style="dim") for text in (*self.told, *self.foot)), width)
        room = None if self.height is None else self.height - len(head) - len(foot) - 1
        body = _body(self.runs, console, width, room)
        lines = [*head, *([[]] if body else []), *body, *foot]
        if self.height is None:
            for line in lines:
                yield from _without_end(line)
                yield Segment.line()
            return
        blank: list[list[Segment]] = [[] for _ in range(self.height - len(lines))]
        for number, line in enumerate([*lines, *blank][: self.height]):  # over what was there before
            if number:
                yield Segment.line()
            yield from Segment.adjust_line_length(line, width)


def _without_end(line: list[Segment]) -> list[Segment]:
    """A line without the spaces at its end: a narrower terminal does not break it."""
    found = list(line)
    while found and not found[-1].text.strip():
        found.pop()
    if found:
        found[-1] = Segment(found[-1].text.rstrip(), found[-1].style)
    return found


def _lines(console: Console, parts: Iterable[RenderableType], width: int) -> Lines:
    """Parts as lines; text that fits is not laid out by rich, which takes ten times as long."""
    found: Lines = []
    plain = is_plain(console.encoding)
    for part in parts:
        if isinstance(part, Text) and not plain and part.cell_len <= width:
            found.append(list(part.render(console)))
        else:
            found += console.render_lines(part, console.options.update(width=width, height=None), pad=False)
    return found


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
    drawn = [chart for chart in (_chart(runs, metric, each) for metric in METRICS) if chart.curves]
    for height in HEIGHTS if room is not None else (WHOLE,):
        sizes = [*(chart.height(height) for chart in drawn), *map(len, still)]
        if _placed(sizes, count, room) is not None:
            break
    while sizes and _placed(sizes, count, room) is None:
        sizes.pop()
    charts = [chart.lines(console, height) for chart in drawn[: len(sizes)]]
    blocks = [*charts, *still][: len(sizes)]
    return _beside([[blocks[i] for i in column] for column in _placed(sizes, count, room) or []], each)


def _placed(sizes: Sequence[int], count: int, room: int | None) -> list[list[int]] | None:
    """Each block, by its number, at the end of the shortest column; None where one has too many lines."""
    columns: list[list[int]] = [[] for _ in range(count)]
    heights = [0] * count
    for block, size in enumerate(sizes):
        shortest = heights.index(min(heights))
        heights[shortest] += size + bool(columns[shortest])
        columns[shortest].append(block)
    return columns if room is None or max(heights) <= room else None


def _beside(columns: Sequence[Sequence[Lines]], width: int) -> Lines:
    """Columns of blocks, with a line between two."""
    found: Lines = []
    stacked: list[Lines] = [[line for block in column for line in (*block, [])][:-1] for column in columns]
    for parts in zip_longest(*stacked, fillvalue=[]):
        line: list[Segment] = []
        for i, part in enumerate(parts):
            if i:
                line.append(Segment(" " * GAP))
            line += Segment.adjust_line_length(list(part), width) if i < len(parts) - 1 else part
        found.append(line)
    return found


@dataclass(frozen=True)
class _Chart:
    """Loss or accuracy over the steps.

    Args:
        curves: with their numbers.
        several: runs, which the head names.
    """

    metric: Metric
    curves: list[tuple[int, Curve]]
    width: int
    several: bool

    def height(self, curves: int) -> int:
        """Lines that it takes: a title and an axis beside those of the curves."""
        return curves + 3

    def lines(self, console: Console, height: int) -> Lines:
        """The chart, with so many lines for the curves."""
        title = Text(f"{self.metric} by step", style="bold")
        if self.several:
            title.append(f"  {self.curves[0][1].split}", style="not bold")
        else:
            for (number, curve), name in zip(self.curves, labels(len(self.curves))):
                style = f"not bold {STYLES[number % len(STYLES)]}"
                title.append(f"  {name} {curve.split}".rstrip() if name else f"  {curve.split}", style=style)
        place = Place(self.width, height, is_plain(console.encoding))
        numbers, drawn = [number for number, _ in self.curves], [curve for _, curve in self.curves]
        return _lines(console, [title, *framed(drawn, self.metric, "step", place, numbers, unit=False)], self.width)


def _chart(runs: Sequence[Watched], metric: Metric, width: int) -> _Chart:
    return _Chart(metric, list(_curves(runs, metric, 2 * width)), width, len(runs) > 1)


def _curves(runs: Sequence[Watched], metric: Metric, most: int) -> Iterator[tuple[int, Curve]]:
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
            found.append(_lines(console, heat.rows(title, layers, key, width), width))
    judged = next((e.event for e in reversed(history.evaluations) if e.event.confusion), None)
    if judged is not None and judged.confusion:
        told = Text(f"confusion of {judged.split}, epoch {judged.epoch}", style="bold")
        told.append("  true class down, predicted across", style="not bold dim")
        found.append(_lines(console, [told, *matrix.rows(judged.confusion, classes, width)], width))
    if len(history.changes) or _varies(history):
        rate = [averaged(c, 2 * width) for c in curves(history, "", "lr", "step")]
        lines = framed(rate, "lr", "step", Place(width, 4, is_plain(console.encoding)), unit=False)
        found.append(_lines(console, [Text("learning rate by step", style="bold"), *lines], width))
    return found


def _varies(history: History) -> bool:
    rates = history.steps.lr
    return bool(len(rates)) and bool((rates != rates[0]).any())
