"""Whose trial it is: a worker holds the lock of the trial's run directory while it trains there.

The lock is the system's own and ends with the process, however that ends, so no worker has to prove that it is alive:
where the lock is free and the run is not over, its worker is dead, and the next one goes on from the newest checkpoint.

Machines that share a disk may not share its locks. So a worker also touches the lock's file every few seconds, and one
that another machine has touched lately is left alone.
"""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from lenetcli.disk import Unreadable
from lenetcli.errors import DataError
from lenetcli.runs.history import read_history
from lenetcli.runs.lock import NAME, Busy, locked

LEASE = 60.0  # seconds after which a worker of another machine that has not touched its lock counts as dead
TOUCH = 5.0  # seconds between two touches
OVER = ("finished", "stopped early", "out of time", "diverged", "pruned")


def ended(place: Path) -> str | None:
    """How the run there ended; None where it has not, or was interrupted."""
    try:
        found = read_history(place, steps=False).ended
    except Unreadable:  # it may well have ended
        raise
    except DataError:
        return None
    return found.reason if found is not None and found.reason in OVER else None


def claim(place: Path) -> ExitStack | None:
    """The lock of a run directory, which is made if need be; None where another worker has it."""
    place.mkdir(exist_ok=True)
    if _held_elsewhere(place / NAME):
        return None
    held = ExitStack()
    try:
        held.enter_context(locked(place))
    except Busy:
        return None
    return held


def _held_elsewhere(lock: Path) -> bool:
    try:
        host = json.loads(lock.read_text()[:1000])["host"]
        return host != platform.node() and time.time() - lock.stat().st_mtime < LEASE
    except (OSError, ValueError, KeyError, TypeError):
        return False


class Touch:
    """Listens to a run and shows other machines that its worker is alive."""

    def __init__(self, place: Path) -> None:
        self.lock, self.last = place / NAME, time.monotonic()

    def __call__(self, event: object) -> None:
        if time.monotonic() - self.last >= TOUCH:
            self.last = time.monotonic()
            with suppress(OSError):
                os.utime(self.lock)
