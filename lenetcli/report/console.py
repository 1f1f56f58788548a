"""Where results are drawn: the terminal at its width, or a pipe or file at a width that cuts nothing."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console

PIPE_WIDTH = 200


class Terminal(Console):
    """A console that takes a terminal of no size for a pipe."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it, so that colours and lines drawn anew are welcome."""
        return super().is_terminal and (self._force_terminal is not None or is_looked_at(self.file))


def results() -> Console:
    """stdout; as wide as the terminal (or as COLUMNS says), else wide enough for every table."""
    free = not is_looked_at(sys.stdout) and "COLUMNS" not in os.environ
    return Terminal(highlight=False, width=PIPE_WIDTH if free else None)


def is_looked_at(stream: Any) -> bool:
    """Whether a stream is a terminal with a place to show something.

    Open MPI gives its ranks terminals of 0 lines of 0 characters, whose output goes to a job's log; COLUMNS tells
    otherwise.
    """
    if stream is None or not stream.isatty():
        return False
    try:
        return any(os.get_terminal_size(stream.fileno())) or "COLUMNS" in os.environ
    except (OSError, ValueError):  # none of the system's
        return True
