"""Runs that differ in their seed only, or have the same value of some keys: the mean of each, and its spread."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lenetcli.runs.table import HIGHEST_FIRST, SAME, RunRow, check_key, differences, flat

SEED = "seed"
FIGURES = ("accuracy", "loss", "last_accuracy", "last_loss", "test_accuracy", "test_loss", "seconds")


@dataclass(frozen=True)
class Spread:
    """Some runs' values of a figure.

    Args:
        std: the sample standard deviation, by count - 1; None of a single value.
    """

    mean: float
    std: float | None
    min: float
    max: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where there is no finite value.

        Example:
            >>> Spread.of([1.0, 3.0, float("nan")])
            Spread(mean=2.0, std=1.4142135623730951, min=1.0, max=3.0, count=2)
        """
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return None
        std = statistics.stdev(finite) if len(finite) > 1 else None
        return cls(statistics.fmean(finite), std, min(finite), max(finite), len(finite))


@dataclass(frozen=True)
class Group:
    """Runs that belong together.

    Args:
        config: what they have in common and other groups have not, by key.
    """

    config: dict[str, Any]
    rows: list[RunRow]

    @property
    def status(self) -> dict[str, int]:
        """How many of them ended how."""
        return dict(Counter(row.status for row in self.rows))

    def spread(self, figure: str) -> Spread | None:
        """Of one of FIGURES, over the runs that have it."""
        values = [getattr(row, figure) for row in self.rows]
        return Spread.of([value for value in values if value is not None])

    @property
    def name(self) -> str:
        """The group in a few words."""
        return ", ".join(f"{key.rpartition('.')[2]}={_written(value)}" for key, value in self.config.items())


def grouped(rows: Sequence[RunRow], keys: Sequence[str] = (), sort: str = "run", reverse: bool = False) -> list[Group]:
    """The groups, in the order of their first runs or, sorted by a figure, of its mean.

    Args:
        keys: by whose values the runs are put together; none: by all of their configurations but the seed.

    Raises:
        ConfigError: no run has such a key.
    """
    for key in keys:
        check_key("--group", key, rows)
    together: dict[str, list[RunRow]] = {}
    for row in rows:
        if keys:
            same = {key: row.value(key) for key in keys}
        else:
            same = {key: value for key, value in flat(row.config).items() if key not in (SEED, *SAME)}
        together.setdefault(json.dumps(same, sort_keys=True, default=str), []).append(row)
    parts = list(together.values())
    if keys:
        groups = [Group({key: part[0].value(key) for key in keys}, part) for part in parts]
    else:
        differing = differences([part[0] for part in parts])
        differing.pop(SEED, None)
        groups = [
            Group({key: values[i] for key, values in differing.items()}, part) for i, part in enumerate(parts)
        ]  # fmt: skip
    if sort in FIGURES:
        sign = -1 if (sort in HIGHEST_FIRST) != reverse else 1
        spreads = {id(group): group.spread(sort) for group in groups}
        groups.sort(key=lambda g: math.inf if (s := spreads[id(g)]) is None else sign * s.mean)
    return groups


def _written(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
