"""A worker: takes trial after trial until none is left, its own or another's that died."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lenetcli.build.parts import build_run, device_of
from lenetcli.errors import ConfigError, DivergedError
from lenetcli.runs.session import Listener, begin, follow, go_on
from lenetcli.runs.table import RunRow, find, ordered, read_run
from lenetcli.sweep.claim import Touch, ended
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.trials import Trial, Trials
from lenetcli.train.events import Evaluated, Event
from lenetcli.train.run import Run
from lenetcli.train.stopping import PRUNED

PAUSE = 0.5  # seconds between two looks at what others do

Tell = Callable[[Trial, str], None]


def work(
    plan: Plan, trials: Trials, told: Tell, waits: Callable[[int], None], also: Listener | None = None
) -> str | None:
    """Trains every trial that is left, and waits for those of others, to take over where their worker dies.

    Args:
        told: hears of each trial that this worker is through with, and how it ended.
        waits: hears how many trials others are training, where nothing is left for this worker.
        also: gets every event of every trial.

    Returns:
        The signal that ended it; None where all trials are over.

    Raises:
        ConfigError: a trial's configuration does not work.
        LenetError: a trial failed in a way that others will, too.
    """
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
                outcome, stop = _train(plan, trials, trial, also)
                if stop is not None:
                    return stop
            trials.settle(trial, outcome)
        told(trial, outcome)


def _train(plan: Plan, trials: Trials, trial: Trial, also: Listener | None) -> tuple[str, str | None]:
    """How the trial's run ended, and the signal that ended it."""
    try:
        if (trial.place / "config.yaml").is_file():
            run, _ = go_on(trial.place)
        else:
            config = plan.config(trial.point)
            run = build_run(config, device_of(config))
            begin(config, run, trial.place)
    except ConfigError:
        trials.settle(trial, None)
        raise

    def judge(event: Event) -> None:
        if isinstance(event, Evaluated) and event.split != "train" and trials.report(trial, event):
            run.stop = run.stop or PRUNED

    try:
        last = follow(run, trial.place, [Touch(trial.place), judge, *([also] if also is not None else [])])
    except DivergedError:
        return "diverged", None
    return last.reason, _signal(run)


def _signal(run: Run) -> str | None:
    return None if run.stop == PRUNED else run.stop


def results(plan: Plan, place: Path) -> list[RunRow]:
    """The runs of a sweep, the best first."""
    rows = [read_run(run) for run in find(place)]
    return ordered(rows, plan.metric) if rows else []
