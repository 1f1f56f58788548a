"""What a neighbour costs: another process that keeps a core busy, on any core or tied to one; here and in torch."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rounds import mean_seconds
from work import Work

SPIN = "import os, sys\nif sys.argv[1:]: os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
STATES: dict[str, list[str] | None] = {"none": None, "on any core": [], "tied to the first core": ["0"]}


def lines(works: dict[str, Work], rounds: int, seconds: float = 0.25) -> Iterator[str]:
    """The rows of the table: time by time without neighbour, and torch's time by ours beside the same neighbour."""
    yield "| training step | neighbour | slower here | slower in torch | ratio to torch |"
    yield "|---|---|---:|---:|---:|"
    for name, work in works.items():
        pieces = {side: work(side) for side in ("lenet", "torch")}
        counts = {side: max(3, round(seconds / mean_seconds(piece, 3))) for side, piece in pieces.items()}
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for state, words in STATES.items():
                with _busy(words):
                    for side, piece in pieces.items():
                        times.setdefault((state, side), []).append(mean_seconds(piece, counts[side]))
        found = {key: statistics.median(values) for key, values in times.items()}
        for state in STATES:
            here, there = (found[state, side] / found["none", side] for side in ("lenet", "torch"))
            ratio = found[state, "torch"] / found[state, "lenet"]
            yield f"| {name} | {state} | {here:.2f} | {there:.2f} | {ratio:.2f} |"


@contextmanager
def _busy(words: list[str] | None) -> Iterator[None]:
    if words is None or (words and not hasattr(os, "sched_setaffinity")):
        yield
        return
    child = subprocess.Popen([sys.executable, "-c", SPIN, *words])
    try:
        yield
    finally:
        child.kill()
        child.wait()
