"""Traces between the steps of a training: what the next step is going to do, on the very batch it will be made with."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from lenetcli.inspect.trace import Trace, trace
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run


def traces(
    run: Run, shown: list[str], first: int = 0, count: int = 1, check: bool = False, histograms: bool = False
) -> Iterator[Trace]:
    """A trace after `first` more training steps, and after each of the `count - 1` steps that follow.

    The steps are those that `fit` makes (clipping, warm-up, schedule, evaluation at the end of an epoch), but nothing
    is saved and nothing ends the run. A trace does not change what the training does.

    Args:
        shown: names of the parameters whose gradients are kept before and after.
        check: compare each node's backward with differences in the first trace.
        histograms: make histograms of values and gradients.

    Raises:
        DivergedError: a step's loss or gradient is no finite number; traces up to there have been given.
    """
    run.epochs, run.early_stopping, run.max_seconds, run.checkpoints = sys.maxsize, None, None, None
    steps = (event for event in fit(run) if isinstance(event, Step))
    for number in range(first + count):
        if number >= first:
            yield _next_step(run, shown, check and number == first, histograms)
        if number < first + count - 1:
            next(steps)


def _next_step(run: Run, shown: list[str], check: bool, histograms: bool) -> Trace:
    """A trace of the coming step; where gradients accumulate, of its first batch."""
    p = run.progress
    ended = p.batch >= run.batches  # the loop evaluates, and moves on to the next epoch, only when asked for more
    epoch, batch = (p.epoch + 1, 0) if ended else (p.epoch, p.batch)
    inputs, targets = next(run.train_loader.batches(epoch, batch))
    run.model.train()
    return trace(
        run.model, run.criterion, inputs, targets, shown, check=check, histograms=histograms, step=p.step
    )  # fmt: skip
