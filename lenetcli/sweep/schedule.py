"""The process that shares out the trials of a sweep: it alone proposes them, workers of any kind train them.

Who gets which trial, what happens when a worker dies, and the way to it are the executor's: see executors.py. That a
trial is never trained twice at a time is what the locks of the run directories are for: see trial.py.
"""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lenetcli.config import consent, dump
from lenetcli.errors import ConfigError, LenetError
from lenetcli.parallel.communicator import ERRORS
from lenetcli.runs.lock import Busy, holder, locked
from lenetcli.sweep.executors import Pool
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.trial import Record, Task, perform
from lenetcli.sweep.trials import Trial, Trials
from lenetcli.sweep.work import Tell
from lenetcli.train.signals import polite_stop

LOOK = 1.0  # seconds between two looks for a signal
GRACE = 60.0  # seconds in which workers save after one


class Submitted:
    """Claims of the process that shares out: a trial that is on its way to a worker is not given to another.

    Its run directory's lock is the worker's to take.
    """

    def __init__(self) -> None:
        self.places: set[Path] = set()

    def __call__(self, place: Path) -> ExitStack | None:
        if place in self.places:
            return None
        self.places.add(place)
        held = ExitStack()
        held.callback(self.places.discard, place)
        return held


@dataclass
class _Wishes:
    stop: str | None = None
    save_now: bool = False


def share_out(plan: Plan, trials: Trials, pool: Pool, told: Tell) -> str | None:
    """Has every trial that is left trained by the pool.

    Args:
        told: hears of each trial that is over, and how it ended.

    Returns:
        The signal that ended it; None where all trials are over.

    Raises:
        Busy: another process shares them out.
        ConfigError: a trial's configuration does not work.
        LenetError: a trial failed in a way that others will, too, or the pool is gone.
    """
    running: dict[Future[Record], Trial] = {}
    wishes = _Wishes()
    try:
        with polite_stop(wishes), _alone(trials.place):
            while wishes.stop is None:
                _submit(plan, trials, pool, running)
                if not running:
                    return None
                for future in wait(running, LOOK, FIRST_COMPLETED).done:
                    trial = running.pop(future)
                    with trial.held:
                        try:
                            record = _answer(future, trial)
                        except ConfigError:
                            trials.settle(trial, None)
                            raise
                        wishes.stop = wishes.stop or record.stop
                        if record.outcome is None or record.stop is not None:
                            continue  # its way was lost: it is taken once more
                        trials.settle(trial, record.outcome)
                    told(trial, record.outcome)
            return wishes.stop
    except SystemExit:  # a second signal: at once
        running.clear()
        raise
    finally:
        wait(running, GRACE)  # the sweep's lock is free, so that the workers save and end


def _alone(place: Path) -> ExitStack:
    held = ExitStack()
    try:
        held.enter_context(locked(place))
    except Busy:
        raise Busy(f"{place}: another command shares out its trials: {holder(place)}") from None
    return held


def _submit(plan: Plan, trials: Trials, pool: Pool, running: dict[Future[Record], Trial]) -> None:
    """Keeps every worker busy; proposals that learn from results are made as late as that allows."""
    most = max(1, pool.workers()) * (1 if plan.way == "optuna" else 2)
    while len(running) < most and (trial := trials.take()) is not None:
        try:
            text = dump(plan.config(trial.point))
        except ConfigError:
            with trial.held:
                trials.settle(trial, None)
            raise
        task = Task(plan.path, text, str(trial.place), str(trials.place), os.getcwd(), tuple(consent.agreed()))
        running[pool.submit(perform, task)] = trial


def _answer(future: Future[Record], trial: Trial) -> Record:
    try:
        record = future.result()
    except CancelledError:
        return Record()
    except Exception as error:
        raise LenetError(f"trial {trial.number}: {type(error).__name__}: {str(error)[:500]}") from None
    if record.error is not None:
        code, text = record.error
        raise ERRORS.get(code, LenetError)(text)
    return record
