"""Between the batches and the optimizer's step: gradients summed over batches, limited, and the warm-up of the rate."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import numpy as np

from lenetcli._tensor import Tensor
from lenetcli.data.transfer import moved
from lenetcli.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from lenetcli.train.evaluate import adds_up, weight_of
from lenetcli.train.run import Run

Batch = tuple[Any, ...]


def batches_of_steps(run: Run) -> Generator[list[Batch], None, None]:
    """What is left of the epoch's batches, in lists of those that make one step."""
    p = run.progress
    with closing(run.train_loader.batches(p.epoch, p.batch)) as batches:
        left = moved(islice(batches, run.batches - p.batch), run.device)
        while group := list(islice(left, run.accumulate)):
            yield group


def share(run: Run, batch: Batch, group: list[Batch]) -> float:
    """The weight of a batch's loss in the step, such that the batches together are as one batch of all samples.

    0 where nothing in the batch counts: its loss is the mean of nothing. Where several processes have parts of each
    batch, the weights of all come to about 1, and what they come to is divided out when the gradients are summed.
    """
    if adds_up(run.criterion) or (len(group) == 1 and run.device != "cpu"):  # to look would be to wait for the device
        return 1.0
    own = float(weight_of(run.criterion, batch[1]))
    if run.others is not None:
        return own / (run.train_loader.batch_size * len(group))
    if own == 0 or len(group) == 1:
        return float(own != 0)
    return own / sum(float(weight_of(run.criterion, targets)) for _, targets in group)


def backward(loss: Tensor, share: float, alone: bool = True) -> None:
    """Adds the gradients of `share` times the loss: none where nothing counts, where they would be 0 / 0.

    Args:
        alone: no other process waits for what the model's layers exchange in backward.
    """
    if share or not alone:
        loss.backward(None if share == 1.0 else Tensor(np.asarray(share, loss.array.dtype, like=loss.array)))


def clip(run: Run) -> None:
    """Limits the gradients as the run's options say: each number first, then the norm."""
    if run.clip_value is not None:
        clip_grad_value_(list(run.model.parameters()), run.clip_value)
    if run.clip_norm is not None:
        clip_grad_norm_(list(run.model.parameters()), run.clip_norm)


@contextmanager
def warming_up(run: Run) -> Iterator[None]:
    """Within the block the learning rates are what warm-up leaves of them; schedulers never see that.

    Formula:
        lr = scheduled lr * min(1, step / warm-up steps), steps counted from 1
    """
    warm = run.warm
    if warm == 1.0:
        yield
        return
    groups = run.optimizer.param_groups
    scheduled = [group["lr"] for group in groups]
    for group in groups:
        group["lr"] = group["lr"] * warm
    try:
        yield
    finally:
        for group, lr in zip(groups, scheduled):
            group["lr"] = lr
