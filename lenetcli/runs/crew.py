"""Who trains a run: one process alone, as it stands here, or several that share the work (see ranks.py)."""

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


class Crew:
    """The processes that train a run; this one is alone."""

    leads = True  # this process writes the run directory and prints
    size = 1
    text = ""  # who they are, where they are several

    @contextmanager
    def together(self) -> Iterator[None]:
        """What fails within the block in one process fails in all of them."""
        yield

    def leaders(self, value: T) -> T:
        """The leading process's value (plain data)."""
        return value

    def checkpoints(self, place: Path, keep: int) -> Checkpoints:
        """The checkpoints of the run directory."""
        return Checkpoints(place, keep)

    def check(self, run: Run) -> None:
        """Makes sure that all processes have the same run.

        Raises:
            ConfigError: they do not.
        """

    def join(self, run: Run) -> Stoppable:
        """Shares the work out; gives what signals leave their wishes with."""
        return run

    def say(self, line: str) -> None:
        """Prints to stderr, once."""
        if self.leads:
            print(printable(line), file=sys.stderr)
