"""A run of objects that a script has made, trained and used in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.build.targets import check_classes_of
from lenetcli.data.dataset import gather
from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.data.predictions import BATCH, Prediction, ranked
from lenetcli.nn.module import Module
from lenetcli.runs import directory
from lenetcli.runs.history import History, history_of
from lenetcli.runs.session import Listener, Session
from lenetcli.tensors.serialization import save as save_weights
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train.answers import answered, meaning
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.events import Event
from lenetcli.train.run import Run


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


def _like(array: Any, kind: np.dtype[Any]) -> Any:
    """Inputs in the type of those that the model was trained on.

    Raises:
        DataError: fractions, where those are whole numbers.
    """
    if array.dtype.kind == "f" and kind.kind in "iub" and not (array == np.floor(array)).all():
        raise DataError(f"predict: the model was trained on {kind}, got fractions ({array.dtype})")
    return array.astype(kind)
