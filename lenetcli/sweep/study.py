"""Trials that Optuna proposes, from a study in a journal file that any number of workers share.

Optuna's journal has no heartbeat (its RDB storage alone has), so a trial's worker is alive while it holds the lock of
the trial's run directory; see trial.py. All that decides who does what happens under one more lock of the system's, and
so does every write to the journal: Optuna's own lock is a file, which a killed worker leaves for the others to wait on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lenetcli.autograd.silence import silence
from lenetcli.errors import ConfigError, DataError
from lenetcli.runs.history import read_history
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.space import Axis
from lenetcli.sweep.trial import claim
from lenetcli.sweep.trials import Claim, Trial
from lenetcli.train.events import Evaluated

JOURNAL = "journal.log"
CLAIMS = "claims"  # the file whose lock is held while a trial is chosen
WARM_UP = 5  # trials that run to their end before others are measured by them


class Proposed:
    """Trials of an Optuna study.

    Args:
        place: the sweep's directory: the journal lies there, and each trial has a run directory below it.
        claim: how a trial is taken.

    Raises:
        ConfigError: Optuna is not installed, or there are no locks here.
        DataError: the journal is damaged.
    """

    def __init__(self, place: Path, plan: Plan, claim: Claim = claim) -> None:
        try:
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend
        except ImportError:
            raise ConfigError("--optuna needs Optuna: python -m pip install 'lenet[sweep]'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        assert plan.count is not None, "a study has a number of trials"
        self.place, self.plan, self._claim = place, plan, claim
        self.total, self.others = plan.count, 0
        self._optuna = optuna
        self._tried: dict[int, Any] = {}  # by number: Optuna's side of the trials that this worker has
        journal = place / JOURNAL
        lock: Any = _JournalLock(journal)
        try:
            storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
            self._study = optuna.create_study(
                storage=storage,
                study_name=place.name,
                direction="maximize" if plan.metric == "accuracy" else "minimize",
                pruner=optuna.pruners.MedianPruner(WARM_UP) if plan.prune else optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{journal}: damaged: {error}") from None

    def take(self) -> Trial | None:
        """A trial whose worker died or, where there are trials left to make, a new one."""
        states = self._optuna.trial.TrialState
        with _system_lock(self.place / CLAIMS):
            known = self._study.get_trials(deepcopy=False)
            running = [trial for trial in known if trial.state == states.RUNNING]
            for found in running:
                trial = self._claimed(self._optuna.trial.Trial(self._study, found._trial_id))
                if trial is not None:
                    return trial
            self.others = len(running)
            if sum(trial.state != states.FAIL for trial in known) >= self.total:
                return None
            self._study.sampler = self._sampler(len(known))
            return self._claimed(self._study.ask())

    def _sampler(self, trials: int) -> Any:
        """A sampler of its own for each trial: workers that began with one seed would propose the same."""
        seed = (self.plan.seed * 1_000_003 + trials) % 2**32
        with silence():  # Optuna before 5 calls constant_liar experimental
            return self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _claimed(self, trial: Any) -> Trial | None:
        number = trial.number + 1
        place = self.place / f"{number:04d}"
        held = self._claim(place)
        if held is None:
            return None
        if trial.storage.get_trial(trial._trial_id).state.is_finished():  # since it was listed: its worker told so
            held.close()
            return None
        try:
            point = {axis.key: _suggested(trial, axis) for axis in self.plan.axes}
        except BaseException:
            held.close()
            raise
        self._tried[number] = trial
        return Trial(number, place, point, held)

    def report(self, trial: Trial, event: Evaluated) -> bool:
        """Tells the study of an evaluation; True where the median of the others at that epoch is better."""
        proposed = self._tried[trial.number]
        value = self._value(event)
        if event.epoch not in proposed.storage.get_trial(proposed._trial_id).intermediate_values:
            proposed.report(value, event.epoch)
        return bool(proposed.should_prune())

    def settle(self, trial: Trial, outcome: str | None) -> None:
        """Tells the study the best value; a trial that diverged counts as pruned: worse than all that did not."""
        states = self._optuna.trial.TrialState
        proposed = self._tried.pop(trial.number)
        if outcome is None:
            self._study.tell(proposed, state=states.FAIL)
        elif outcome in ("pruned", "diverged"):
            self._study.tell(proposed, state=states.PRUNED)
        else:
            best = read_history(trial.place, steps=False).best
            assert best is not None, "a run that has ended was evaluated"
            self._study.tell(proposed, self._value(best))

    def _value(self, event: Evaluated) -> float:
        if self.plan.metric == "loss":
            return event.loss
        assert event.accuracy is not None, "without classes the metric is the loss"
        return event.accuracy


def _suggested(trial: Any, axis: Axis) -> Any:
    """What the study proposes for a key; Optuna calls it by the key's name."""
    if axis.kind == "choice":
        return json.loads(trial.suggest_categorical(axis.key, [json.dumps(value) for value in axis.values]))
    log = axis.kind.startswith("log")
    if axis.kind.endswith("int"):
        return trial.suggest_int(axis.key, int(axis.low), int(axis.high), log=log)
    return trial.suggest_float(axis.key, axis.low, axis.high, log=log)


@contextmanager
def _system_lock(path: Path) -> Iterator[None]:
    """Waits for the system's lock on a file, which ends with the process that holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise ConfigError("--optuna needs a system with flock(); a grid or --random N works here") from None
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            what = f"{path}: cannot be locked: {error.strerror}"
            raise ConfigError(f"{what}; --optuna needs locks, a grid or --random N works here with --no-lock") from None
        yield
    finally:
        os.close(handle)


class _JournalLock:
    """The lock that Optuna takes before it adds lines to the journal."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._held: Any = None

    def acquire(self) -> bool:
        """Waits for the lock, and takes away the torn line of a worker that died while it wrote."""
        held = _system_lock(self.journal.with_suffix(".lock"))
        held.__enter__()
        self._held = held
        with self.journal.open("r+b") as file:
            data = file.read()
            if not data.endswith(b"\n"):
                file.truncate(data.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Gives it back."""
        self._held.__exit__(None, None, None)
