"""A training step, phase by phase: training makes it, and whatever shows, clocks or replays a step makes this one.

zero_grad   gradients of the step before are dropped
forward     the model and the loss of a batch                  |
read        the loss as a number, which has to be finite       |  for each batch of the step (train.accumulate)
backward    gradients of the batch's share of the step's loss  |
reduce      gradients, losses and wishes of all processes, where several train one run
check       gradients have to be finite
limit       train.clip_grad_value, train.clip_grad_norm
update      the optimizer, at the rate that the schedule and warm-up say: lr * min(1, step / warm-up steps), steps
            counted from 1; the moving average of the weights; the run is a step further
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lenetcli.errors import DivergedError
from lenetcli.nn import recorded
from lenetcli.nn.loss import CrossEntropyLoss
from lenetcli.nn.passes import Played
from lenetcli.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from lenetcli.tensors.creation import zeros_like
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train import divergence
from lenetcli.train.accumulate import share, share_of_rest, shares, weights
from lenetcli.train.evaluate import remainder_of
from lenetcli.train.features import parts_of
from lenetcli.train.loss_readout import ImmediateReadout, LossReadout, SeveralReadout, immediate
from lenetcli.train.losses import Losses, loss_of
from lenetcli.train.run import Batch, Run
from lenetcli.train.several_tally import tally_of

Phase = Callable[[], None]


class Step:
    """Makes a run's steps; between the phases of one, what it holds can be looked at.

    Args:
        readout: where losses and right answers go; by default each is read at once and summed up for nobody else.
        recorded: a batch's passes may be one call (`nn.recorded`): then `forward` has made `backward`, too, which only
            hands the gradients over, and the loss has no graph.
        strict: a number that is not finite raises DivergedError; those who look at a diverged run go on without.

    Attributes:
        group: the step's batches.
        batch, output, loss, share: of the batch at hand: inputs and targets, what the model and the criterion gave,
            the weight of its loss in the step's.
        shares, parts: of several losses, the weight of each and its value.
        wholes: of several losses, what the step's batches of all processes weigh for each.
        model: what takes the batches: the run's model, or its head where what comes before is kept.
        readout.loss: the step's loss, as far as it has been read.
        samples: in the step, of all processes once they are reduced.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import DataLoader, Digits
        >>> data, model = Digits(), lenet.nn.Sequential(lenet.nn.Flatten(), lenet.nn.Linear(64, 10))
        >>> loader = DataLoader(data.train, 32)
        >>> sgd = lenet.optim.SGD(model.parameters(), lr=0.1)
        >>> run = Run(model, lenet.nn.CrossEntropyLoss(), sgd, loader, loader, epochs=1, clip_norm=0.5)
        >>> step = Step(run)
        >>> step.make([next(loader.batches(0))], before="update")
        >>> norm = sum((p.grad ** 2).sum().item() for p in model.parameters()) ** 0.5
        >>> round(norm, 3), step.samples, run.progress.step
        (0.5, 32, 0)
    """

    batch: Batch
    output: Any
    loss: Tensor
    share: float
    shares: list[float]
    parts: list[Tensor | None]
    wholes: list[float]

    def __init__(
        self, run: Run, readout: LossReadout | None = None, strict: bool = True, recorded: bool = False
    ) -> None:
        self.run, self.strict = run, strict
        alone = run.device == "cpu" and run.reducer is None
        may_be = recorded and alone and isinstance(run.criterion, CrossEntropyLoss)
        self.recorded: CrossEntropyLoss | None = run.criterion if may_be else None  # type: ignore[assignment]  # it is
        self.played: Played | None = None
        self.finite = False  # gradients, as is known without a look at them
        self.readout = immediate(run, tally_of(run.criterion)) if readout is None else readout
        self.group: Sequence[Batch] = ()
        self.samples = 0
        parts = None if run.features is None else parts_of(run.model)
        self.model = run.model if parts is None else parts.head

    def phases(self, group: Sequence[Batch]) -> Iterator[Phase]:
        """The phases in order; each is made by calling it, and its `__name__` is as above."""
        self.group, self.samples, self.readout.loss = group, 0, 0.0
        yield self.zero_grad
        for self.batch in group:
            yield self.forward
            yield self.read
            yield self.backward
        if self.run.reducer is not None:
            yield self.reduce
        yield self.check
        yield self.limit
        yield self.update

    def make(self, group: Sequence[Batch], before: str | None = None) -> None:
        """Makes the step, or what comes before a phase of it."""
        for phase in self.phases(group):
            if phase.__name__ == before:
                return
            phase()

    def zero_grad(self) -> None:
        self.run.optimizer.zero_grad()
        self.finite = False

    def forward(self) -> None:
        inputs, targets = self.batch
        self.samples += len(inputs)
        self.played = None if self.recorded is None else self._play(self.recorded)
        self.output = self.model(inputs) if self.played is None else self.played.output
        if self.played is not None and self.played.loss is not None:
            self.loss = self.played.loss
            return
        self.played = None
        if isinstance(self.run.criterion, Losses):
            self._add_losses(self.run.criterion)
            return
        self.loss, self.share = loss_of(self.run.criterion, self.output, targets), 1.0
        if not self._is_all():
            self.share = share(self.run, self.batch, self.group)
            rest = remainder_of(self.run.criterion, self.output, targets) if self.share == 0 else None
            if rest is not None:
                self.loss, self.share = rest, share_of_rest(self.run, self.group)

    def _play(self, criterion: CrossEntropyLoss) -> Played | None:
        """The batch's passes by a recording; the mean of nothing is not finite, and left to the tape."""
        self.share = 1.0 if len(self.group) == 1 else share(self.run, self.batch, self.group)
        if self.share == 0:
            return None
        return recorded.passes(self.model, criterion, self.batch, self.share)

    def _add_losses(self, losses: Losses) -> None:
        """The sum of several losses, each with its own share in the step."""
        inputs, targets = self.batch
        if self.run.reducer is not None and self.batch is self.group[0]:
            self.wholes = self.run.reducer.sum_weights(weights(losses, self.group))
        wholes = None if self.run.reducer is None else self.wholes
        self.shares, self.parts = shares(self.run, losses, self.batch, self.group, wholes), []
        self.loss = losses(self.output, targets, inputs, self.shares, self.parts, wholes or ())
        self.share = 1.0 if any(wholes or self.shares) else 0.0

    def _is_all(self) -> bool:
        """Whether the batch is the step's only one, and its loss the mean of something: of nothing it would be NaN."""
        alone = len(self.group) == 1 and self.run.reducer is None and self.run.device == "cpu"
        return alone and not self.loss.array.ndim and math.isfinite(self.loss.array)

    def read(self) -> None:
        try:
            if isinstance(self.readout, SeveralReadout):
                self.readout.add_losses(self.loss, self.shares, self.parts, self.output, self.batch)
            else:
                self.readout.add_batch(self.loss, self.share, self.output, self.batch[1], self.played)
        except DivergedError:
            if self.strict:
                raise

    def backward(self) -> None:
        if self.played is not None:
            self.finite = self.played.arrive() and len(self.group) == 1
            return
        if self.share == 0:  # nothing counts: it would be 0 / 0
            if self.run.reducer is not None and isinstance(self.output, Tensor):
                self.output.backward(zeros_like(self.output))  # for the others, which layers exchange numbers with
            return
        weight = None if self.share == 1.0 else np.asarray(self.share, self.loss.array.dtype, like=self.loss.array)
        self.loss.backward(None if weight is None else of_array(weight))

    def reduce(self) -> None:
        reducer, readout = self.run.reducer, self.readout
        assert reducer is not None, "one process has nothing to reduce"
        assert isinstance(readout, (ImmediateReadout, SeveralReadout)), "several processes train on the CPU"
        readout.step, self.samples = reducer.reduce_step(self.run, self.group, readout.tally, readout.step)

    def check(self) -> None:
        if self.finite:
            return
        try:
            divergence.check_gradients(self.run)
        except DivergedError:
            if self.strict:
                raise

    def limit(self) -> None:
        run = self.run
        if run.clip_value is not None:
            clip_grad_value_(list(run.model.parameters()), run.clip_value)
        if run.clip_norm is not None:
            clip_grad_norm_(list(run.model.parameters()), run.clip_norm)

    def update(self) -> None:
        run = self.run
        warm = run.warm
        if warm == 1.0:
            run.optimizer.step()
        else:
            self._warm_up(warm)
        if run.average is not None:
            run.average.update_parameters(run.model)
        run.progress.step += 1
        run.progress.batch += len(self.group)

    def _warm_up(self, warm: float) -> None:
        """A step at a part of the rate, for this one only: schedulers never see it."""
        groups = self.run.optimizer.param_groups
        scheduled = [group["lr"] for group in groups]
        try:
            for group in groups:
                group["lr"] = group["lr"] * warm
            self.run.optimizer.step()
        finally:
            for group, lr in zip(groups, scheduled):
                group["lr"] = lr
