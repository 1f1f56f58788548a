"""`lenet watch`: a run of another process, while it trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import DataError, printable


def watch(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Run directories, or directories of runs.", metavar="RUN...", autocompletion=completion.runs
        ),
    ],
) -> None:
    """Watch runs while they train: curves, rate, speed, time left, gradients of the layers, confusion.

    They are read from their metrics.jsonl as it grows, so that they may be another process's, or another machine's on a
    shared disk. Of a run that is over, the last picture is printed. Ctrl-C ends the view, not the training.

    Example: lenet watch runs/lenet/001
    """
    from lenetcli.report.console import Terminal, is_looked_at, results
    from lenetcli.report.live.watching import Watch, watch
    from lenetcli.runs.selection import select, tell_left_out

    places, others = select(runs)
    tell_left_out(others)
    found, failed = [], None
    for place in places:
        try:
            one = Watch(place)
            if not one.goes_on:
                one.growing.gathered.check(place / "metrics.jsonl")
            found.append(one)
        except DataError as error:
            if len(places) > 1:
                print(printable(f"left out: {error}"), file=sys.stderr)
            failed = error
    if not found:
        assert failed is not None, "there is a run at least"
        raise failed
    watch(found, Terminal(highlight=False) if is_looked_at(sys.stdout) else results())
