"""`--threads N`, the one option that every command which computes takes."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from lenetcli.cli.consent_options import option_of


def threads_option() -> Any:
    """The option as typer makes it; its value counts for this process and those it starts, from when it is read."""
    return option_of(_declaration)


def _use(count: int | None) -> None:
    if count is None:
        return
    from lenetcli.kernels.threads import set_num_threads

    os.environ["LENET_THREADS"] = str(count)
    set_num_threads(count)


def _declaration(
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            callback=_use,
            expose_value=False,
            help="Threads to compute with; trained numbers do not depend on it (by rounding, with NumPy's kernels).",
            show_default="all processors, at most 16; 1 with NumPy's kernels",
        ),
    ] = None,
) -> None:
    """Declares the option."""
