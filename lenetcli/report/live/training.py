"""`lenet train --progress live`: the run in its own terminal, and keys that say how it goes on.

What is shown is what metrics.jsonl tells, so that `lenet watch` shows the same. The training itself does not change:
a key only leaves a wish with the run, as a signal does, which it looks for between two steps.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from rich.console import Console

from lenetcli.errors import ConfigError
from lenetcli.inspection.training.standing import TRAINING, standing
from lenetcli.report.console import Terminal
from lenetcli.report.live.frame import Frame, Watched
from lenetcli.report.live.keys import Keys
from lenetcli.report.live.pace import Pace
from lenetcli.report.live.screen import Screen
from lenetcli.runs.history import Gathered
from lenetcli.runs.resume_rules import change_lr
from lenetcli.train.events import Changed, Ended, Event, Saved
from lenetcli.train.run import Run

LOOK = 0.1  # seconds between two looks for keys
WAIT = 0.2  # seconds of a pause between two looks at what signals say
LOWER = 0.5  # what a key makes of the learning rate
SELDOM = 400  # steps: at most one of so many is measured beside those that train.log_gradients says
LOOKS = 10  # of an epoch
KEYS = "p pause  s save  - halve lr  q stop"
PAUSED = "p go on  s save  - halve lr  q stop"


class LiveView:
    """Takes the events of a run and draws it on the whole screen; the last picture stays when it is over.

    Args:
        name: of the run.
    """

    def __init__(self, run: Run, name: str, console: Console | None = None, keys: Keys | None = None) -> None:
        self.run, self.name = run, name
        self.console = console or Terminal(highlight=False, force_jupyter=False)
        self.keys = keys or Keys()
        self.screen = Screen(self.console, self._frame)
        self.pace = Pace()
        self.gathered = Gathered()
        self.paused = self.saves = self.can_press = False
        self.told = ""
        self._looked = 0.0
        run.look_every = max(SELDOM, run.steps // LOOKS)  # no weight changes by being looked at

    def __call__(self, event: Event) -> None:
        """Takes an event; now and then looks for keys, and draws."""
        self.gathered.add(event)
        if not self.screen.is_open:
            self.screen.open()
            self.can_press = self.keys.open()
        match event:
            case Saved() if self.saves:
                self.saves = False
                self.told = f"saved at step {event.step}"
            case Changed():
                changed = (f"{path} {old} -> {new}" for path, (old, new) in event.changes.items())
                self.told = f"{', '.join(changed)} from step {event.step + 1} on"
            case Ended():
                return
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked = now
            self.answer(self.keys.pressed())
        if self.paused:
            self._pause()
        if self.pace.due():
            self.pace.draw(self.screen.refresh)

    def close(self) -> None:
        """Gives the terminal back; the last picture stays on it."""
        was_open = self.screen.is_open
        self.keys.close()
        self.screen.close()
        if was_open and self.gathered.count:
            self.told = ""
            self.console.print(Frame([self._watched()]), crop=False, no_wrap=True, overflow="ignore")

    def answer(self, keys: str) -> None:
        """Does what keys ask for."""
        for key in keys:
            if key in "pP ":
                self.paused = not self.paused
            elif key in "sS":
                self._wish("SIGUSR1")
                self.saves = True
                self.told = "saving after this step"
            elif key in "qQ" and self.run.stop is None:
                self._wish("SIGINT")
                self.paused, self.told = False, "stopping after this step"
            elif key == "-":
                self._lower()

    def _wish(self, name: str) -> None:
        """Leaves a wish as a signal does, which reaches all processes that train the run."""
        if self.run.reducer is not None:
            signal.raise_signal(getattr(signal, name))
        elif name == "SIGINT":
            self.run.stop = name
        else:
            self.run.save_now = True

    def _lower(self) -> None:
        lr = None if self.run.config is None else self.run.config["optimizer"].get("lr")
        try:
            change_lr(self.run, LOWER * (lr or 0.0))
        except ConfigError as error:
            self.told = str(error)

    def _pause(self) -> None:
        """Waits for the key that ends it, or for a signal that ends the run; the run's clock stands still."""
        began = time.perf_counter()
        self.screen.refresh()
        size = self.console.size
        while self.paused and self.run.stop is None:
            keys = self.keys.pressed(WAIT)
            self.answer(keys)
            if keys or self.console.size != size:
                size = self.console.size
                self.screen.refresh()
        self.paused = False
        self.run.leave_out(time.perf_counter() - began)
        self.screen.refresh()

    def _watched(self) -> Watched:
        run, status = self.run, "paused" if self.paused else TRAINING
        history = self.gathered.history(copied=True)
        return Watched(standing(history, self.name, run.epochs, status, run.steps), history, run.classes)

    def _frame(self, height: int) -> Frame:
        foot: Sequence[str] = [PAUSED if self.paused else KEYS] if self.can_press else []
        told = [*self.screen.said, *([self.told] if self.told else [])]
        return Frame([self._watched()], foot, height, told)
