"""Where on the line of real numbers the 256 values of a byte lie: a step that is a power of two, and a zero."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Graph, NotExportable
from lenetcli.export.python_file import values_of

LOW, HIGH = -128, 127
FINEST, COARSEST = -40, 40  # exponents of a step


@dataclass(frozen=True)
class Grid:
    """real = (q - zero) * 2**exponent, for whole numbers q from -128 to 127.

    Example:
        >>> grid = Grid(-4, -128)
        >>> grid.of(np.array([0, 0.03125, 0.09375, 100])), grid.real(np.array([-127]))
        (array([-128, -128, -126,  127], dtype=int8), array([0.0625], dtype=float32))
    """

    exponent: int
    zero: int

    @property
    def step(self) -> float:
        """How far apart two neighbours are."""
        return math.ldexp(1.0, self.exponent)

    def of(self, real: Array) -> Array:
        """The nearest value of the grid as int8, of two that are as near the even one before the zero is added."""
        whole = np.rint(np.asarray(real, np.float64) / self.step) + self.zero
        return np.asarray(np.clip(np.where(np.isnan(whole), self.zero, whole), LOW, HIGH).astype(np.int8))

    def real(self, q: Array) -> Array:
        """What a value of the grid stands for, as float32."""
        return np.asarray((q.astype(np.int32) - self.zero).astype(FLOAT) * FLOAT.type(self.step))


def spanning(low: float, high: float) -> Grid:
    """The finest grid that has these two numbers and 0; what is free beside them is shared out evenly.

    Example:
        >>> spanning(0.0, 3.9), spanning(-1.0, 2.0)
        (Grid(exponent=-6, zero=-128), Grid(exponent=-6, zero=-32))
    """
    low, high = min(low, 0.0), max(high, 0.0)
    exponent = FINEST if high <= low else max(FINEST, math.ceil(math.log2((high - low) / (HIGH - LOW))))
    grid = _centred(low, high, min(exponent, COARSEST))
    reach = grid.real(np.array([LOW, HIGH]))
    if exponent < COARSEST and (low < reach[0] or high > reach[1]):  # both ends do not fall on values of the grid
        grid = _centred(low, high, exponent + 1)
    return grid


def _centred(low: float, high: float, exponent: int) -> Grid:
    """The zero is even: to round and then add it is then the same as to add it first, as some programs do."""
    if low == 0 or high == 0:
        return Grid(exponent, LOW if low == 0 else HIGH - 1)
    middle = (low + high) / 2 / math.ldexp(1.0, exponent)
    return Grid(exponent, min(max(2 * round(((LOW + HIGH) / 2 - middle) / 2), LOW), HIGH - 1))


@dataclass
class Seen:
    """What samples made of a value: its range, and how far grids of half the step would be from it."""

    low: float = 0.0
    high: float = 0.0
    errors: dict[Grid, float] = field(default_factory=dict)

    def grids(self) -> list[Grid]:
        """Those to choose from: the one that spans all, and finer ones that cut the ends off."""
        return [spanning(self.low * part, self.high * part) for part in (1.0, 0.5, 0.25)]


def calibrated(graph: Graph, samples: Iterable[Array], names: Iterable[str], whole: Iterable[str]) -> dict[str, Grid]:
    """For each of these values the grid with the least squared error over the samples; deterministic.

    Args:
        samples: batches of inputs, walked through twice.
        names: of values of the graph.
        whole: those whose largest numbers are never cut off, such as the scores of classes.

    Raises:
        NotExportable: values that are no numbers.
    """
    batches, found = list(samples), {name: Seen() for name in names}
    for x in batches:
        values = values_of(graph, [x])
        for name, seen in found.items():
            if not np.isfinite(values[name]).all():
                raise NotExportable(
                    f"{name}: gives NaN or infinite values for training samples; it cannot become integers"
                )
            seen.low = min(seen.low, float(values[name].min(initial=0)))
            seen.high = max(seen.high, float(values[name].max(initial=0)))
    for x in batches:
        values = values_of(graph, [x])
        for name, seen in found.items():
            for grid in seen.grids():
                beside = grid.real(grid.of(values[name])).astype(np.float64) - values[name]
                seen.errors[grid] = seen.errors.get(grid, 0.0) + float(np.square(beside).sum())
    kept = set(whole)
    return {name: seen.grids()[0] if name in kept else _best(seen.errors) for name, seen in found.items()}


def _best(errors: Mapping[Grid, float]) -> Grid:
    """The grid with the least error, of equal ones the coarsest."""
    return min(errors, key=lambda grid: (errors[grid], -grid.exponent))
