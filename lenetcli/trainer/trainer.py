"""Trainer: a configuration, trained, evaluated and used from Python as by the commands."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from lenetcli import config as configuration
from lenetcli.autograd.random import drawing_from
from lenetcli.build.parts import build_run, device_of, load_config_of
from lenetcli.config import Config
from lenetcli.config.writing import text
from lenetcli.data import DataLoader
from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.data.predictions import BATCH, Prediction, Predictor
from lenetcli.nn.module import Module
from lenetcli.report.training.listeners import showing
from lenetcli.report.training.notebook import run_html, summary
from lenetcli.report.training.progress import Mode
from lenetcli.report.training.tensorboard import check_installed
from lenetcli.runs import directory
from lenetcli.runs.history import history_of, read_history
from lenetcli.runs.lock import NAME as LOCK
from lenetcli.runs.open import inputs_of, load_run
from lenetcli.runs.session import Session
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.run import Run
from lenetcli.trainer.history import RunHistory

if TYPE_CHECKING:
    from lenetcli.trainer.objects import ObjectTrainer

SPLITS = ("train", "validation", "test")


class Trainer:
    """Trains as `lenet train` does, into the same run directory, and then evaluates and predicts with its best model.

    Args:
        config: a YAML file, or what would stand in one as a dict.
        changes: such as "optimizer.lr=0.1", as on the command line.
        out: the run directory, new or empty; None: the next free runs/<name>/<NNN>.

    Raises:
        ConfigError: the configuration does not work; every problem is in the message.
        DataError: its data cannot be read.

    Example:
        >>> import lenetcli as lenet
        >>> trainer = lenet.Trainer({
        ...     "model": {"input": [1, 8, 8], "layers": [{"type": "Flatten"}, {"type": "Linear", "out_features": 10}]},
        ...     "data": {"type": "Digits"},
        ...     "loss": {"type": "CrossEntropyLoss"},
        ...     "optimizer": {"type": "SGD", "lr": 0.1},
        ...     "train": {"epochs": 3},
        ... })
        >>> trainer.model
        Sequential(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=64, out_features=10, bias=True)
        )
    """

    def __init__(self, config: str | Path | Mapping[str, Any], *changes: str, out: str | Path | None = None) -> None:
        self._config = _loaded(config, changes)
        self._run: Run | None = build_run(
            self._config, device_of(self._config)
        )  # None once the run directory knows better
        self._out = None if out is None else Path(out)
        self.run_directory: Path | None = None

    @classmethod
    def open(cls, run_directory: str | Path) -> Trainer:
        """A run that was trained before, here or by the command.

        Raises:
            ConfigError: no run directory.
        """
        trainer, place = Trainer.__new__(Trainer), Path(run_directory)
        trainer._config, trainer._run, trainer._out = configuration.load(str(load_config_of(place))), None, None
        trainer.run_directory = place
        return trainer

    @staticmethod
    def of(*objects: Any, **options: Any) -> ObjectTrainer:
        """A trainer of a model, optimizer, loss and data that you made; see `ObjectTrainer` for the arguments."""
        from lenetcli.trainer.objects import ObjectTrainer  # which is a Trainer

        return ObjectTrainer(*objects, **options)

    def fit(self, *changes: str, progress: Mode = "auto", tensorboard: bool = False) -> RunHistory:
        """Trains to the end; once more, goes on where it was stopped, or further with changes as `--resume` takes them.

        Args:
            changes: such as "train.epochs=20"; only once the run has begun.
            progress: "auto", "bar", "plain", "json" or "off", as `lenet train --progress`.
            tensorboard: write files for TensorBoard, too, to tensorboard/ in the run directory.

        Raises:
            DivergedError: a loss, gradient or weight became NaN or infinite.
            ConfigError: another process trains there, or a change that cannot be made.
        """
        if tensorboard:
            check_installed()
        if self.run_directory is not None:
            opening = Session.resume(self.run_directory, changes)
        elif changes:
            raise ConfigError(f"the run has not begun: give {', '.join(changes)} to Trainer(...)")
        else:
            opening = Session.new(self._config, self._out, run=self._run)
        with opening as session:
            self.run_directory = session.directory
            with showing(session, progress, tensorboard) as shown:
                session.follow(shown)
        return self.history

    @property
    def history(self) -> RunHistory:
        """Everything that has happened so far.

        Raises:
            DataError: the run directory's file is damaged.
        """
        place = self.run_directory
        known = place is not None and (place / "metrics.jsonl").exists()
        return RunHistory.of(read_history(place) if place is not None and known else history_of([]))

    @property
    def model(self) -> Module:
        """The best model so far, in evaluation mode; before training, the model with its initial weights."""
        if self.run_directory is None:
            assert self._run is not None, "a run that has not begun was built"
            return self._run.model
        return load_run(self.run_directory).model

    def evaluate(self, split: str = "test") -> Evaluation:
        """Loss, accuracy, confusion and more of the best model.

        Args:
            split: "test", "train" or, where training holds some back, "validation".

        Raises:
            ConfigError: there is no such split, or nothing has been trained.
        """
        if split not in SPLITS:
            raise ConfigError(f"evaluate: wanted {', '.join(SPLITS)}, got {split!r}")
        loaded = load_run(self._trained("evaluate"))
        batches = DataLoader(loaded.split(split), BATCH)
        with drawing_from(loaded.random):
            return evaluate(loaded.model, batches, loaded.criterion, len(loaded.classes))

    def predict(self, images: Any, top: int = 3) -> list[Prediction]:
        """The likeliest classes of pictures.

        Args:
            images: a file or directory, a list of them, or pictures in memory as `lenet predict` takes them from a .npy
                file: integers are pixels from 0 to 255, floats are values as after the data's own scaling.
            top: classes of each picture.

        Raises:
            ConfigError: nothing has been trained.
            DataError: a picture cannot be read.
        """
        place = self._trained("predict")
        loaded = load_run(place)
        predictor = Predictor(loaded.model, loaded.criterion, inputs_of(place, loaded), top)
        if isinstance(images, Tensor):
            images = images.numpy()
        with drawing_from(loaded.random):
            if isinstance(images, np.ndarray):
                return predictor.of(images)
            files = [images] if isinstance(images, (str, Path)) else images
            return list(predictor([str(file) for file in files], _complain))

    def save(self, place: str | Path) -> Path:
        """Copies the run directory to a new place.

        Raises:
            ConfigError: the place is taken, or nothing has been trained.
            LenetError: it cannot be written.
        """
        source = self._trained("save")
        target = directory.create(self._config.name, Path(place))
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LOCK, ".*"))
        return target

    def _trained(self, what: str) -> Path:
        """The run directory, once there is one."""
        if self.run_directory is None:
            raise ConfigError(f"{what}: nothing has been trained yet; call fit() first")
        return self.run_directory

    @property
    def _title(self) -> str:
        return self._config.name if self.run_directory is None else str(self.run_directory)

    def __repr__(self) -> str:
        return f"Trainer({self._title}: {summary(self.history)})"

    def _repr_html_(self) -> str:
        return run_html(self.history, self._title)


def _loaded(config: str | Path | Mapping[str, Any], changes: Sequence[str]) -> Config:
    if not isinstance(config, Mapping):
        return configuration.load(config, changes)
    try:
        written = text(dict(config))
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration cannot be written as YAML: {error.args[-1]!r}") from None
    return configuration.load("notebook", changes, written)


def _complain(error: DataError) -> None:
    raise error
