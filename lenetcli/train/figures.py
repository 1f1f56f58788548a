"""When a step's loss is read: at once on the CPU, some steps later on a device.

Reading a number of a device waits until the device has come to it. So a run there keeps its losses and counts as arrays
of the device, and fetches them together every `CADENCE` steps; events of the steps come then, in order. What was seen
and kept is the same: only the divergence guard speaks up to `CADENCE` steps later, and gradients are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from lenetcli._tensor import Tensor
from lenetcli.errors import ConfigError
from lenetcli.kernels.device import to_host
from lenetcli.train import guard
from lenetcli.train.evaluate import Tally, is_classification
from lenetcli.train.events import Step
from lenetcli.train.run import Run

CADENCE = 32  # steps whose losses are fetched together


class Figures(Protocol):
    """What is told of each batch and step."""

    tally: Tally  # of the epoch
    loss: float  # of the step, as far as its batches are known

    def batch(self, loss: Tensor, part: float, output: Tensor, targets: Tensor) -> None:
        """Takes a batch's loss, its part of the step, and what came out beside what should."""

    def step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        """Closes a step that has been made; gives the steps whose figures are known by now."""

    def rest(self) -> Iterator[Step]:
        """The steps that are left, once their figures are known."""


def figures_of(run: Run, tally: Tally) -> Figures:
    """The way that suits the run's device."""
    if run.device != "cpu" and run.others is not None:
        raise ConfigError("several processes train on the CPU only: device: cpu")
    return AtOnce(run, tally) if run.device == "cpu" else Late(run, tally)


class AtOnce:
    """Every number as soon as it is there."""

    def __init__(self, run: Run, tally: Tally) -> None:
        self.run, self.tally = run, tally
        self.loss = 0.0

    def batch(self, loss: Tensor, part: float, output: Tensor, targets: Tensor) -> None:
        value = loss.item() if part else 0.0  # a process's part of a last batch may be empty
        self.loss += part * value
        guard.check_loss(self.run, value)
        self.tally.add(value, output, targets)

    def step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        p, tally = self.run.progress, self.tally
        p.epoch_loss_sum, p.epoch_count, p.epoch_right = tally.loss_sum, tally.count, tally.right
        yield Step(epoch, p.step, self.loss, lr, samples, samples / (time.perf_counter() - began))

    def rest(self) -> Iterator[Step]:
        yield from ()


class Batch(NamedTuple):
    """A batch that waits for its figures."""

    part: float
    samples: int
    classes: bool  # whether right answers were counted


class Late:
    """Numbers of the device, fetched together."""

    def __init__(self, run: Run, tally: Tally) -> None:
        self.run, self.tally, self.loss = run, tally, 0.0
        self.numbers: list[Any] = []  # loss and count of right answers of each batch, arrays of no dimensions
        self.batches: list[Batch] = []
        self.steps: list[tuple[int, int, float, int, int]] = []  # epoch, step, rate, samples, batches
        self.since = time.perf_counter()

    def batch(self, loss: Tensor, part: float, output: Tensor, targets: Tensor) -> None:
        classes = is_classification(output, targets)
        self.numbers.append(loss.array)
        if classes:
            right = (output.array.argmax(axis=1) == targets.array).sum(dtype=loss.array.dtype)
            self.numbers.append(right)
        self.batches.append(Batch(part, len(output.array), classes))

    def step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        made = sum(count for *_, count in self.steps)
        self.steps.append((epoch, self.run.progress.step, lr, samples, len(self.batches) - made))
        if len(self.steps) >= CADENCE:
            yield from self.rest()

    def rest(self) -> Iterator[Step]:
        if not self.steps:
            return
        values = iter(to_host(np.stack(self.numbers)).tolist())
        batches = iter(self.batches)
        found = []
        for epoch, number, lr, samples, count in self.steps:
            loss = 0.0
            for batch in (next(batches) for _ in range(count)):
                value = next(values)
                guard.check_loss(self.run, value, self.run.progress.step + 1 - number)
                self.tally.count_in(value, batch.samples, round(next(values)) if batch.classes else None)
                loss += batch.part * value
            found.append((epoch, number, loss, lr, samples))
        now = time.perf_counter()
        speed = sum(step[3] for step in self.steps) / (now - self.since)
        self.numbers, self.batches, self.steps, self.since = [], [], [], now
        p, tally = self.run.progress, self.tally
        p.epoch_loss_sum, p.epoch_count, p.epoch_right = tally.loss_sum, tally.count, tally.right
        for figures in found:
            yield Step(*figures, speed)
