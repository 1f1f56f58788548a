"""What a run's training without some of its samples would change, estimated along the run.

Beside the run's weights w others are kept, w + d, which get the same steps by the run's own optimizer, on the same
batches without the samples. The net is taken for a straight one between the two: at w + d it gives f(w) + J d, J being
its derivative at w, so that a batch's gradient there is Jᵀ times the loss's gradient at f(w) + J d. So the samples that
stay answer what has changed: what they have parted by pulls back, as the curvature of the loss has it. (The gradients
at w alone, as in TracIn, leave that out, and exaggerate ten- to a hundredfold.) At the end, the loss of each test
sample at w + d is held against that at w.

It is exact about the loss, the batches (their mean is over the samples that stay), the optimizer and its memory, weight
decay, limits of gradients and schedule. It is an estimate in that the net between the two is not straight. Running
statistics of batch norm stay the run's, too.

Source: S. Hara, A. Nitanda, T. Maehara, Data cleansing for models trained with SGD, 2019, which goes back through the
steps of a run; with the Gauss-Newton curvature, which does not run away where the loss is not convex, as here:
J. Bae et al., Training data attribution via approximate unrolled differentiation, 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import copy, deepcopy
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.data.loader import DataLoader
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.per_sample import PerSample, per_sample
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Phase, Step

Arrays = dict[str, Array]

TRIED = 1e-3  # how far the weights are moved, of their norm, to see where the outputs go


class Estimate:
    """Follows a run step by step from within (`run.around`).

    Args:
        run: at its beginning.
        without: numbers of the samples in the run's own training data.

    Attributes:
        batches: how many batches had one of the samples.
    """

    def __init__(self, run: Run, without: Array) -> None:
        self.run = run
        self.model, self.optimizer, self.average = deepcopy((run.model, run.optimizer, run.average))
        self.loader, self.without = copy(run.train_loader), without
        self.loader.without, self.loader.prefetch = without, False
        self.batches = 0
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
            case _:
                phase()

    def changes(self, before: PerSample) -> Array:
        """Of the loss of each sample of the test split, which the run's own weights do so well on, (N,)."""
        model = self.run.shown_model
        with _moved(model, _difference(self.model if self.average is None else self.average.module, model)):
            return per_sample(self.run, model).losses - before.losses

    def _without(self, batches: int) -> list[Array | None] | None:
        """The gradients of the step that is about to be made, without the samples; None while nothing has parted."""
        run, p = self.run, self.run.progress
        if p.epoch != self._epoch:
            self._epoch, self._missing = p.epoch, np.isin(self.loader.order(p.epoch), self.without)
        size, numbers = self.loader.batch_size, range(p.batch, p.batch + batches)
        self.batches += sum(bool(self._missing[n * size : (n + 1) * size].any()) for n in numbers)
        if not self.batches:
            return None
        group = [_batch(self.loader, p.epoch, number) for number in numbers]
        moved = self._outputs(group)
        step = Step(run)
        with _put_back(run):
            step.model = _Straight(step.model, *moved)
            step.make(group, before="update")
            return [None if q.grad is None else q.grad.array.copy() for q in run.model.parameters()]

    def _outputs(self, group: Sequence[Batch]) -> tuple[list[Any], float]:
        """What the net gives for the batches, moved by a small part of the way to the others; and that part."""
        model = self.run.model
        way = _difference(self.model, model)
        length = _norm(way.values())
        if not length:
            return [], 1.0
        part = TRIED * _norm(q.array for q in model.parameters()) / length
        with _put_back(self.run), _moved(model, {name: part * d for name, d in way.items()}), no_grad():
            return [model(inputs) for inputs, _ in group], part

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


class _Straight(Module):
    """A net that goes on straight from where it is: to each output is added what the whole way would change it by.

    Args:
        moved: its outputs, batch by batch, after a part of the way; none where there is no way to go.
    """

    def __init__(self, model: Module, moved: Sequence[Any], part: float) -> None:
        super().__init__()
        self.model, self.moved, self.part = model, iter(moved), part

    def forward(self, inputs: Any) -> Any:
        output = self.model(inputs)
        there = next(self.moved, None)
        return output if there is None else self._shifted(output, there)

    def _shifted(self, output: Any, there: Any) -> Any:
        if not isinstance(output, Tensor):
            return tuple(self._shifted(one, other) for one, other in zip(output, there))
        return output + of_array((there.array - output.array) / output.array.dtype.type(self.part))


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
