"""Where lessons are tried: fresh runs of the user's configuration, small enough for a few seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import Generator
from lenetcli.data.dataset import gather
from lenetcli.data.loader import DataLoader
from lenetcli.errors import ConfigError
from lenetcli.inspection.statistics import norm, relative_change
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.losses import Losses
from lenetcli.train.run import Run
from lenetcli.train.step import Step

JUDGED = 512  # samples of the test split that judge a lesson's models

TrainingStep = Callable[[Run, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Taken:
    """A training step that was made.

    Args:
        loss: in the middle of the step.
        gradient: the norm of all gradients together, after backward.
        update: the norm of the change of all parameters, relative to theirs.
    """

    loss: float
    gradient: float
    update: float


class Bench:
    """Makes runs and measures them.

    Args:
        make: a fresh run of the configuration: the same weights, the same batches each time.
    """

    def __init__(self, make: Callable[[], Run]) -> None:
        self._make = make
        self.random = Generator()  # what lessons draw from

    def make(self) -> Run:
        """A fresh run; the random numbers begin anew with it."""
        run = self._make()
        if isinstance(run.criterion, Losses):
            raise ConfigError("lessons are about one output and its loss: this model has a list of losses")
        self.random.set_state(run.random.get_state())
        return run

    def train(self, run: Run, step: TrainingStep, steps: int) -> list[Taken]:
        """Makes steps with a training step of the lesson's, up to a loss that is no finite number."""
        run.model.train()
        taken = []
        for inputs, targets in batches(run, steps):
            before = weights(run)
            loss = float(step(run, inputs, targets).item())
            change = relative_change(before, weights(run))
            taken.append(Taken(loss, gradient_norm(run.model), math.nan if change is None else change))
            if not math.isfinite(loss):
                break
        return taken

    def judge(self, run: Run, split: str = "test") -> Evaluation:
        """Loss and accuracy on the first samples of a split, in evaluation mode."""
        loader = run.test_loader if split == "test" else run.train_loader
        count = min(len(loader.dataset), JUDGED)
        return evaluate(run.model, [first_samples(loader, count)], run.criterion)

    def needs_classes(self, run: Run, lesson: str) -> int:
        """The number of classes.

        Raises:
            ConfigError: the configuration's targets are no classes.
        """
        if not run.classes:
            raise ConfigError(f"lab {lesson}: wants data with classes; try it with configs/mlp.yaml")
        return len(run.classes)


def plain_step(run: Run, inputs: Tensor, targets: Tensor) -> Tensor:
    """A training step as it should be, of one batch whatever train.accumulate says."""
    step = Step(run, strict=False)
    step.make([(inputs, targets)])
    return step.loss


def batches(run: Run, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """So many training batches, epoch after epoch."""
    epoch = 0
    while count > 0:
        for inputs, targets, *_ in islice(run.train_loader.batches(epoch), count):
            yield inputs, targets
            count -= 1
        epoch += 1


def first_samples(loader: DataLoader, count: int) -> tuple[Tensor, Tensor]:
    """The first samples of a loader's data as one batch, in the data's own order."""
    (batch,) = islice(DataLoader(loader.dataset, count).batches(0), 1)
    return batch[0], batch[1]


def all_targets(loader: DataLoader, count: int) -> Any:
    """The targets of the first samples."""
    return gather(loader.dataset, np.arange(count))[1]


def output_of(model: Module, inputs: Tensor) -> Any:
    """What the model gives in the mode it is in, as an array."""
    with no_grad():
        return model(inputs).array


def gradient_norm(model: Module) -> float:
    """The norm of all gradients together."""
    return norm(p.grad.array for p in model.parameters() if p.grad is not None)


def weights(run: Run) -> list[Any]:
    """A copy of every parameter."""
    return [p.array.copy() for p in run.model.parameters()]


def paired(wrong: list[Taken], right: list[Taken]) -> Iterator[tuple[int, Taken | None, Taken | None]]:
    """The steps of both ways side by side, numbered from 1; None where one way has ended."""
    for i in range(max(len(wrong), len(right))):
        yield i + 1, wrong[i] if i < len(wrong) else None, right[i] if i < len(right) else None


def side(taken: Taken | None, *names: str) -> tuple[float | None, ...]:
    """Figures of a step; None where there is none."""
    return tuple(None if taken is None else getattr(taken, name) for name in names)


def some(count: int, shown: int = 10) -> list[int]:
    """About so many numbers of 1 ... count, first and last among them.

    Example:
        >>> some(9, 3)
        [1, 5, 9]
    """
    return sorted({1 + round(i * (count - 1) / (shown - 1)) for i in range(shown)})
