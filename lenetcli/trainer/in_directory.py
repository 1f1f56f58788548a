"""A configuration's run, trained in its directory and used from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.autograd.random import drawing_from
from lenetcli.config import Config, consent
from lenetcli.data import DataLoader
from lenetcli.disk import is_there
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.inspection.data.predictions import BATCH, Prediction, Predictor
from lenetcli.nn.module import Module
from lenetcli.report.training.tensorboard import check_installed
from lenetcli.runs import directory
from lenetcli.runs.history import History, history_of, read_history
from lenetcli.runs.lock import NAME as LOCK
from lenetcli.runs.lock import going_without
from lenetcli.runs.open import Loaded, inputs_of, load_run
from lenetcli.runs.session import Listener, Session
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.run import Run

SPLITS = ("train", "validation", "test")


@dataclass
class InDirectory:
    """A configuration's run, in its directory once it has begun.

    Args:
        run: as it was built; None where the directory knows better.
        out: where the directory shall be.
        places: changes of where the data lies.
        accept_changed: go on with other data or Python than the run was made with.
        no_lock: where there are no locks, train without.
    """

    config: Config
    run: Run | None = None
    out: Path | None = None
    directory: Path | None = None
    listeners: Sequence[Listener] = ()
    places: Sequence[str] = ()
    accept_changed: bool = False
    no_lock: bool = False

    @property
    def title(self) -> str:
        return self.config.name if self.directory is None else str(self.directory)

    @contextmanager
    def session(self, changes: Sequence[str], tensorboard: bool) -> Iterator[Session]:
        if tensorboard:
            check_installed()
        if self.directory is not None:
            wanted = [*self.places, *changes]
            opening = Session.resume(self.directory, wanted, accept_changed=self.accept_changed)
        elif changes:
            raise ConfigError(f"the run has not begun: give {', '.join(changes)} to Trainer(...)")
        else:
            opening = Session.new(self.config, self.out, run=self.run)
        with going_without(self.no_lock), opening as session:
            self.directory = session.directory
            try:
                yield session
            finally:
                self.directory = session.directory  # it may have been moved

    def history(self) -> History:
        place = self.directory
        known = place is not None and is_there(place / "metrics.jsonl")
        return read_history(place) if place is not None and known else history_of([])

    def model(self) -> Module:
        if self.directory is None:
            assert self.run is not None, "a run that has not begun was built"
            return self.run.model
        return self._loaded(self.directory).model

    def evaluate(self, split: str) -> Evaluation:
        if split not in SPLITS:
            raise ConfigError(f"evaluate: wanted {', '.join(SPLITS)}, got {split!r}")
        loaded = self._loaded(self._trained("evaluate"), self.places)
        batches = DataLoader(loaded.split(split), BATCH)
        with drawing_from(loaded.random):
            return evaluate(loaded.model, batches, loaded.criterion, len(loaded.classes))

    def predict(self, images: Any, top: int) -> list[Prediction]:
        place = self._trained("predict")
        loaded = self._loaded(place, self.places)
        predictor = Predictor(loaded.model, loaded.criterion, inputs_of(place, loaded), top)
        if isinstance(images, Tensor):
            images = images.numpy()
        with drawing_from(loaded.random):
            if isinstance(images, np.ndarray):
                return predictor.of(images)
            files = [images] if isinstance(images, (str, Path)) else images
            return list(predictor([str(file) for file in files], _complain))

    def save(self, place: Path) -> Path:
        source = self._trained("save")
        with directory.made(self.config.name, place) as target:
            try:
                rest = shutil.ignore_patterns(LOCK, ".*", "config.yaml")
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=rest)
                directory.write_config(target, directory.read_config_text(source))  # now it is a run
            except (shutil.Error, OSError) as error:
                raise LenetError(f"cannot copy {source} to {target}: {_reason(error)}") from None
        return target

    def _loaded(self, place: Path, places: Sequence[str] = ()) -> Loaded:
        with consent.under(accept_changed=self.accept_changed):
            return load_run(place, places)

    def _trained(self, what: str) -> Path:
        """The run directory, once there is one."""
        if self.directory is None:
            raise ConfigError(f"{what}: nothing has been trained yet; call fit() first")
        return self.directory


def _reason(error: Exception) -> str:
    """Why files could not be copied: the first of the reasons that shutil gathers."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return str(error.args[0][0][-1])
    return getattr(error, "strerror", None) or str(error)


def _complain(error: DataError) -> None:
    raise error
