"""Batches whose gradients make one step together, and what each weighs in it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from lenetcli.data.transfer import moved
from lenetcli.nn.loss import CrossEntropyLoss, NLLLoss
from lenetcli.nn.module import Module
from lenetcli.train.evaluate import adds_up
from lenetcli.train.run import Run

Batch = tuple[Any, ...]


def batches_of_steps(run: Run) -> Generator[list[Batch], None, None]:
    """What is left of the epoch's batches, in lists of those that make one step."""
    p = run.progress
    with closing(run.train_loader.batches(p.epoch, p.batch)) as batches:
        left = moved(islice(batches, run.batches - p.batch), run.device)
        while group := list(islice(left, run.accumulate)):
            yield group


def share(run: Run, batch: Batch, group: Sequence[Batch]) -> float:
    """The weight of a batch's loss in the step, such that the batches together are as one batch of all samples.

    Where several processes have parts of each batch, the weights of all come to about 1, and what they come to is
    divided out when the gradients are summed.
    """
    if adds_up(run.criterion):
        return 1.0
    if run.others is not None:
        return divisor(run.criterion, batch) / (run.train_loader.batch_size * len(group))
    if len(group) == 1:
        return 1.0
    return divisor(run.criterion, batch) / sum(divisor(run.criterion, other) for other in group)


def divisor(criterion: Module, batch: Batch) -> float:
    """What the mean over a batch divides by: the samples or, where classes have weights, those of the targets."""
    inputs, targets = batch
    if not isinstance(criterion, (CrossEntropyLoss, NLLLoss)) or targets.array.dtype.kind == "f":
        return len(inputs)
    counted = targets.array[targets.array != criterion.ignore_index]
    return counted.size if criterion.weight is None else float(criterion.weight.array[counted].sum())
