"""A trainer of objects: a module, an optimizer, a loss and data that a script has made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.data.dataset import gather
from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.data.predictions import BATCH, Prediction, ranked
from lenetcli.nn.module import Module
from lenetcli.optim.optimizer import Optimizer
from lenetcli.report.training.listeners import showing
from lenetcli.report.training.progress import Mode
from lenetcli.runs import directory
from lenetcli.runs.history import history_of
from lenetcli.runs.session import Session
from lenetcli.tensors.serialization import save as save_weights
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train.answers import answered, meaning
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.events import Event
from lenetcli.train.run import Run
from lenetcli.train.schedule import unit_of
from lenetcli.trainer.history import RunHistory
from lenetcli.trainer.trainer import Trainer


class ObjectTrainer(Trainer):
    """Trains a model that you made, in memory: it has the weights of the last step, and `save` writes them.

    Args:
        train, test: a pair (inputs, targets) of tensors or arrays, a data set, or a DataLoader.
        scheduler: stepped after each epoch or, where its class is meant for that (OneCycleLR, CyclicLR), each batch.
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

    def __init__(
        self, model: Module, optimizer: Optimizer, criterion: Module, train: Any, test: Any, *, epochs: int = 1,
        batch_size: int = 64, scheduler: Any = None, classes: Sequence[str] = (), seed: int = 0,
        scheduler_step: Literal["epoch", "batch"] | None = None, watch: Literal["loss", "accuracy"] | None = None,
    ) -> None:  # fmt: skip
        loaders = _loader(train, batch_size, seed, shuffle=True), _loader(test, BATCH, seed, shuffle=False)
        if scheduler is not None:
            scheduler_step = scheduler_step or unit_of(scheduler)  # type: ignore[assignment]  # one of the two
        self._objects = Run(
            model, criterion, optimizer, *loaders, epochs, scheduler, tuple(classes),
            scheduler_step=scheduler_step, scheduler_watch=watch,
        )  # fmt: skip
        self._seed, self._objects.random = seed, Generator().begin(seed, DROPOUT)
        self._events: list[Event] = []
        self.run_directory = None

    def fit(self, *changes: str, progress: Mode = "auto", tensorboard: bool = False) -> RunHistory:
        """Trains to the end; once more, goes on where it was stopped. See `Trainer.fit`; there is nothing to change."""
        if changes:
            raise ConfigError(f"a trainer of objects has no configuration to change: {', '.join(changes)}")
        if tensorboard:
            raise ConfigError("a trainer of objects has no run directory for TensorBoard's files")
        run = self._objects
        run.stop = None
        session = Session(run)
        try:
            with showing(session, progress) as shown:
                session.follow([self._events.append, *shown])
        finally:
            run.progress.seconds = run.elapsed
        return self.history

    @property
    def history(self) -> RunHistory:
        """Everything that has happened so far."""
        return RunHistory.of(history_of(self._events))

    @property
    def model(self) -> Module:
        """The model as it is now."""
        return self._objects.model

    def evaluate(self, split: str = "test") -> Evaluation:
        """Loss, accuracy and more on "test" or "train"; a confusion matrix where the classes have names."""
        run = self._objects
        loaders = {"train": run.train_loader, "test": run.test_loader}
        if split not in loaders:
            raise ConfigError(f"evaluate: wanted train or test, got {split!r}")
        with drawing_from(self._random):
            return evaluate(run.model, loaders[split], run.criterion, len(run.classes))

    def predict(self, images: Any, top: int = 3) -> list[Prediction]:
        """What the model says of inputs as it takes them, (N, ...): the likeliest classes, or its numbers.

        Args:
            images: of the type that the training data has, or of one that becomes it without loss of meaning.
            top: classes of each.

        Raises:
            DataError: they are no numbers, or fractions where the model takes whole ones.
        """
        run = self._objects
        array = images.numpy() if isinstance(images, Tensor) else np.asarray(images)
        if array.dtype.kind not in "fiub":
            raise DataError(f"predict: wanted inputs of the model, numbers, got {array.dtype}")
        array = _like(array, gather(run.train_loader.dataset, np.zeros(1, np.int64))[0].dtype)
        found: list[Prediction] = []
        random = self._random
        training = run.model.training
        run.model.eval()
        try:
            for start in range(0, len(array), BATCH):
                with no_grad(), drawing_from(random):
                    output = run.model(from_numpy(array[start : start + BATCH])).array
                known = run.classes or ("0",) * (meaning(run.criterion) is None and output.ndim == 2)
                rows, names = answered(output, run.criterion, known)
                found += [ranked("inputs", start + i, row, names, top) for i, row in enumerate(rows)]
        finally:
            run.model.train(training)
        return found

    def save(self, place: str | Path) -> Path:
        """Writes model.safetensors, metrics.jsonl and environment.json to a new directory.

        Raises:
            ConfigError: the place is taken.
            LenetError: it cannot be written.
        """
        target = directory.create(self._title, Path(place))
        save_weights(self.model.state_dict(), target / "model.safetensors")
        directory.write_environment(target)
        kept = directory.MetricsFile(target)
        for event in self._events:
            kept(event)
        kept.close()
        return target

    @property
    def _random(self) -> Generator:
        """What layers draw from that do so in use, too: the same numbers each time."""
        return Generator().begin(self._seed, DROPOUT)

    @property
    def _title(self) -> str:
        return type(self.model).__name__


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
