"""What a run's training without some of its samples would change, estimated along the run.

Beside the run's weights others are kept, which get the same steps by the run's own optimizer, but for the samples:
their batches' gradients are taken without them, at the run's own weights. At each look at the test split, the run's
weights are moved along what the two have parted since the look before, so little that the loss changes in proportion.
What the loss of each test sample does then is the part of those steps; the parts of all looks add up. That is TracIn's
sum over the steps, rate * <gradient of the sample, gradient of the test loss>, with the run's optimizer for a rate.

It is exact about the batches (their mean is over the samples that stay), the optimizer and its memory, weight decay,
limits of gradients and schedule. It is an estimate in that gradients stay those of the run's weights: it knows nothing
of how the samples that stay make up for what is gone. So it tells a direction, and exaggerates the size. Running
statistics of batch norm stay the run's, too.

Source: G. Pruthi et al., Estimating training data influence by tracing gradient descent, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from copy import copy, deepcopy

import numpy as np

from lenetcli.data.loader import DataLoader
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.per_sample import per_sample
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import of_array
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Phase, Step

Arrays = dict[str, Array]

TRIED = 1e-3  # how far the weights are moved, of their norm, to see where the loss goes


class Estimate:
    """Follows a run step by step from within (`run.around`).

    Args:
        run: at its beginning.
        without: numbers of the samples in the run's own training data.
        every: steps between two looks at the test split.

    Attributes:
        changes: of the loss of each sample of the test split, as far as the run has been followed.
        batches: how many batches had one of the samples.
    """

    def __init__(self, run: Run, without: Array, every: int) -> None:
        self.run, self.every = run, every
        self.model, self.optimizer, self.average = deepcopy((run.model, run.optimizer, run.average))
        self.loader, self.without = copy(run.train_loader), without
        self.loader.without, self.loader.prefetch = without, False
        self.changes = np.zeros(len(run.test_loader.dataset))
        self.batches = 0
        self._seen: Arrays = {}
        self._gradients: list[Array | None] | None = None
        self._epoch, self._missing = -1, np.zeros(0, bool)

    def __call__(self, step: Step, phase: Phase) -> None:
        match phase.__name__:
            case "zero_grad":
                self._gradients = self._without(len(step.group))
                phase()
            case "update":
                self._update()
                phase()
                if self.run.progress.step % self.every == 0:
                    self.look()
            case _:
                phase()

    def look(self) -> None:
        """Takes in what the two weights have parted by since the look before."""
        if not self.batches:
            return
        model = self.run.shown_model
        other = self.model if self.average is None else self.average.module
        parted = _difference(other, model)
        moved = {name: d - self._seen[name] if self._seen else d for name, d in parted.items()}
        self._seen = parted
        before = per_sample(self.run, model)
        length = _norm(moved.values())
        if not length:
            return
        part = TRIED * _norm(p.array for p in model.parameters()) / length
        with _moved(model, {name: part * d for name, d in moved.items()}):
            after = per_sample(self.run, model)
        self.changes += (after.losses - before.losses) / part

    def _without(self, batches: int) -> list[Array | None] | None:
        """The gradients of the step that is about to be made, without the samples; None where it has none of them."""
        run, p = self.run, self.run.progress
        if p.epoch != self._epoch:
            self._epoch, self._missing = p.epoch, np.isin(self.loader.order(p.epoch), self.without)
        size = self.loader.batch_size
        hit = sum(bool(self._missing[n * size : (n + 1) * size].any()) for n in range(p.batch, p.batch + batches))
        if not hit:
            return None
        self.batches += hit
        group = [_batch(self.loader, p.epoch, number) for number in range(p.batch, p.batch + batches)]
        with _put_back(run):
            Step(run).make(group, before="update")
            return [None if q.grad is None else q.grad.array.copy() for q in run.model.parameters()]

    def _update(self) -> None:
        run = self.run
        theirs = [None if p.grad is None else p.grad.array for p in run.model.parameters()]
        for own, gradient in zip(self.model.parameters(), self._gradients or theirs):
            own.grad = None if gradient is None else of_array(gradient.copy())
        for group, running in zip(self.optimizer.param_groups, run.optimizer.param_groups):
            group.update({key: value for key, value in running.items() if key != "params"})
            group["lr"] = group["lr"] * run.warm
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)


def _batch(loader: DataLoader, epoch: int, number: int) -> Batch:
    with closing(loader.batches(epoch, number)) as batches:
        return next(batches)


@contextmanager
def _put_back(run: Run) -> Iterator[None]:
    """Within the block steps may be tried: random numbers and buffers are then what they were."""
    random = run.random.get_state()
    buffers = {name: buffer.array.copy() for name, buffer in run.model.named_buffers()}
    try:
        yield
    finally:
        run.random.set_state(random)
        for name, buffer in run.model.named_buffers():
            buffer.array[...] = buffers[name]


def _difference(model: Module, other: Module) -> Arrays:
    theirs = dict(other.named_parameters())
    return {name: p.array - theirs[name].array for name, p in model.named_parameters()}


def _norm(arrays: Iterable[Array]) -> float:
    return math.sqrt(sum(float(np.vdot(array, array)) for array in arrays))


@contextmanager
def _moved(model: Module, by: Arrays) -> Iterator[None]:
    """Within the block the parameters are moved by so much."""
    kept = {name: p.array.copy() for name, p in model.named_parameters()}
    try:
        for name, p in model.named_parameters():
            p.array[...] += by[name]
        yield
    finally:
        for name, p in model.named_parameters():
            p.array[...] = kept[name]
