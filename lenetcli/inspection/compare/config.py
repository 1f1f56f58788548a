"""What two configurations or runs differ in: keys, then the first step with another loss, then the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.config.problems import KeyPath, dotted
from lenetcli.runs.history import History
from lenetcli.tensors.serialization import load
from lenetcli.tensors.tensor import Tensor

ABSENT = object()  # a key or layer that one side does not have


@dataclass(frozen=True)
class Difference:
    """One key with two values; None where a side does not have it (or has null)."""

    key: str
    a: Any
    b: Any

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {"key": self.key, "a": self.a, "b": self.b}


@dataclass(frozen=True)
class FirstStep:
    """The first step at which two runs have another loss."""

    step: int
    a: float
    b: float

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {"step": self.step, "a": self.a, "b": self.b}


@dataclass(frozen=True)
class TensorDifference:
    """One tensor of the weights that differs.

    Args:
        name: its name in the model.
        shapes: on both sides; None where a side does not have it.
        count: how many of its numbers differ; None where the shapes do.
        largest: the largest absolute difference.
        index: where that is.
        a: the number there.
        b: the number there, on the other side.
    """

    name: str
    shapes: tuple[list[int] | None, list[int] | None]
    count: int | None = None
    largest: float | None = None
    index: list[int] | None = None
    a: float | None = None
    b: float | None = None

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        shapes = {"shape_a": self.shapes[0], "shape_b": self.shapes[1]}
        figures = {"largest": _json(self.largest), "index": self.index, "a": _json(self.a), "b": _json(self.b)}
        return {"name": self.name, **shapes, "count": self.count, **figures}


def _json(value: float | None) -> float | str | None:
    """A number, or the name of one that JSON does not have."""
    return value if value is None or math.isfinite(value) else str(value)


def config_differences(a: Any, b: Any, path: KeyPath = ()) -> Iterator[Difference]:
    """Key by key, what two configurations (as mappings, see `config.writing.plain`) differ in.

    Lists of layers are laid side by side first, so that one more layer is one difference.

    Example:
        >>> [d.record() for d in config_differences({"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 0})]
        [{'key': 'lr', 'a': 0.1, 'b': 0.2}]
    """
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*a, *b)):
            yield from config_differences(a.get(key, ABSENT), b.get(key, ABSENT), (*path, key))
    elif _is_components(a) and _is_components(b):
        for number, (left, right) in enumerate(_side_by_side(a, b)):
            yield from config_differences(left, right, (*path, number))
    elif a != b or isinstance(a, bool) != isinstance(b, bool):
        yield Difference(dotted(path), None if a is ABSENT else a, None if b is ABSENT else b)


def _is_components(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _side_by_side(a: list[Any], b: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of layers of the same type and name in order, and what is left over beside nothing."""
    left_keys, right_keys = ([f"{item.get('type')} {item.get('name')}" for item in items] for items in (a, b))
    matcher = SequenceMatcher(None, left_keys, right_keys, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        left, right = a[start:end], b[other_start:other_end]
        for i in range(max(len(left), len(right))):
            yield left[i] if i < len(left) else ABSENT, right[i] if i < len(right) else ABSENT


def first_step(a: History, b: History) -> FirstStep | None:
    """The first step of two runs with another loss; None where all steps that both made have the same."""
    _, left, right = np.intersect1d(a.steps.step, b.steps.step, return_indices=True)
    losses = a.steps.loss[left], b.steps.loss[right]
    unequal = np.flatnonzero(losses[0] != losses[1])
    if not len(unequal):
        return None
    at = unequal[0]
    return FirstStep(int(a.steps.step[left[at]]), float(losses[0][at]), float(losses[1][at]))


def tensor_differences(a: Path, b: Path, order: Iterable[str] = ()) -> list[TensorDifference]:
    """The tensors of two weights files that differ.

    Args:
        order: names in the order of the model, which a file does not know; others come last.

    Raises:
        DataError: a file is missing or damaged.
    """
    left, right = load(a), load(b)
    names = [name for name in dict.fromkeys((*order, *left, *right)) if name in left or name in right]
    found = [_compared(str(name), left.get(name), right.get(name)) for name in names]
    return [difference for difference in found if difference is not None]


def _compared(name: str, a: Tensor | None, b: Tensor | None) -> TensorDifference | None:
    shapes = (None if a is None else list(a.shape), None if b is None else list(b.shape))
    if a is None or b is None or shapes[0] != shapes[1]:
        return TensorDifference(name, shapes)
    left, right = a.array, b.array
    unequal = (left != right) & ~((left != left) & (right != right))  # NaN equals NaN here
    if not unequal.any():
        return None
    with np.errstate(all="ignore"):
        distance = np.abs(left.astype(np.float64) - right.astype(np.float64))
    index = np.unravel_index(int(np.argmax(np.where(unequal, np.nan_to_num(distance, nan=np.inf), -1))), left.shape)
    at = tuple(int(i) for i in index)
    return TensorDifference(
        name, shapes, int(unequal.sum()), float(distance[at]), list(at), float(left[at]), float(right[at])
    )
