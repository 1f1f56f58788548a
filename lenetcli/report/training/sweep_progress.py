"""A sweep as it goes: which trial trains and in which epoch it is, beside a line for each that is over. On stderr."""

from __future__ import annotations

import sys
from typing import Any, Literal

from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn

from lenetcli.errors import printable
from lenetcli.report.bar import Bar
from lenetcli.report.console import Terminal, is_looked_at
from lenetcli.report.training.listeners import Forgiven
from lenetcli.sweep.trials import Trial
from lenetcli.train.events import Ended, Evaluated, Event, Step
from lenetcli.train.run import Run

SweepMode = Literal["auto", "bar", "plain", "off"]


class Silent:
    """Shows nothing of a trial."""

    def __call__(self, event: Event) -> None:
        """Ignores the event."""

    def close(self) -> None:
        """Nothing to do."""


class EpochLines:
    """A line for each epoch of a trial."""

    def __init__(self, name: str, epochs: int) -> None:
        self.name, self.epochs = name, epochs

    def __call__(self, event: Event) -> None:
        """Says how an epoch was judged."""
        if isinstance(event, Evaluated) and event.split != "train":
            print(printable(f"{self.name}: epoch {event.epoch}/{self.epochs}: {_judged(event)}"), file=sys.stderr)

    def close(self) -> None:
        """Nothing to do."""


class TrialBar:
    """A bar while a trial trains: over its steps, with the epoch and how the last one was judged."""

    def __init__(self, name: str, run: Run) -> None:
        self.run = run
        self.bar = Bar(
            TextColumn("{task.description}", markup=False),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[judged]}"),
            TimeElapsedColumn(),
            console=Terminal(stderr=True, force_jupyter=False),
            transient=True,
        )
        shown: dict[str, Any] = {"epoch": run.progress.epoch + 1, "epochs": run.epochs, "judged": ""}
        steps = run.steps * run.epochs
        self.task: TaskID = self.bar.add_task(name, total=steps, completed=run.progress.step, **shown)
        self.bar.start()

    def __call__(self, event: Event) -> None:
        """Moves the bar."""
        match event:
            case Step():
                self.bar.update(self.task, completed=event.step, epoch=event.epoch)
            case Evaluated(split=split) if split != "train":
                self.bar.update(self.task, judged=_judged(event))
            case Ended():
                self.close()

    def close(self) -> None:
        """Takes the bar away."""
        self.bar.stop()


def trial_progress(mode: SweepMode, trial: Trial, total: int, run: Run) -> Forgiven:
    """What shows a trial while it trains; "auto" is a bar in a terminal, and nothing elsewhere."""
    name = printable(f"trial {trial.number}/{total}")
    if mode == "auto":
        mode = "bar" if is_looked_at(sys.stderr) else "off"
    shown = TrialBar(name, run) if mode == "bar" else EpochLines(name, run.epochs) if mode == "plain" else Silent()
    return Forgiven(shown, f"{name} is not shown any more")


def _judged(event: Evaluated) -> str:
    figure = f"loss {event.loss:.4f}" if event.accuracy is None else f"accuracy {event.accuracy:.4f}"
    return f"{event.split} {figure}"
