"""Where results are drawn: the terminal at its width, or a pipe or file at a width that cuts nothing."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPE_WIDTH = 200


def results() -> Console:
    """stdout; as wide as the terminal (or as COLUMNS says), else wide enough for every table."""
    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=PIPE_WIDTH if free else None)
