"""Sides measured in turn, so that noise of the machine hits all of them, and what is said about them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from work import Piece

from lenetcli.kernels import dispatch, threads

SECONDS = 0.35  # that one round of one side takes about


@dataclass(frozen=True)
class Times:
    """Seconds of one piece, a round each, by side."""

    seconds: Mapping[str, list[float]]

    def ratios(self, other: str = "torch") -> list[float]:
        """The other side's time by ours: above 1, we are faster."""
        return [theirs / ours for ours, theirs in zip(self.seconds["lenet"], self.seconds[other])]

    def ratio(self, other: str = "torch") -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios(other))

    def spread(self, other: str = "torch") -> str:
        """From the lowest to the highest ratio."""
        return f"{min(self.ratios(other)):.2f}-{max(self.ratios(other)):.2f}"

    def best(self, side: str) -> float:
        """The fastest round."""
        return min(self.seconds[side])


def in_turn(sides: Mapping[str, Piece], rounds: int, seconds: float | None = None) -> Times:
    """Measures all sides, each in every round."""
    seconds = SECONDS if seconds is None else seconds
    counts = {name: max(1, round(seconds / mean_seconds(piece, 3))) for name, piece in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, piece in sides.items():
            times[name].append(mean_seconds(piece, counts[name]))
    return Times(times)


def mean_seconds(piece: Piece, count: int) -> float:
    """Of `count` pieces, after one that warms up."""
    piece()
    began = time.perf_counter()
    for _ in range(count):
        piece()
    return (time.perf_counter() - began) / count


def in_child(body: Callable[[], Any]) -> Any:
    """What a function gives in a forked process of its own; what it does there leaves nothing behind.

    Raises:
        RuntimeError: the process ended without a result.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                json.dump(body(), pipe)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the measurement ended with status {status}")
    return json.loads(found)


def machine() -> str:
    """Processor, versions and kernels: what figures belong to."""
    return (
        f"{os.cpu_count()} cores of {_processor()}; {threads.get_num_threads()} threads here, "
        f"{torch.get_num_threads()} in torch;\n"
        f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}; "
        f"kernels: {dispatch.twin}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
