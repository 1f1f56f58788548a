"""Who trains a run: one process alone, as it stands here, or several that share the work (`lenetcli.parallel`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lenetcli.errors import printable
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.train.run import Run
from lenetcli.train.signals import Stoppable

T = TypeVar("T")


class ProcessGroup:
    """The processes that train a run; this one is alone."""

    rank = 0  # of this process; rank 0 writes the run directory and prints
    size = 1
    description = ""  # who they are, where they are several

    @contextmanager
    def barrier(self) -> Iterator[None]:
        """All processes leave the block together; what fails within it in one of them fails in all."""
        yield

    def broadcast(self, value: T) -> T:
        """Rank 0's value (plain data)."""
        return value

    def checkpoints(self, place: Path, keep: int) -> Checkpoints:
        """The checkpoints of the run directory."""
        return Checkpoints(place, keep)

    def check(self, run: Run) -> None:
        """Makes sure that all processes have the same run.

        Raises:
            ConfigError: they do not.
        """

    def distribute(self, run: Run) -> Stoppable:
        """Shares the work out; gives what signals leave their wishes with."""
        return run

    def log(self, line: str) -> None:
        """Prints to stderr, once."""
        if self.rank == 0:
            print(printable(line), file=sys.stderr)
