"""A worker: takes trial after trial until none is left, its own or another's that died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from lenetcli.errors import ConfigError
from lenetcli.runs.lock import Busy, holder, is_locked
from lenetcli.runs.session import Listener
from lenetcli.runs.table import RunRow, find, ordered, read_run
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.trial import PAUSE, ended, train
from lenetcli.sweep.trials import Trial, Trials
from lenetcli.train.events import Evaluated, Event
from lenetcli.train.run import Run
from lenetcli.train.stopping import PRUNED

Tell = Callable[[Trial, str], None]


class Shown(Protocol):
    """Shows a trial while it trains."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """Puts the terminal back in order."""


Show = Callable[[Trial, Run], Shown]


def work(
    plan: Plan, trials: Trials, told: Tell, waits: Callable[[int], None], also: Listener | None = None,
    show: Show | None = None,
) -> str | None:  # fmt: skip
    """Trains every trial that is left, and waits for those of others, to take over where their worker dies.

    Args:
        told: hears of each trial that this worker is through with, and how it ended.
        waits: hears how many trials others are training, where nothing is left for this worker.
        also: gets every event of every trial.
        show: gives what shows a trial while it trains.

    Returns:
        The signal that ended it; None where all trials are over.

    Raises:
        ConfigError: a trial's configuration does not work.
        Busy: another process shares out the trials.
        LenetError: a trial failed in a way that others will, too.
    """
    if is_locked(trials.place):
        raise Busy(f"{trials.place}: another command shares out its trials: {holder(trials.place)}")
    waiting = False
    while True:
        trial = trials.take()
        if trial is None:
            if trials.others == 0:
                return None
            if not waiting:
                waits(trials.others)
            waiting = True
            time.sleep(PAUSE)
            continue
        waiting = False
        with trial.held:
            outcome = ended(trial.place)  # a worker may have died after the run's end, before it could say so
            if outcome is None:
                outcome, stop = _train(plan, trials, trial, also, show)
                if stop is not None:
                    return stop
            trials.settle(trial, outcome)
        told(trial, outcome)


def _train(
    plan: Plan, trials: Trials, trial: Trial, also: Listener | None, show: Show | None
) -> tuple[str, str | None]:
    """How the trial's run ended, and the signal that ended it."""

    def listeners(run: Run, opened: ExitStack) -> Iterable[Listener]:
        def prune(event: Event) -> None:
            if isinstance(event, Evaluated) and event.split != "train" and trials.report(trial, event):
                run.stop = run.stop or PRUNED

        found: list[Listener] = [prune, *([also] if also is not None else [])]
        if show is not None:
            found.append(opened.enter_context(closing(show(trial, run))))
        return found

    try:
        return train(trial.place, lambda: plan.config(trial.point), listeners)
    except ConfigError:
        trials.settle(trial, None)
        raise


def results(plan: Plan, place: Path) -> list[RunRow]:
    """The runs of a sweep, the best first."""
    rows = [read_run(run) for run in find(place)]
    return ordered(rows, plan.metric) if rows else []
