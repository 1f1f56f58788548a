"""Ctrl-C and SIGTERM: the first asks the run to finish its step and save, the second ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lenetcli.train.run import Run

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


@contextmanager
def polite_stop(run: Run) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM set `run.stop`; the handlers from before come back after it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if run.stop is not None:
            raise SystemExit(EXIT_CODES[name])
        run.stop = name

    try:
        for name in EXIT_CODES:
            number = getattr(signal, name)
            before[number] = signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
