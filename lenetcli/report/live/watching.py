"""`lenet watch`: runs of other processes, as their metrics.jsonl grows. It only looks.

On a terminal the screen is drawn again and again; into a pipe or on a terminal that cannot move its cursor goes a line
for each epoch. Either way the last picture stays when no run goes on any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lenetcli.data.inputs import read_inputs
from lenetcli.errors import DataError, plain_text
from lenetcli.inspection.training.standing import STILL, TRAINING, standing
from lenetcli.report.console import is_animated
from lenetcli.report.live.frame import Frame, Watched
from lenetcli.report.live.keys import Keys
from lenetcli.report.live.screen import Screen
from lenetcli.runs.history import Growing
from lenetcli.runs.lock import is_locked
from lenetcli.runs.table import planned_epochs
from lenetcli.train.events import Evaluated
from lenetcli.train.signals import until_interrupted

PAUSE = 0.5  # seconds between two looks at the files
QUIET = 30.0  # seconds without a word, after which a run that holds no lock here is over
KEYS = "q ends the view, not the training"


class Watch:
    """One run that is watched.

    Raises:
        DataError: it has no file of events, or cannot be read.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.growing = Growing(place)
        self.epochs = planned_epochs(place)
        self.classes: tuple[str, ...] = ()
        with suppress(DataError):
            inputs = read_inputs(place)
            self.classes = () if inputs is None else inputs.classes
        self._heard = (place / "metrics.jsonl").stat().st_mtime
        self._told = 0

    def read_on(self) -> bool:
        """Takes what has come; True where there is something new. A file that is away for a moment is waited for."""
        try:
            new = self.growing.read_on()
        except DataError:
            return False
        if new:
            self._heard = time.time()
            self.epochs = planned_epochs(self.place) or self.epochs
        return new

    @property
    def goes_on(self) -> bool:
        """Whether more may come: a training holds its lock, or was heard of a moment ago from where locks do not reach.

        Before its first word, as long as it has been there for a moment only.
        """
        if self.growing.gathered.ended is not None:
            return False
        return is_locked(self.place) or time.time() - self._heard < QUIET

    @property
    def watched(self) -> Watched:
        """The run as it is shown."""
        history = self.growing.history
        status = TRAINING if self.goes_on else STILL
        return Watched(standing(history, str(self.place), self.epochs, status), history, self.classes)

    def new_epochs(self) -> Iterator[str]:
        """A line for each epoch that was judged since it was asked last."""
        judged = self.growing.gathered.evaluations
        if self._told > len(judged):
            self._told = 0  # the run was continued from an earlier place
        for timed in judged[self._told :]:
            if timed.event.split != "train":
                yield self._line(timed.event)
        self._told = len(judged)

    def _line(self, event: Evaluated) -> str:
        of = f"/{self.epochs}" if self.epochs else ""
        accuracy = "" if event.accuracy is None else f", accuracy {event.accuracy:.4f}"
        return (
            f"{self.place}: epoch {event.epoch}{of}: {event.split} loss {event.loss:.4f}{accuracy}, lr {event.lr:.4g}"
        )


def watch(runs: Sequence[Watch], console: Console) -> None:
    """Follows runs until none goes on, or until somebody ends the view by q or Ctrl-C."""
    with until_interrupted():
        if any(run.goes_on for run in runs):
            (_on_screen if is_animated(console) else _in_lines)(runs, console)
    console.print(Frame([run.watched for run in runs]), crop=False, no_wrap=True, overflow="ignore")
    for run in runs:
        skipped = run.growing.gathered.skipped
        if skipped:
            lines = "1 line" if skipped == 1 else f"{skipped:,} lines"
            console.print(Text(plain_text(f"{run.place}: {lines} of metrics.jsonl left out: no events"), style="dim"))


def _on_screen(runs: Sequence[Watch], console: Console) -> None:
    keys = Keys()
    foot: list[str] = []
    screen = Screen(console, lambda height: Frame([run.watched for run in runs], foot, height))
    try:
        screen.open()
        foot += [KEYS] if keys.open() else ["Ctrl-C ends the view, not the training"]
        size, waited = None, 0.0
        while True:
            new = [run.read_on() for run in runs]
            if any(new) or size != console.size or waited > 1:
                size, waited = console.size, 0.0
                screen.refresh()
            if not any(run.goes_on for run in runs):
                return
            waited += PAUSE
            if set(keys.pressed(PAUSE)) & set("qQ"):
                return
    finally:
        keys.close()
        screen.close()


def _in_lines(runs: Sequence[Watch], console: Console) -> None:
    while True:
        for run in runs:
            run.read_on()
            for line in run.new_epochs():
                console.print(Text(plain_text(line)), soft_wrap=True)
        console.file.flush()
        if not any(run.goes_on for run in runs):
            console.print()
            return
        time.sleep(PAUSE)
