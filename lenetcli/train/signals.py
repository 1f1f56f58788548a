"""Signals to a training: those that ask for its end end it in order, SIGUSR1 saves and goes on.

SIGINT (Ctrl-C) and SIGTERM end it at once the second time. SIGHUP (a closed terminal), SIGXCPU (processor time is up)
and SIGUSR2 (batch systems) come more than once for one reason, so that a second one asks for nothing more.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR2")  # Windows has the first two
EXIT_CODES = {name: 128 + int(getattr(signal, name)) for name in _ENDING if hasattr(signal, name)}
AT_ONCE = ("SIGINT", "SIGTERM")  # the second time
SAVE = "SIGUSR1"  # not on Windows
ECHO = 0.2  # seconds in which SIGTERM comes twice for one reason: `timeout` sends it to the process and to its group


class Stoppable(Protocol):
    """What signals leave their wishes with: a Run."""

    stop: str | None
    save_now: bool


class Terminated(SystemExit):
    """A signal that ended the program while nothing was being trained."""

    def __init__(self, name: str) -> None:
        super().__init__(EXIT_CODES[name])
        self.name = name


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C ends the block, quietly: it is how whatever only looks is ended."""
    try:
        yield
    except KeyboardInterrupt:
        pass
    except Terminated as ended:
        if ended.name != "SIGINT":
            raise


_came: list[str] = []  # signals that `orderly` has taken


@contextmanager
def polite_stop(run: Stoppable) -> Iterator[None]:
    """Within the block, signals leave a wish with the run, which looks for one after each step.

    The first signal that asks for the end sets `run.stop`; a second SIGINT or SIGTERM raises SystemExit; SIGUSR1 sets
    `run.save_now`. The handlers from before come back after the block. A signal that is ignored (SIGINT in the
    background of a script, SIGHUP under nohup) stays ignored. Outside the main thread nothing changes, since only that
    one may set handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[tuple[str, float]] = []  # to end, by SIGINT or SIGTERM, and when

    def ask(number: int, frame: FrameType | None) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if name == SAVE:
            run.save_now = True
            return
        if name in AT_ONCE:
            if asked and not (name == "SIGTERM" == asked[-1][0] and now - asked[-1][1] < ECHO):
                raise SystemExit(EXIT_CODES[name])
            asked.append((name, now))
        if run.stop not in EXIT_CODES:
            run.stop = name

    before = {}
    try:
        for name in (*EXIT_CODES, SAVE):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: set by C code
                before[number] = signal.signal(number, ask)
        if _came and run.stop not in EXIT_CODES:  # what it raised was swallowed
            run.stop = _came[0]
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, 0)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def orderly(trains: bool) -> Iterator[None]:
    """For a program's whole life: signals end it by an exception, so that what it holds is given back and files that
    are half written are taken away.

    Args:
        trains: SIGUSR1 is for trainings: before it is under way, and when it is over, it ends nothing.

    Raises:
        Terminated: a signal ends the program.
    """

    def end(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name != "SIGALRM":
            _came.append(name)
        if _is_swallowed(frame):
            once_more()
        else:
            raise Terminated(_came[0])

    def once_more() -> None:
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, end)
            signal.setitimer(signal.ITIMER_REAL, 0.01)  # a little later

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        if _came and isinstance(found.exc_value, Terminated):
            once_more()  # it came while code was running that can raise nothing
        else:
            before(found)

    before, sys.unraisablehook = sys.unraisablehook, unraisable
    _came.clear()
    for name in EXIT_CODES:
        number = getattr(signal, name)
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)
    save = getattr(signal, SAVE, None)
    if trains and save is not None and signal.getsignal(save) == signal.SIG_DFL:
        signal.signal(save, _nothing)
    try:
        yield
    finally:
        sys.unraisablehook = before
        if save is not None and signal.getsignal(save) == _nothing:
            signal.signal(save, signal.SIG_IGN)  # at its end Python takes its own handlers away


def _is_swallowed(frame: FrameType | None) -> bool:
    """Whether Python would print an exception from here and go on: in destructors, and in callbacks of an import."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _nothing(number: int, frame: FrameType | None) -> None:
    """There is nothing to save."""
