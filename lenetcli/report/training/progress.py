"""A training run as it goes: a bar while an epoch runs, a table line when it is done; or events as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rich.text import Text

from lenetcli.report.columns import no_room
from lenetcli.report.console import Terminal, is_looked_at
from lenetcli.report.tables import four
from lenetcli.train.events import Ended, Evaluated, Event, Saved, Step

if TYPE_CHECKING:
    from rich.progress import Progress

Mode = Literal["auto", "bar", "plain", "live", "json", "off"]

COLUMNS = (  # heading, width, rank: in a narrow place the columns of the highest rank are left out
    ("epoch", 9, 0), ("train loss", 11, 3), ("train acc", 10, 5), ("{split} loss", 11, 1), ("{split} acc", 9, 0),
    ("lr", 10, 6), ("images/s", 9, 4), ("left", 7, 2),
)  # fmt: skip
SHORT = {"validation": "val", "test": "test"}


class Listener(Protocol):
    """Takes the events of a run."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """Puts the terminal back in order."""


def listener(mode: Mode, epochs: int, steps: int) -> Listener:
    """The listener for a mode; "auto" is a bar in a terminal, plain lines elsewhere.

    Args:
        epochs: epochs in the whole run.
        steps: optimizer steps in an epoch.
    """
    if mode == "auto":
        mode = "bar" if is_looked_at(sys.stdout) and is_looked_at(sys.stderr) else "plain"
    if mode == "json":
        return JsonLines()
    if mode == "off":
        return Silent()
    return EpochTable(epochs, steps, bar=mode == "bar")


class Silent:
    """Shows nothing."""

    def __call__(self, event: Event) -> None:
        """Ignores the event."""

    def close(self) -> None:
        """Nothing to do."""


class JsonLines:
    """One JSON object a line on stdout, as in metrics.jsonl."""

    def __call__(self, event: Event) -> None:
        sys.stdout.write(json.dumps(event.record()) + "\n")
        if not isinstance(event, Step):
            sys.stdout.flush()

    def close(self) -> None:
        """Sends what is left on its way."""
        sys.stdout.flush()


class EpochTable:
    """A line an epoch on stdout; with `bar`, a progress bar on stderr while the epoch runs."""

    def __init__(self, epochs: int, steps: int, bar: bool) -> None:
        self.epochs, self.steps = epochs, steps
        self.out = Terminal(soft_wrap=True, highlight=False, force_jupyter=False)
        self.columns = _that_fit(self.out.width)
        self.bar = _bar() if bar else None
        self._task: Any = None
        self._train: Evaluated | None = None
        self._header_shown = False

    def __call__(self, event: Event) -> None:
        match event:
            case Step():
                self._advance(event)
            case Evaluated(split="train"):
                self._train = event
            case Evaluated():
                self._row(event)
            case Saved() | Ended():
                self._hide_bar()

    def close(self) -> None:
        """Takes the bar away."""
        self._hide_bar()

    def _advance(self, event: Step) -> None:
        if self.bar is None:
            return
        shown: dict[str, Any] = {"loss": event.loss, "speed": event.samples_per_second}
        if self._task is None:
            self.bar.start()
            done = (event.step - 1) % self.steps
            label = f"epoch {event.epoch}/{self.epochs}"
            self._task = self.bar.add_task(label, total=self.steps, completed=done, **shown)
        self.bar.update(self._task, advance=1, **shown)

    def _hide_bar(self) -> None:
        if self.bar is not None and self._task is not None:
            self.bar.remove_task(self._task)
            self.bar.stop()
            self._task = None

    def _row(self, tested: Evaluated) -> None:
        self._hide_bar()
        if not self._header_shown:
            split = SHORT[tested.split]
            headings = [heading.format(split=split) for heading, *_ in COLUMNS]
            left_out = [heading for i, heading in enumerate(headings) if i not in self.columns]
            for line in no_room(left_out, sum(width for _, width, _ in COLUMNS), self.out.width):
                self.out.print(Text(line, style="dim"))
            self._line(headings, "bold")
            self._header_shown = True
        self._line(epoch_cells(tested, self._train, self.epochs))
        self._train = None

    def _line(self, cells: Sequence[str], style: str = "") -> None:
        self.out.print(Text("".join(cells[i].rjust(COLUMNS[i][1]) for i in self.columns), style=style))


def epoch_cells(tested: Evaluated, train: Evaluated | None, epochs: int) -> tuple[str, ...]:
    """What stands in the columns of an epoch.

    Args:
        train: the figures that were gathered while it trained, where they are known.
        epochs: epochs in the whole run.
    """
    seconds = tested.seconds + (train.seconds if train else 0.0)
    return (
        f"{tested.epoch}/{epochs}",
        four(train.loss if train else None),
        four(train.accuracy if train else None),
        four(tested.loss),
        four(tested.accuracy),
        f"{tested.lr:.4g}",
        f"{train.samples_per_second:,.0f}" if train else "",
        duration(seconds * (epochs - tested.epoch)),
    )


def _that_fit(width: int) -> list[int]:
    """Numbers of the columns that a place has room for, in order of rank; at least those of rank 0."""
    chosen: list[int] = []
    for i in sorted(range(len(COLUMNS)), key=lambda i: COLUMNS[i][2]):
        if COLUMNS[i][2] and sum(COLUMNS[j][1] for j in (*chosen, i)) > width:
            break
        chosen.append(i)
    return sorted(chosen)


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from lenetcli.report.bar import Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TextColumn("{task.fields[speed]:,.0f} images/s"),
        TimeRemainingColumn(compact=True),
        console=Terminal(stderr=True, force_jupyter=False),
        transient=True,
    )


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 0.4 s, 12 s, 3:05, 1:02:03."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
