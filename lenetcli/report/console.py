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
        """Whether somebody looks at it, or FORCE_COLOR says so: colours and lines drawn anew are welcome."""
        asked = self._force_terminal is not None or os.environ.get("FORCE_COLOR")
        return super().is_terminal and (bool(asked) or not has_no_size(self.file))


def results() -> Console:
    """stdout; as wide as the terminal (or as COLUMNS says), else wide enough for every table."""
    free = not is_looked_at(sys.stdout) and "COLUMNS" not in os.environ
    return Terminal(highlight=False, width=PIPE_WIDTH if free else None)


def is_looked_at(stream: Any) -> bool:
    """Whether a stream is a terminal with a place to show something."""
    return stream is not None and stream.isatty() and not has_no_size(stream)


def has_no_size(stream: Any) -> bool:
    """Whether a stream is a terminal of 0 lines of 0 characters, and COLUMNS does not tell otherwise.

    Open MPI gives its ranks such, whose output goes to a job's log.
    """
    try:
        return stream.isatty() and not any(os.get_terminal_size(stream.fileno())) and "COLUMNS" not in os.environ
    except (OSError, ValueError, AttributeError):  # none of the system's
        return False
