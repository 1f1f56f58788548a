"""Trainer: a configuration or objects of a script, trained, evaluated and used from Python as by the commands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from lenetcli import config as configuration
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.build.parts import build_run, device_of, load_config_of
from lenetcli.build.places import check_changes
from lenetcli.build.targets import check_classes_of
from lenetcli.config import Config, consent
from lenetcli.config.writing import text
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.data.dataset import gather
from lenetcli.disk import is_there
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.inspection.data.predictions import BATCH, Prediction, Predictor, ranked
from lenetcli.nn.module import Module
from lenetcli.optim.optimizer import Optimizer
from lenetcli.report.training.listeners import showing
from lenetcli.report.training.notebook import run_html, summary
from lenetcli.report.training.progress import Mode
from lenetcli.report.training.tensorboard import check_installed
from lenetcli.runs import directory
from lenetcli.runs.history import History, history_of, read_history
from lenetcli.runs.lock import NAME as LOCK
from lenetcli.runs.lock import going_without
from lenetcli.runs.open import Loaded, inputs_of, load_run
from lenetcli.runs.session import Listener, Session
from lenetcli.tensors.serialization import save as save_weights
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train.answers import answered, meaning
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.events import Event
from lenetcli.train.run import Run
from lenetcli.train.schedule import unit_of
from lenetcli.train.signals import EXIT_CODES

SPLITS = ("train", "validation", "test")


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
            config = configuration.load(str(load_config_of(place)), changes)
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


@dataclass
class InMemory:
    """A run of objects that a script has made, and the events of it."""

    run: Run
    seed: int
    events: list[Event] = field(default_factory=list)
    directory: Path | None = None  # there is none

    @property
    def listeners(self) -> Sequence[Listener]:
        return (self.events.append,)

    @property
    def title(self) -> str:
        return type(self.run.model).__name__

    @property
    def random(self) -> Generator:
        """What layers draw from that do so in use, too: the same numbers each time."""
        return Generator().begin(self.seed, DROPOUT)

    @contextmanager
    def session(self, changes: Sequence[str], tensorboard: bool) -> Iterator[Session]:
        check_classes_of(self.run)
        if changes:
            raise ConfigError(f"a trainer of objects has no configuration to change: {', '.join(changes)}")
        if tensorboard:
            raise ConfigError("a trainer of objects has no run directory for TensorBoard's files")
        run = self.run
        run.stop = None
        try:
            yield Session(run)
        finally:
            run.progress.seconds = run.elapsed

    def history(self) -> History:
        return history_of(self.events)

    def model(self) -> Module:
        return self.run.model

    def evaluate(self, split: str) -> Evaluation:
        run = self.run
        loaders = {"train": run.train_loader, "test": run.test_loader}
        check_classes_of(run)
        if split not in loaders:
            raise ConfigError(f"evaluate: wanted train or test, got {split!r}")
        with drawing_from(self.random):
            return evaluate(run.model, loaders[split], run.criterion, len(run.classes))

    def predict(self, images: Any, top: int) -> list[Prediction]:
        run = self.run
        array = images.numpy() if isinstance(images, Tensor) else np.asarray(images)
        if array.dtype.kind not in "fiub":
            raise DataError(f"predict: wanted inputs of the model, numbers, got {array.dtype}")
        trained = gather(run.train_loader.dataset, np.zeros(1, np.int64))
        array = _like(array, trained[0].dtype)
        numbered = meaning(run.criterion) is None and trained[1].dtype.kind in "iu"  # a loss of one's own, of classes
        found: list[Prediction] = []
        random, training = self.random, run.model.training
        run.model.eval()
        try:
            for start in range(0, len(array), BATCH):
                with no_grad(), drawing_from(random):
                    output = run.model(from_numpy(array[start : start + BATCH])).array
                known = run.classes or ("0",) * (numbered and output.ndim == 2)
                rows, names = answered(output, run.criterion, known)
                found += [ranked("inputs", start + i, row, names, top) for i, row in enumerate(rows)]
        finally:
            run.model.train(training)
        return found

    def save(self, place: Path) -> Path:
        with directory.made(self.title, place) as target:
            save_weights(self.run.model.state_dict(), target / "model.safetensors")
            directory.write_environment(target)
            with closing(directory.MetricsFile(target)) as written:
                for event in self.events:
                    written(event)
        return target


def _reason(error: Exception) -> str:
    """Why files could not be copied: the first of the reasons that shutil gathers."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return str(error.args[0][0][-1])
    return getattr(error, "strerror", None) or str(error)


def _like(array: Any, kind: np.dtype[Any]) -> Any:
    """Inputs in the type of those that the model was trained on.

    Raises:
        DataError: fractions, where those are whole numbers.
    """
    if array.dtype.kind == "f" and kind.kind in "iub" and not (array == np.floor(array)).all():
        raise DataError(f"predict: the model was trained on {kind}, got fractions ({array.dtype})")
    return array.astype(kind)


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


def _complain(error: DataError) -> None:
    raise error
