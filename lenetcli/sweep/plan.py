"""What a sweep is: kept as sweep.json in its directory, so that every worker there works on the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lenetcli import config as configuration
from lenetcli.build.parts import resolved
from lenetcli.config import Config, consent
from lenetcli.config.writing import plain
from lenetcli.disk import is_there, read_within, write_atomically
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.runs.resume_rules import PLACES
from lenetcli.sweep.space import Axis, Point, grid, overrides, parse, random

NAME = "sweep.json"
FORMAT = 1
LARGEST = 1 << 24  # bytes

Way = Literal["grid", "random", "optuna"]
Metric = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Args:
        path: the configuration's file.
        fixed: overrides of every trial.
        way: how trials are chosen.
        count: trials; None for a grid, which has as many as it has.
        prune: end trials early that do worse than most at the same epoch.
    """

    path: str
    fixed: tuple[str, ...]
    axes: tuple[Axis, ...]
    way: Way
    count: int | None
    seed: int
    metric: Metric
    prune: bool

    @classmethod
    def of(
        cls, path: str, texts: Sequence[str], way: Way, count: int | None, seed: int, metric: Metric, prune: bool
    ) -> Plan:
        """A plan from what the command line says.

        Raises:
            ConfigError: nothing varies, or an axis cannot be read.
        """
        axes, fixed = parse(texts)
        if not axes:
            raise ConfigError("nothing to vary: give a key several values, such as 'optimizer.lr=[0.01, 0.1]'")
        return cls(path, tuple(fixed), tuple(axes), way, count, seed, metric, prune)

    def config(self, point: Point | None = None) -> Config:
        """The configuration of a point; without one, that of which all trials are changes.

        To sweep over it is its user's word that the Python it names may be imported.

        Raises:
            ConfigError: it does not work.
        """
        with consent.given():
            return configuration.load(self.path, [*self.fixed, *overrides(point or {})])

    def points(self) -> list[Point]:
        """The points of a grid or of random draws.

        Raises:
            ConfigError: ranges in a grid, or too few combinations.
        """
        return grid(self.axes) if self.count is None else random(self.axes, self.count, self.seed)

    def record(self) -> dict[str, Any]:
        """What makes it this sweep and no other. The number of trials does not: there may be more of them later."""
        return {
            "format": FORMAT,
            "way": self.way,
            "axes": [axis.text for axis in self.axes],
            "seed": self.seed,
            "metric": self.metric,
            "prune": self.prune,
            "config": json.loads(json.dumps(plain(resolved(self.config())))),
        }

    def place(self) -> Path:
        """The directory that this sweep has, wherever it is asked for: the same command finds it again."""
        digest = hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()
        return Path("runs") / self.config().name / f"sweep-{digest[:8]}"

    def settle(self, place: Path) -> None:
        """Makes the directory, or makes sure that the sweep in it is this one.

        Raises:
            ConfigError: it holds something else; the message says what.
            LenetError: it cannot be made.
        """
        path = place / NAME
        try:
            place.mkdir(parents=True, exist_ok=True)
            if not is_there(path) and any(entry.name != NAME and entry.name[0] != "." for entry in place.iterdir()):
                raise ConfigError(f"{place}: holds other files than a sweep's; choose another place with --out")
        except OSError as error:
            raise LenetError(f"cannot make {place}: {error.strerror or error}; choose another with --out") from None
        wanted = self.record()
        if not is_there(path):
            write_atomically(path, (json.dumps(wanted, indent=1) + "\n").encode())
        found = _read(path)
        for key, value in wanted.items():
            if _without_places(found.get(key)) != _without_places(value):
                was, now = (json.dumps(v)[:60] for v in (found.get(key), value))
                what = "another configuration" if key == "config" else f"{key} {was}, not {now}"
                raise ConfigError(f"{place}: holds another sweep ({what}); choose another place with --out")


def _without_places(value: Any) -> Any:
    """A configuration but for where its data lies; anything else as it is."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict):
        return value
    return {**value, "data": {key: found for key, found in data.items() if f"data.{key}" not in PLACES}}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_within(path, LARGEST))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: damaged: not JSON") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: damaged: wanted a JSON object")
    return found
