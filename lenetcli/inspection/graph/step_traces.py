"""Traces between the steps of a training: what the next step is going to do, on the very batch it will be made with."""

from __future__ import annotations

from collections.abc import Iterator

from lenetcli.autograd.random import draws_from
from lenetcli.inspection.graph.trace import Trace, trace
from lenetcli.inspection.step.record import advance
from lenetcli.train.run import Run


@draws_from(lambda run, *_, **__: run.random)
def traces(
    run: Run, shown: list[str], first: int = 0, count: int = 1, check: bool = False, histograms: bool = False
) -> Iterator[Trace]:
    """A trace after `first` more training steps, and after each of the `count - 1` steps that follow.

    A trace does not change what the training does: loss and gradients are those that the next step is made with.

    Args:
        shown: names of the parameters whose gradients are kept before and after.
        check: compare each node's backward with differences in the first trace.
        histograms: make histograms of values and gradients.

    Raises:
        DivergedError: a step's loss or gradient is no finite number; traces up to there have been given.
    """
    advance(run, first)
    for number in range(count):
        if number:
            advance(run, 1)
        run.begin_training()
        yield trace(run, shown, check=check and number == 0, histograms=histograms)
