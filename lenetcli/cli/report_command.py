"""`lenet report`: everything about a run on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")],
) -> None:
    """Write one HTML page about a run."""
    raise NotImplementedError
