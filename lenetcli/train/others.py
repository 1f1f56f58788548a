"""Where several processes train one run: what the loop asks of the others. `lenetcli.parallel` answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lenetcli.train.accumulate import Batch
    from lenetcli.train.evaluate import Evaluation, Tally
    from lenetcli.train.run import Run


class Others(Protocol):
    """The processes that train the same run, each with its part of every batch. All have the same weights always."""

    def average(self, run: Run, group: Sequence[Batch], tally: Tally, loss: float) -> tuple[float, int]:
        """Makes gradients, tally and wishes to stop those of all processes; gives the step's loss and its samples.

        Args:
            group: this process's part of the step's batches.
            tally: of the epoch, with this process's part of the step counted in.
            loss: this process's share of the step's loss.
        """
        ...

    def total(self, found: Evaluation) -> Evaluation:
        """The figures over the data of all processes."""
        ...
