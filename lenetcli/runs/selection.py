"""Runs that were named on a command line: run directories, directories of runs, and what lies beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lenetcli.disk import is_there
from lenetcli.errors import ConfigError, printable
from lenetcli.runs.table import find


def select(places: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The run directories among some places and below them, each once, and the places that hold none.

    A pattern such as `runs/grid/*` names a sweep's own files, too.

    Raises:
        ConfigError: a place that there is not, or no run at all.
    """
    runs: list[Path] = []
    others = []
    for place in places:
        if _has_events(place):
            runs.append(place)
            continue
        found = [run for run in find(place) if _has_events(run)] if place.is_dir() else []
        runs += found
        if not found and not place.exists():
            raise ConfigError(f"{place}: not a run directory (there is no such place)")
        if not found:
            others.append(place)
    if not runs:
        raise ConfigError(f"{others[0]}: not a run directory (no metrics.jsonl in it), and none below it")
    return list(dict.fromkeys(runs)), others


def tell_left_out(others: Sequence[Path]) -> None:
    """Says on stderr which places were left out."""
    if others:
        names = printable(", ".join(map(str, others)))
        print(printable(f"left out, no run in {'it' if len(others) == 1 else 'them'}: {names}"), file=sys.stderr)


def _has_events(place: Path) -> bool:
    return is_there(place / "metrics.jsonl")
