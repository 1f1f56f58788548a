"""One trial: a training in a directory of its own, by the worker that holds that directory's lock.

The lock is the system's own and ends with the process, however that ends, so no worker has to prove that it is alive:
where the lock is free and the run is not over, its worker is dead, and the next one goes on from the newest checkpoint.

Where one process shares out the trials of a sweep, it holds the lock of the sweep's directory meanwhile. A worker that
cannot see that lock does not train: either nobody waits for the trial any more, or the locks of this disk do not reach
the worker's machine, and then those of the trials would not, either.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lenetcli import config as configuration
from lenetcli.build.places import as_changes
from lenetcli.config import Config, consent
from lenetcli.disk import Unreadable, is_regular
from lenetcli.errors import DataError, DivergedError, LenetError
from lenetcli.runs.history import read_history
from lenetcli.runs.lock import Busy, is_locked, locked
from lenetcli.runs.session import Listener, Session
from lenetcli.train.events import Event
from lenetcli.train.run import Run
from lenetcli.train.stopping import PRUNED

PAUSE = 0.5  # seconds between two looks at what others do
LOOK = 1.0  # seconds between two looks of a training whether anybody waits for it
OVER = ("finished", "stopped early", "out of time", "diverged", "pruned")
GIVEN_UP = "SIGTERM"  # what a training is told that nobody waits for: it saves and ends


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
    """The lock of a run directory, which is made if need be; None where another worker has it.

    Raises:
        LenetError: the directory cannot be made.
    """
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise LenetError(f"cannot write {place}: {error.strerror or error}") from None
    held = ExitStack()
    try:
        held.enter_context(locked(place))
    except Busy:
        return None
    return held


def train(
    place: Path, config: Callable[[], Config], listeners: Callable[[Run, ExitStack], Iterable[Listener]]
) -> tuple[str, str | None]:
    """Trains in a directory whose lock the caller holds, from its newest checkpoint where it has one.

    Args:
        config: of a new run; one that goes on takes from it where the data lies now.
        listeners: those of the run; what they open ends with it.

    Returns:
        How the run ended, and the signal that ended it.

    Raises:
        ConfigError: the configuration does not work.
        LenetError: the run failed in a way that others will, too.
    """
    with ExitStack() as opened:
        if is_regular(place / "config.yaml"):
            opening = Session.resume(place, as_changes(config()), lock=False)
        else:
            opening = Session.new(config(), place, lock=False)
        session = opened.enter_context(opening)
        run = session.run
        try:
            last = session.follow(listeners(run, opened))
        except DivergedError:
            return "diverged", None
        return last.reason, None if run.stop == PRUNED else run.stop


# For a worker in another process, perhaps on another machine


@dataclass(frozen=True)
class Task:
    """A trial as it is sent to a worker.

    Args:
        path: the configuration's file, which own files lie beside.
        text: what to read in its place.
        place: the run directory.
        sweep: the sweep's directory, whose lock the process that sends it holds.
        below: the directory where all of these paths begin.
        agreed: hashes of the user's own Python that may be imported.
    """

    path: str
    text: str
    place: str
    sweep: str
    below: str
    agreed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What a worker answers.

    Args:
        outcome: how the run ended.
        stop: the signal that ended it; then it is not over.
        error: exit code and message of a failure.
    """

    outcome: str | None = None
    stop: str | None = None
    error: tuple[int, str] | None = None


def perform(task: Task) -> Record:
    """Trains a trial, unless it is over; waits where another worker trains it."""
    consent.agree(task.agreed)
    try:
        return _perform(task)
    except LenetError as error:
        return Record(error=(error.exit_code, str(error)))


def _perform(task: Task) -> Record:
    try:
        os.chdir(task.below)
    except OSError as error:
        what = f"{platform.node()}: {task.below}: {error.strerror}"
        raise LenetError(f"{what}; the machines of a sweep share its disk, at the same place") from None
    place, sweep = Path(task.place), Path(task.sweep)
    if not is_locked(sweep):
        raise LenetError(
            f"{platform.node()}: {sweep} is not locked: the command that shares out its trials is gone, or the locks "
            "of that disk do not reach this machine; those of NFS 4 do"
        )
    while (held := claim(place)) is None:
        if not is_locked(sweep):
            return Record(stop=GIVEN_UP)
        time.sleep(PAUSE)
    with held:
        outcome = ended(place)
        if outcome is not None:
            return Record(outcome)
        return Record(
            *train(place, lambda: configuration.load(task.path, text=task.text), lambda run, _: [Awaited(run, sweep)])
        )


class Awaited:
    """Listens to a run, and ends it in order where the process that shares out the trials is gone."""

    def __init__(self, run: Run, sweep: Path) -> None:
        self.run, self.sweep, self.last = run, sweep, time.monotonic()

    def __call__(self, event: Event) -> None:
        if time.monotonic() - self.last >= LOOK:
            self.last = time.monotonic()
            if not is_locked(self.sweep):
                self.run.stop = self.run.stop or GIVEN_UP
