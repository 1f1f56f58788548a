"""A training in a notebook as it goes: one output, drawn anew: a row an epoch, how far the next one is, its curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lenetcli.display.markup import Markup, element
from lenetcli.report.live.pace import Pace
from lenetcli.report.training.notebook import STYLE as CURVES
from lenetcli.report.training.notebook import curves_html
from lenetcli.report.training.progress import COLUMNS, SHORT, duration, epoch_cells
from lenetcli.runs.history import Gathered, History
from lenetcli.train.events import Ended, Evaluated, Event, Step

PAUSE = 0.2  # seconds between two drawings, at least
SHARE = 0.02  # of the processor's time that they take, at most
ROWS = 30  # epochs that are shown, the last ones
STYLE = """
.lenet-progress table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.lenet-progress th, .lenet-progress td { text-align: right; padding: .1rem .6rem; } .lenet-progress th
{ border-bottom: 1px solid rgba(128,128,128,.5); } .lenet-progress p { margin: .3rem .6rem; opacity: .8; }
.lenet-progress progress { width: 12rem; margin-right: .6rem; }
"""


@dataclass
class Shown:
    """What the output shows.

    Args:
        split: that judges the epochs.
        rows: of the epochs, in the columns that a terminal has, too.
        now: epoch, steps done and to do, loss and samples per second of the epoch that goes on; None between two.
        end: how it ended.
        history: what its curves are drawn of.
    """

    epochs: int
    split: str = "test"
    rows: list[tuple[str, ...]] = field(default_factory=list)
    now: tuple[int, int, int, float, float] | None = None
    end: str = ""
    history: History | None = None

    @property
    def heads(self) -> list[str]:
        """Headings of the columns."""
        return [heading.format(split=SHORT[self.split]) for heading, *_ in COLUMNS]

    def _repr_html_(self) -> Markup:
        shown = self.rows[-ROWS:]
        earlier = len(self.rows) - len(shown)
        table = element(
            "table",
            element("thead", element("tr", [element("th", head) for head in self.heads])),
            element("tbody", [element("tr", [element("td", cell) for cell in row]) for row in shown]),
        )
        parts = [
            Markup(f"<style>{STYLE}{CURVES}</style>"),
            element("p", f"{earlier:,} earlier epochs; the history has all") if earlier else None,
            table if shown else None,
            element("p", element("progress", max=self.now[2], value=self.now[1]), self._now()) if self.now else None,
            element("p", self.end) if self.end else None,
            None if self.history is None else element("div", curves_html(self.history), class_="lenet-run"),
        ]
        return element("div", parts, class_="lenet-progress")

    def __repr__(self) -> str:
        lines = [
            "".join(cell.rjust(column[1]) for cell, column in zip(row, COLUMNS)) for row in (self.heads, *self.rows)
        ]
        return "\n".join([*lines, *filter(None, [self._now(), self.end])])

    def _now(self) -> str:
        if self.now is None:
            return ""
        epoch, done, steps, loss, speed = self.now
        return f"epoch {epoch}/{self.epochs}, step {done:,}/{steps:,}, loss {loss:.4f}, {speed:,.0f} images/s"


class NotebookTable:
    """Takes the events of a run and draws one output of the cell anew.

    Args:
        epochs: epochs in the whole run.
        steps: optimizer steps in an epoch.
    """

    def __init__(self, epochs: int, steps: int) -> None:
        self.steps, self.shown = steps, Shown(epochs)
        self._train: Evaluated | None = None
        self._output: Any = None
        self._gathered, self._pace = Gathered(), Pace(SHARE, PAUSE)
        self._waits = False

    def __call__(self, event: Event) -> None:
        """Draws, a few times a second at most."""
        self._gathered.add(event)
        match event:
            case Step():
                done = (event.step - 1) % self.steps + 1
                self.shown.now = (event.epoch, done, self.steps, event.loss, event.samples_per_second)
            case Evaluated(split="train"):
                self._train = event
            case Evaluated():
                self.shown.split, self.shown.now = event.split, None
                self.shown.rows.append(epoch_cells(event, self._train, self.shown.epochs))
                self._train = None
            case Ended():
                self.shown.now = None
                self.shown.end = f"{event.reason}; {duration(event.seconds)}"
            case _:
                return
        self._waits = True
        if self._pace.due():
            self._pace.draw(self._draw)

    def close(self) -> None:
        """Draws what has come since."""
        self.shown.now = None
        if self._waits:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        self.shown.history = self._gathered.history(copied=True)
        if self._output is None:
            self._output = display(self.shown, display_id=True)
        else:
            self._output.update(self.shown)
        self._waits = False
