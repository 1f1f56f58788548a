"""A run trained again, up to any of its steps: what no checkpoint kept can be had once more.

On one machine a run repeats from its configuration to the last bit. Whether it did is seen by the losses: each that is
made again has to be the one that the run has written down.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.build.parts import build_run, config_of_run, load_config_of
from lenetcli.build.places import check_changes, check_words
from lenetcli.config import Config
from lenetcli.config.user_code import blamed
from lenetcli.data.dataset import numbering
from lenetcli.disk import Unreadable
from lenetcli.errors import CheckFailed, ConfigError, DataError
from lenetcli.inspection.step.record import advance
from lenetcli.runs.beginning import begun
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.runs.directory import environment, read_environment
from lenetcli.runs.history import History, read_history
from lenetcli.runs.open import load_training
from lenetcli.runs.resume_rules import go_on_at
from lenetcli.train.events import Changed, Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run

BITS = ("lenet", "numpy", "processor", "kernels", "gpu", "ranks")  # parts of environment.json that may change bits
CLOSE = 1e-5  # how near losses are, relatively, that several processes and one of them alone make
REPEATED = ("optimizer.lr", "train.epochs")  # changes that count while a run is trained again


@dataclass(frozen=True)
class Recorded:
    """A run of a directory, to be trained again.

    Args:
        make: builds it at its beginning, with some values of its configuration changed.
    """

    place: Path
    make: Callable[[list[str]], Run]
    history: History

    @classmethod
    def of(cls, place: Path, places: Iterable[str] = ()) -> Recorded:
        """A run directory's.

        Args:
            places: where its data lies now, as data.root=DIR.

        Raises:
            ConfigError: no run directory.
            DataError: it has made no step, or its file of events cannot be read.
        """
        load_config_of(place)
        return cls(place, partial(_beginning, place, list(places)), read_history(place))

    @property
    def losses(self) -> dict[int, float]:
        """Of each step that it has written down."""
        steps = self.history.steps
        return dict(zip(steps.step.astype(int).tolist(), steps.loss.tolist()))

    @property
    def last(self) -> int:
        """Its last step that is written down."""
        return int(self.history.steps.step.max(initial=0))

    @property
    def within(self) -> float:
        """How far a loss that is made again may be from the recorded one, relatively."""
        ranks = _environment(self.place).get("ranks")
        return CLOSE if isinstance(ranks, int) and ranks > 1 else 0.0


class Replayed:
    """A recorded run on its way again, from a checkpoint or from its beginning.

    Args:
        begun: the step of the checkpoint; 0: the beginning.
        without: numbers, in the training data, of samples that the batches go without: another training, whose losses
            are not the recorded ones.

    Attributes:
        run: as it stands after the step that was made last.
        checked: how many losses were compared with those that are written down.

    Raises:
        DataError: the checkpoint is damaged.
    """

    def __init__(self, recorded: Recorded, begun: int = 0, without: Sequence[int] = ()) -> None:
        self.place, self.losses, self.begun = recorded.place, {} if without else recorded.losses, begun
        self.within, self.checked = recorded.within, 0
        self._changes = list(recorded.history.changes)
        checkpoints = Checkpoints(self.place)
        values = _values(checkpoints.read_state(checkpoints.root / f"{begun:06d}")) if begun else _first(self._changes)
        self.run = run = recorded.make([f"{path}={json.dumps(value)}" for path, value in values.items()])
        if without:
            loader = run.train_loader
            loader.without, run.keep_features = np.flatnonzero(np.isin(numbering(loader.dataset), without)), 0
        if begun:
            checkpoints.look(run, begun)
        at = begun, run.progress.epoch
        self._changes = [change for change in self._changes if _is_ahead(change, at, values)]
        # Nothing is saved, and nothing ends it.
        run.epochs, run.early_stopping, run.max_seconds, run.checkpoints = sys.maxsize, None, None, None
        run.changes = {}
        self._events = self._followed()

    def advance(self, step: int) -> Step:
        """Makes the next step, which has to be this one.

        Raises:
            CheckFailed: its loss is not the recorded one.
        """
        with blamed(lambda: f"when step {step} was made again"):
            made = next(event for event in self._events if isinstance(event, Step))
        wanted = self.losses.get(step)
        if made.step != step or (wanted is not None and not math.isclose(made.loss, wanted, rel_tol=self.within)):
            what = f"the loss of step {step} was {wanted!r}, is {made.loss!r} now"
            raise CheckFailed(f"{self.place} does not repeat here: {what}{_elsewhere(self.place)}")
        self.checked += wanted is not None
        return made

    def finish_epoch(self) -> None:
        """Where the step was an epoch's last one, makes what comes before the next: the evaluation, the schedule."""
        with blamed(lambda: f"at the end of epoch {self.run.progress.epoch + 1}, when it was made again"):
            while self.run.progress.batch >= self.run.batches:
                next(self._events)
        self.run.begin_training()  # with the whole model, whatever is kept of frozen layers

    def _followed(self) -> Iterator[Any]:
        """The events; between them, what was changed while the run was stopped is changed again."""
        self._follow_changes()
        for event in fit(self.run):
            yield event
            self._follow_changes()

    def _follow_changes(self) -> None:
        p, run = self.run.progress, self.run
        while self._changes and _place(self._changes[0]) <= (p.step, p.epoch):
            rate = self._changes.pop(0).changes.get("optimizer.lr")
            if rate is not None and run.config is not None:
                go_on_at(run, rate[1])


def replayed_to(place: Path, places: Iterable[str], step: int) -> Replayed:
    """A run as it stood after one of its steps, before the next.

    It is put back to the newest whole checkpoint up to there, or to its beginning, and trained again from that.

    Args:
        places: where its data lies now, as data.root=DIR.

    Raises:
        ConfigError: it has not made so many steps.
        DataError: files of the run, or its data, are missing or damaged.
        CheckFailed: a loss is not the recorded one.
    """
    recorded = Recorded.of(place, places)
    if step > recorded.last:
        raise ConfigError(f"--at {step}: {place} has made {recorded.last} steps")
    kept = [int(name) for name in Checkpoints(place).names()]
    for start in [*(number for number in reversed(kept) if number <= step), 0]:
        try:
            found = Replayed(recorded, start)
        except Unreadable:
            raise
        except DataError:
            if start == 0:
                raise
            continue  # damaged: an older one does as well
        break
    for number in range(start + 1, step + 1):
        found.advance(number)
    found.finish_epoch()
    return found


def training_at(path: str, changes: list[str], step: int) -> tuple[Config, Run, str]:
    """A training after so many steps: of a configuration from its beginning, of a run directory as it was made.

    Returns:
        The configuration, the run, and how the run was had, in words; none where nothing was recorded.

    Raises:
        ConfigError, DataError, CheckFailed: as `replayed_to`.
    """
    if not Path(path).is_dir():
        config, run = load_training(path, changes)
        advance(run, step)
        return config, run, ""
    found = replayed_to(Path(path), changes, step)
    return config_of_run(Path(path), changes), found.run, _told(found, step)


def _told(found: Replayed, step: int) -> str:
    begun = f"checkpoint {found.begun:06d}" if found.begun else "its beginning"
    if found.begun == step:
        return f"{found.place} after step {step}: {begun}"
    made = step - found.begun
    steps, all_losses = ("1 step", "the loss is") if made == 1 else (f"{made} steps", "the losses are")
    losses = all_losses if found.checked == made else f"{found.checked} of {made} losses are written down,"
    near = f"{'that' if made == 1 else 'those'} of {f'several processes to {CLOSE:g}' if found.within else 'the run'}"
    return f"{found.place} after step {step}: {steps} made again from {begun}; {losses} {near}"


def _beginning(place: Path, places: list[str], changes: list[str]) -> Run:
    """A run of a directory as it began; its own Python is imported now."""
    check_words(places)
    config = config_of_run(place, [*places, *changes])
    check_changes(config, str(place), places)
    return begun(build_run(config), place)


def _place(change: Changed) -> tuple[int, int]:
    """Where in a training it was made: steps and whole epochs before it."""
    return change.step, change.epoch - 1


def _first(changes: list[Changed]) -> dict[str, Any]:
    """What the configuration had before all changes."""
    found: dict[str, Any] = {}
    for change in changes:
        for path in REPEATED:
            if path in change.changes:
                found.setdefault(path, change.changes[path][0])
    return found


def _values(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint's configuration had."""
    found = {}
    for path in REPEATED:
        section, _, key = path.partition(".")
        with suppress(AttributeError, KeyError, TypeError):  # a configuration without it, or none
            found[path] = state["config"][section][key]
    return found


def _is_ahead(change: Changed, at: tuple[int, int], values: dict[str, Any]) -> bool:
    """Whether a change comes after a place of the training, where the configuration had these values."""
    rate = change.changes.get("optimizer.lr")
    return _place(change) > at or (_place(change) == at and rate is not None and rate[0] == values.get("optimizer.lr"))


def _elsewhere(run: Path) -> str:
    """In what the run was made elsewhere, as far as it has written that down."""
    then, now = _bits(_environment(run)), _bits(environment())
    found = [f"{key} {_said(then[key])}, here {_said(now[key])}" for key in then if then[key] != now[key]]
    return f" (it was made with {'; '.join(found)})" if found else ""


def _environment(run: Path) -> dict[str, Any]:
    try:
        return read_environment(run)
    except DataError:
        return {}


def _bits(environment: dict[str, Any]) -> dict[str, Any]:
    """What of an environment may change bits; threads do with NumPy's kernels."""
    threads = environment.get("threads")
    kept = {key: environment.get(key) for key in BITS}
    return kept | {"threads": threads.get("lenet") if isinstance(threads, dict) else None}


def _said(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
