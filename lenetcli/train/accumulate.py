"""Batches whose gradients make one step together, and what each weighs in it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice

from lenetcli.data.transfer import moved
from lenetcli.nn.module import Module
from lenetcli.train.evaluate import adds_up, weight_of
from lenetcli.train.losses import Losses, Term
from lenetcli.train.run import Batch, Run


def batches_of_steps(run: Run) -> Generator[list[Batch], None, None]:
    """What is left of the epoch's batches, in lists of those that make one step."""
    p, loader = run.progress, run.train_loader
    if run.features is not None:
        loader = run.features.loader_of(loader)
    with closing(loader.batches(p.epoch, p.batch)) as batches:
        left = moved(islice(batches, run.batches - p.batch), run.device)
        while group := list(islice(left, run.accumulate)):
            yield group


def share(run: Run, batch: Batch, group: Sequence[Batch], criterion: Module | None = None) -> float:
    """The weight of a batch's loss in the step, such that the batches together are as one batch of all samples.

    0 where nothing in the batch counts: its loss is the mean of nothing. Where several processes have parts of each
    batch, the weights of all come to about 1, and what they come to is divided out when the gradients are summed.

    Args:
        criterion: by default the run's.
    """
    criterion = run.criterion if criterion is None else criterion
    if adds_up(criterion) or (len(group) == 1 and run.device != "cpu"):  # to look would be to wait for the device
        return 1.0
    own = float(weight_of(criterion, batch[1]))
    if own == 0 or (len(group) == 1 and run.reducer is None):
        return float(own != 0)
    return own / _whole(run, group, criterion)


def share_of_rest(run: Run, group: Sequence[Batch]) -> float:
    """The weight, beside `share`, of a sum that a batch of no weight adds; 0 where the step's batches have none."""
    whole = _whole(run, group, run.criterion)
    return 1 / whole if whole else 0.0


def shares(
    run: Run, losses: Losses, batch: Batch, group: Sequence[Batch], wholes: Sequence[float] | None = None
) -> list[float]:
    """The weight of a batch in the step, as `share`, for each of several losses.

    Args:
        wholes: what the step's batches of all processes weigh for each loss, where there are several processes.
    """
    if wholes is not None:
        rows = zip(losses.terms, weights(losses, [batch]), wholes)
        return [1.0 if adds_up(term.criterion) else own / whole if own else 0.0 for term, own, whole in rows]
    terms = losses.terms
    return [share(run, _seen(t, batch), [_seen(t, b) for b in group], t.criterion) for t in terms]


def weights(losses: Losses, group: Sequence[Batch]) -> list[float]:
    """What the batches weigh together for each of several losses."""
    return [sum(float(weight_of(t.criterion, _seen(t, batch)[1])) for batch in group) for t in losses.terms]


def _seen(term: Term, batch: Batch) -> Batch:
    """The batch as one of several losses has it."""
    return batch[0], term.wanted(batch[1], batch[0])


def _whole(run: Run, group: Sequence[Batch], criterion: Module) -> float:
    if run.reducer is not None:
        return run.train_loader.batch_size * len(group)
    return sum(float(weight_of(criterion, targets)) for _, targets in group)
