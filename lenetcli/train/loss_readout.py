"""When a step's loss is read: at once on the CPU, some steps later on a device.

Reading a number of a device waits until the device has come to it. So a run there keeps its losses and counts as arrays
of the device, and fetches them together every `CADENCE` steps; events of the steps come then, in order. What was seen
and kept is the same: only the divergence guard speaks up to `CADENCE` steps later, and gradients are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from lenetcli.errors import ConfigError
from lenetcli.kernels.device import is_array, to_host
from lenetcli.nn.passes import Played
from lenetcli.tensors.tensor import Tensor
from lenetcli.train import divergence
from lenetcli.train.answers import decisions
from lenetcli.train.evaluate import Tally, weight_of
from lenetcli.train.events import Step
from lenetcli.train.run import Progress, Run
from lenetcli.train.several_tally import AnyTally, SeveralTally, tally_of

CADENCE = 32  # steps whose losses are fetched together


class LossReadout(Protocol):
    """Losses and right answers of batches and steps, as numbers."""

    loss: float  # of the step, as far as its batches are known

    @property
    def tally(self) -> AnyTally:
        """Of the epoch."""

    def add_batch(
        self, loss: Tensor, part: float, output: Tensor, targets: Tensor, played: Played | None = None
    ) -> None:
        """Takes a batch's loss, its part of the step, and what came out beside what should.

        Args:
            played: what counted right answers already.
        """

    def end_step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        """Closes a step that has been made; gives the steps whose losses are known by now."""

    def flush(self) -> Iterator[Step]:
        """The steps that are left, once their losses are known."""


def resumed_tally(run: Run) -> AnyTally:
    """The tally of the current epoch, as far as it has come."""
    p, tally = run.progress, tally_of(run.criterion)
    if isinstance(tally, SeveralTally):
        tally.restore(p.epoch_losses)
        return tally
    tally.sums = p.epoch_loss_sum, p.epoch_weight, p.epoch_count, p.epoch_right, p.epoch_ignored
    return tally


def store_tally(p: Progress, tally: Tally) -> None:
    """Keeps the tally in the progress, for a run that is taken up later."""
    p.epoch_loss_sum, p.epoch_weight, p.epoch_count, p.epoch_right, p.epoch_ignored = tally.sums


def immediate(run: Run, tally: AnyTally) -> LossReadout:
    """Every number as soon as it is there."""
    return SeveralReadout(run, tally) if isinstance(tally, SeveralTally) else ImmediateReadout(run, tally)


def readout_of(run: Run, tally: AnyTally) -> LossReadout:
    """The way that suits the run's device."""
    if run.device != "cpu" and run.reducer is not None:
        raise ConfigError("several processes train on the CPU only: device: cpu")
    if run.device == "cpu" or isinstance(tally, SeveralTally):
        return immediate(run, tally)
    return DeferredReadout(run, tally)


class ImmediateReadout:
    """Every number as soon as it is there."""

    def __init__(self, run: Run, tally: Tally) -> None:
        self.run, self.tally = run, tally
        self.loss = 0.0

    def add_batch(
        self, loss: Tensor, part: float, output: Tensor, targets: Tensor, played: Played | None = None
    ) -> None:
        value = loss.item() if part else 0.0  # a process's part of a last batch may be empty
        self.loss += part * value
        divergence.check_loss(self.run, value)
        if played is None:
            self.tally.add(value, output, targets)
        else:
            samples = len(targets.array)
            self.tally.count_in(value, float(played.counted), samples, played.right, samples - played.counted)

    @property
    def step(self) -> list[float]:
        """The step's loss."""
        return [self.loss]

    @step.setter
    def step(self, losses: Sequence[float]) -> None:
        (self.loss,) = losses

    def end_step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        p = self.run.progress
        store_tally(p, self.tally)
        yield Step(epoch, p.step, self.loss, lr, samples, samples / (time.perf_counter() - began))

    def flush(self) -> Iterator[Step]:
        yield from ()


class SeveralReadout:
    """Every number of several losses as soon as it is there."""

    def __init__(self, run: Run, tally: SeveralTally) -> None:
        self.run, self.tally, self.loss = run, tally, 0.0
        self.parts: dict[str, float] = {}  # of the step, each loss as far as its batches are known

    def add_batch(
        self, loss: Tensor, part: float, output: Tensor, targets: Tensor, played: Played | None = None
    ) -> None:
        raise AssertionError("several losses come by add_losses")

    def add_losses(
        self, loss: Tensor, shares: Sequence[float], parts: Sequence[Tensor | None], output: Any, batch: Any
    ) -> None:
        """Takes a batch's sum of losses, and each of them with its share in the step (None where that is 0)."""
        inputs, targets = batch
        value = loss.item()
        self.loss += value
        divergence.check_loss(self.run, value)
        values = [0.0 if part is None else part.item() for part in parts]
        for term, share, each in zip(self.tally.losses.terms, shares, values):
            self.parts[term.name] = self.parts.get(term.name, 0.0) + share * each
        self.tally.add_losses(values, output, targets, inputs)

    @property
    def step(self) -> list[float]:
        """The step's loss, and each of several."""
        return [self.loss, *self.parts.values()]

    @step.setter
    def step(self, losses: Sequence[float]) -> None:
        self.loss, self.parts = losses[0], dict(zip(self.parts, losses[1:]))

    def end_step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        p = self.run.progress
        outputs: dict[str, dict[str, float | None]] = {name: {"loss": value} for name, value in self.parts.items()}
        self.parts = {}
        p.epoch_losses = self.tally.state()
        speed = samples / (time.perf_counter() - began)
        yield Step(epoch, p.step, self.loss, lr, samples, speed, outputs=outputs)

    def flush(self) -> Iterator[Step]:
        yield from ()


class Batch(NamedTuple):
    """A batch that waits to be read."""

    part: float
    samples: int
    weight: float | None  # in the mean loss; None: an array of the device
    classes: bool  # whether right answers were counted
    ignores: bool  # whether some samples may not count


class DeferredReadout:
    """Numbers of the device, fetched together."""

    def __init__(self, run: Run, tally: Tally) -> None:
        self.run, self.tally, self.loss = run, tally, 0.0
        self.numbers: list[Any] = []  # of each batch loss, weight, right and ignored, where it has them: 0-d arrays
        self.batches: list[Batch] = []
        self.steps: list[tuple[int, int, float, int, int]] = []  # epoch, step, rate, samples, batches
        self.since = time.perf_counter()

    def add_batch(
        self, loss: Tensor, part: float, output: Tensor, targets: Tensor, played: Played | None = None
    ) -> None:
        weight, kind = weight_of(self.run.criterion, targets), loss.array.dtype
        found = decisions(output.array, targets.array, self.run.criterion)
        self.numbers.append(loss.array)
        if is_array(weight):
            self.numbers.append(weight.astype(kind))
        if found is not None:
            right = found.predicted == found.wanted
            if found.counted is not None:
                right &= found.counted
            self.numbers.append(right.sum(dtype=kind))
            if found.counted is not None:
                self.numbers.append((~found.counted).sum(dtype=kind))
        ignores = found is not None and found.counted is not None
        fixed = None if is_array(weight) else float(weight)
        self.batches.append(Batch(part, len(output.array), fixed, found is not None, ignores))

    def end_step(self, epoch: int, lr: float, samples: int, began: float) -> Iterator[Step]:
        made = sum(count for *_, count in self.steps)
        self.steps.append((epoch, self.run.progress.step, lr, samples, len(self.batches) - made))
        if len(self.steps) >= CADENCE:
            yield from self.flush()

    def flush(self) -> Iterator[Step]:
        if not self.steps:
            return
        values = iter(to_host(np.stack(self.numbers)).tolist())
        batches = iter(self.batches)
        found = []
        for epoch, number, lr, samples, count in self.steps:
            loss = 0.0
            for batch in (next(batches) for _ in range(count)):
                value = next(values)
                weight = next(values) if batch.weight is None else batch.weight
                value = value if weight else 0.0
                divergence.check_loss(self.run, value, self.run.progress.step + 1 - number)
                right = round(next(values)) if batch.classes else None
                ignored = round(next(values)) if batch.ignores else 0
                self.tally.count_in(value, weight, batch.samples, right, ignored)
                loss += batch.part * value
            found.append((epoch, number, loss, lr, samples))
        now = time.perf_counter()
        speed = sum(step[3] for step in self.steps) / (now - self.since)
        self.numbers, self.batches, self.steps, self.since = [], [], [], now
        store_tally(self.run.progress, self.tally)
        for step in found:
            yield Step(*step, speed)
