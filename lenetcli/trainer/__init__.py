"""Trainer: a configuration or objects of a script, trained, evaluated and used from Python as by the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from lenetcli import config as configuration
from lenetcli.autograd.random import DROPOUT, Generator
from lenetcli.build.parts import build_run, config_of_run, device_of
from lenetcli.build.places import check_changes
from lenetcli.config import Config, consent
from lenetcli.config.writing import text
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.errors import ConfigError
from lenetcli.inspection.data.predictions import BATCH, Prediction
from lenetcli.nn.module import Module
from lenetcli.optim.optimizer import Optimizer
from lenetcli.report.training.listeners import showing
from lenetcli.report.training.notebook import run_html, summary
from lenetcli.report.training.progress import Mode
from lenetcli.runs.history import History
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train.evaluate import Evaluation
from lenetcli.train.run import Run
from lenetcli.train.schedule import unit_of
from lenetcli.train.signals import EXIT_CODES
from lenetcli.trainer.in_directory import InDirectory
from lenetcli.trainer.in_memory import InMemory


@dataclass(frozen=True, repr=False)
class RunHistory(History):
    """Steps, evaluations and end of a run; see `lenetcli.runs.history.History`. A notebook shows it as curves."""

    def __repr__(self) -> str:
        return summary(self)

    def _repr_html_(self) -> str:
        return run_html(self)


class Trainer:
    """Trains as `lenet train` does, into the same run directory, and then evaluates and predicts with its best model.

    Args:
        config: a YAML file, or what would stand in one as a dict.
        changes: such as "optimizer.lr=0.1", as on the command line.
        out: the run directory, new or empty; None: the next free runs/<name>/<NNN>.
        allow_code: to train is to agree to the Python that the configuration names (`type: net.py:Net`): it is told on
            stderr, and remembered. False: only what has been agreed to before is imported.
        no_lock: where the disk or system has no locks, train without: nobody else is there.

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

    def __init__(
        self, config: str | Path | Mapping[str, Any] | InDirectory | InMemory, *changes: str,
        out: str | Path | None = None, allow_code: bool = True, no_lock: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(config, (InDirectory, InMemory)):
            with consent.given() if allow_code else consent.under(allow=False):
                found = _loaded(config, changes)
            place = None if out is None else Path(out)
            config = InDirectory(found, build_run(found, device_of(found)), place, no_lock=no_lock)
        self._training = config

    @classmethod
    def open(
        cls, run_directory: str | Path, *changes: str, allow_code: bool = False, accept_changed: bool = False,
        no_lock: bool = False,
    ) -> Trainer:  # fmt: skip
        """A run that was trained before, here or by the command.

        Args:
            changes: where its data lies now, such as "data.root=DIR".
            allow_code: import the Python that it names, though you have never trained with it.
            accept_changed: go on though that Python, or the data, is not what the run was made with.
            no_lock: where the disk or system has no locks, train without: nobody else is there.

        Raises:
            ConfigError: no run directory, another change, or Python that has not been agreed to.
            DataError: the run was made with other Python than there is now.
        """
        place = Path(run_directory)
        with consent.under(allow=allow_code, accept_changed=accept_changed):
            config = config_of_run(place, changes)
        check_changes(config, str(place), changes)
        opened = InDirectory(config, directory=place, places=changes, accept_changed=accept_changed, no_lock=no_lock)
        return cls(opened)

    @classmethod
    def of(
        cls, model: Module, optimizer: Optimizer, criterion: Module, train: Any, test: Any, *, epochs: int = 1,
        batch_size: int = 64, scheduler: Any = None, classes: Sequence[str] = (), seed: int = 0,
        scheduler_step: Literal["epoch", "batch"] | None = None, watch: Literal["loss", "accuracy"] | None = None,
    ) -> Trainer:  # fmt: skip
        """Trains a model that you made, in memory: it has the weights of the last step, and `save` writes them.

        Args:
            train, test: a pair (inputs, targets) of tensors or arrays, a data set, or a DataLoader.
            scheduler: stepped after each epoch or, where its class is meant for that (OneCycleLR, CyclicLR), batch.
            scheduler_step: step it after each "epoch" or "batch" instead.
            watch: what a ReduceLROnPlateau looks at, "loss" or "accuracy"; by default what its mode means.
            classes: names of the outputs; without them a class is called by its number.
            seed: decides the order of the samples and what dropout drops.

        Example:
            >>> import lenetcli as lenet
            >>> from lenetcli import nn, optim
            >>> net, data = nn.Linear(4, 3), (lenet.randn(12, 4), lenet.randint(0, 3, (12,)))
            >>> trainer = lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss(), data, data)
            >>> trainer.fit(progress="off").judged[0].count
            12
        """
        loaders = _loader(train, batch_size, seed, shuffle=True), _loader(test, BATCH, seed, shuffle=False)
        for name, given, wanted in (
            ("scheduler_step", scheduler_step, ("epoch", "batch")), ("watch", watch, ("loss", "accuracy")),
        ):  # fmt: skip
            if given is not None and given not in wanted:
                raise ConfigError(f"{name}: wanted {' or '.join(wanted)}, got {given!r}")
        if watch == "accuracy" and getattr(scheduler, "mode", "max") == "min":
            raise ConfigError("watch: accuracy should rise, and mode='min' wants a fall; use mode='max'")
        if getattr(criterion, "reduction", "mean") == "none":
            raise ConfigError("the loss of a batch has to be one number: use reduction='mean' or 'sum'")
        if scheduler is not None:
            scheduler_step = scheduler_step or unit_of(scheduler)  # type: ignore[assignment]  # one of the two
        run = Run(
            model, criterion, optimizer, *loaders, epochs, scheduler, tuple(classes),
            scheduler_step=scheduler_step, scheduler_watch=watch, random=Generator().begin(seed, DROPOUT),
        )  # fmt: skip
        return cls(InMemory(run, seed))

    @property
    def run_directory(self) -> Path | None:
        """Where the run is written down; None in memory, and before it has begun."""
        return self._training.directory

    def fit(self, *changes: str, progress: Mode = "auto", tensorboard: bool = False) -> RunHistory:
        """Trains to the end; once more, goes on where it was stopped, or further with changes as `--resume` takes them.

        Args:
            changes: such as "train.epochs=20"; only once the run has begun, and none in memory.
            progress: "auto", "bar", "plain", "json" or "off", as `lenet train --progress`.
            tensorboard: write files for TensorBoard, too, to tensorboard/ in the run directory.

        Raises:
            DivergedError: a loss, gradient or weight became NaN or infinite.
            ConfigError: another process trains there, or a change that cannot be made.
            KeyboardInterrupt: Ctrl-C or another signal that asks for the end came; the last step is saved.
        """
        training = self._training
        with training.session(changes, tensorboard) as session, showing(session, progress, tensorboard) as shown:
            if progress not in ("json", "off"):
                for line in session.notes[session.checkpoint is not None :]:  # not that it goes on
                    session.group.log(line)
            session.follow([*training.listeners, *shown])
        if session.run.stop in EXIT_CODES:  # what is around goes on no more than it would without us
            raise KeyboardInterrupt(f"{session.run.stop} after step {session.run.progress.step}")
        return self.history

    @property
    def history(self) -> RunHistory:
        """Everything that has happened so far.

        Raises:
            DataError: the run directory's file is damaged.
        """
        return RunHistory(**vars(self._training.history()))

    @property
    def model(self) -> Module:
        """The best model so far, in evaluation mode; before training, the model with its initial weights.

        In memory the model itself, as it is now.
        """
        return self._training.model()

    def evaluate(self, split: str = "test") -> Evaluation:
        """Loss, accuracy, confusion and more of the best model; in memory confusion where the classes have names.

        Args:
            split: "test", "train" or, where training holds some back, "validation".

        Raises:
            ConfigError: there is no such split, or nothing has been trained.
        """
        return self._training.evaluate(split)

    def predict(self, images: Any, top: int = 3) -> list[Prediction]:
        """The likeliest classes of pictures.

        Args:
            images: a file or directory, a list of them, or pictures in memory as `lenet predict` takes them from a .npy
                file: integers are pixels from 0 to 255, floats are values as after the data's own scaling. Of a model
                that you made: inputs as it takes them, (N, ...), of the type that the training data has, or of one that
                becomes it without loss of meaning.
            top: classes of each picture.

        Raises:
            ConfigError: nothing has been trained.
            DataError: a picture cannot be read; in memory: no numbers, or fractions where the model takes whole ones.
        """
        return self._training.predict(images, top)

    def save(self, place: str | Path) -> Path:
        """Copies the run directory to a new place; in memory, writes weights, metrics.jsonl and environment.json there.

        `Trainer.open` and every command take up the copy of a run. The weights of a model that you made go into that
        model again, `net.load_state_dict(lenet.load("PLACE/model.safetensors"))`; `lenet import` makes a run of them
        once a configuration describes the model, as `type: my_net.py:Net` for a class of yours.

        Raises:
            ConfigError: the place is taken, or nothing has been trained.
            LenetError: it cannot be written.
        """
        return self._training.save(Path(place))

    def __repr__(self) -> str:
        return f"Trainer({self._training.title}: {summary(self.history)})"

    def _repr_html_(self) -> str:
        return run_html(self.history, self._training.title)


def _loader(data: Any, batch_size: int, seed: int, shuffle: bool) -> DataLoader:
    """Batches of what a user has."""
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, tuple):
        data = TensorDataset(*(part if isinstance(part, Tensor) else from_numpy(np.asarray(part)) for part in data))
    return DataLoader(data, batch_size, shuffle=shuffle, seed=seed)


def _loaded(config: str | Path | Mapping[str, Any], changes: Sequence[str]) -> Config:
    if not isinstance(config, Mapping):
        return configuration.load(config, changes)
    try:
        written = text(dict(config))
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration cannot be written as YAML: {error.args[-1]!r}") from None
    return configuration.load("notebook", changes, written)
