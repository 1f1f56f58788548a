"""SIGINT (Ctrl-C) and SIGTERM end a training in order, a second one ends it at once; SIGUSR1 saves and goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}
SAVE = "SIGUSR1"  # not on Windows


class Stoppable(Protocol):
    """What signals leave their wishes with: a Run."""

    stop: str | None
    save_now: bool


@contextmanager
def polite_stop(run: Stoppable) -> Iterator[None]:
    """Within the block, signals leave a wish with the run, which looks for one after each step.

    The first SIGINT or SIGTERM sets `run.stop`, the next one raises SystemExit; SIGUSR1 sets `run.save_now`. The
    handlers from before come back after the block. A signal that is ignored (SIGINT, in the background of a script)
    stays ignored. Outside the main thread nothing changes, since only that one may set handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == SAVE:
            run.save_now = True
        elif run.stop is None:
            run.stop = name
        else:
            raise SystemExit(EXIT_CODES[name])

    before = {}
    try:
        for name in (*EXIT_CODES, SAVE):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: set by C code
                before[number] = signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
