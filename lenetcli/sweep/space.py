"""What a sweep varies: lists of values and ranges, written like overrides, and the points that they make.

optimizer.lr=[0.01, 0.1]            one of these values
optimizer.lr=uniform(0.01, 0.1)     a number between them
optimizer.lr=log(1e-4, 1e-1)        the same, evenly spread over its orders of magnitude
train.batch_size=int(16, 128)       a whole number, the ends included
train.batch_size=logint(16, 128)    the same, evenly spread over its orders of magnitude
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.config.overrides import Override
from lenetcli.config.problems import InvalidConfig, Problem
from lenetcli.config.yaml_tree import read_scalar
from lenetcli.errors import ConfigError

RANGES = ("uniform", "log", "int", "logint")
DIGITS = 6  # of a number drawn from a range: more would only be harder to read
MOST = 10_000  # trials
LARGEST = 2**53  # a whole number of a range
_RANGE = re.compile(r"\s*([a-z]+)\(([^(),]*),([^(),]*)\)\s*")

Point = dict[str, Any]  # key -> value


@dataclass(frozen=True)
class Axis:
    """One key and the values that it may take.

    Args:
        text: as it was written.
        kind: "choice", or one of RANGES.
        values: of a choice.
        low, high: the ends of a range.
    """

    key: str
    text: str
    kind: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def draw(self, random: np.random.Generator) -> Any:
        """A value at random."""
        match self.kind:
            case "choice":
                return self.values[int(random.integers(len(self.values)))]
            case "int":
                return int(random.integers(int(self.low), int(self.high) + 1))
            case "logint":
                low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
                return int(np.clip(round(math.exp(random.uniform(low, high))), self.low, self.high))
            case "log":
                return _rounded(math.exp(random.uniform(math.log(self.low), math.log(self.high))))
        return _rounded(random.uniform(self.low, self.high))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def parse(texts: Iterable[str]) -> tuple[list[Axis], list[str]]:
    """What varies, and the overrides that hold for every trial.

    Raises:
        ConfigError: an axis that cannot be read, or a key given twice.

    Example:
        >>> axes, fixed = parse(["optimizer.lr=[0.1, 1]", "train.epochs=2"])
        >>> axes[0].key, axes[0].values, fixed
        ('optimizer.lr', (0.1, 1), ['train.epochs=2'])
    """
    axes: list[Axis] = []
    fixed = []
    for text in texts:
        key, _, value = text.partition("=")
        found = _RANGE.fullmatch(value)
        if found is not None and (found[1] in RANGES or found[1].isidentifier()):
            axes.append(_range(key, text, found[1], found[2], found[3]))
            continue
        problems: list[Problem] = []
        override = Override.parse(text, 0, problems)
        if override is None:
            raise InvalidConfig(problems)
        values = override.value.plain()
        if not isinstance(values, list):
            fixed.append(text)
            continue
        _check_choices(text, values)
        axes.append(Axis(key, text, "choice", tuple(values)))
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{key}: given twice; write all its values in one list")
    return axes, fixed


def _check_choices(text: str, values: list[Any]) -> None:
    if not values:
        raise ConfigError(f"{text}: a list of no values")
    try:
        texts = [json.dumps(value, allow_nan=False) for value in values]
    except ValueError:
        raise ConfigError(f"{text}: wanted finite numbers") from None
    if len(set(texts)) < len(texts):
        raise ConfigError(f"{text}: a value is there twice")


def _range(key: str, text: str, kind: str, low: str, high: str) -> Axis:
    if kind not in RANGES:
        raise ConfigError(f"{text}: unknown range {kind}(); there are {', '.join(f'{name}()' for name in RANGES)}")
    try:
        ends = [read_scalar(end.strip()) for end in (low, high)]
    except ValueError as error:
        raise ConfigError(f"{text[:60]}: {error}") from None
    whole = kind.endswith("int")
    if not all(isinstance(e, int if whole else (int, float)) and not isinstance(e, bool) for e in ends):
        raise ConfigError(f"{text}: wanted two {'whole ' if whole else ''}numbers, such as {kind}(1, 10)")
    first, last = (float(end) for end in ends)  # type: ignore[arg-type]  # numbers, as was checked above
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        raise ConfigError(f"{text}: wanted two finite numbers, the lower one first")
    if whole and max(abs(first), abs(last)) > LARGEST:
        raise ConfigError(f"{text}: wanted whole numbers within {-LARGEST:,} and {LARGEST:,}")
    if kind.startswith("log") and first <= 0:
        raise ConfigError(f"{text}: a logarithmic range begins above 0")
    return Axis(key, text, kind, low=first, high=last)


def overrides(point: Point) -> list[str]:
    """A point as overrides of the command line."""
    return [f"{key}={json.dumps(value)}" for key, value in point.items()]


def grid(axes: Sequence[Axis]) -> list[Point]:
    """Every combination, the last axis changing fastest.

    Raises:
        ConfigError: there is a range, or there are too many combinations.
    """
    ranges = [axis.text for axis in axes if axis.kind != "choice"]
    if ranges:
        raise ConfigError(f"{ranges[0]}: a grid has no ranges; write a list of values, or draw with --random N")
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST:
        raise ConfigError(f"{count:,} combinations: more than {MOST:,}; draw some of them with --random N")
    return [dict(zip([axis.key for axis in axes], values)) for values in itertools.product(*(a.values for a in axes))]


def random(axes: Sequence[Axis], count: int, seed: int) -> list[Point]:
    """Points at random, no two the same. Point i follows from the seed and i: more of them leave the first as they are.

    Raises:
        ConfigError: there are fewer combinations than that.
    """
    found: list[Point] = []
    seen: set[str] = set()
    if all(axis.kind == "choice" for axis in axes):
        most = math.prod(len(axis.values) for axis in axes)
        if count > most:
            raise ConfigError(f"--random {count}: there are only {most} combinations; leave --random away for all")
    for number in range(count):
        point = next((p for p in _draws(axes, seed, number) if json.dumps(p) not in seen), None)
        if point is None:
            raise ConfigError(f"--random {count}: these ranges have only some {number} different points")
        seen.add(json.dumps(point))
        found.append(point)
    return found


def _draws(axes: Sequence[Axis], seed: int, number: int) -> Iterator[Point]:
    source = np.random.default_rng([seed, number])
    for _ in range(10_000):
        yield {axis.key: axis.draw(source) for axis in axes}
