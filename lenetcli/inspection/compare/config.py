"""What two configurations or runs differ in: keys, then the first step with another loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from lenetcli.config.problems import KeyPath, dotted
from lenetcli.inspection.record import Record
from lenetcli.runs.history import History

ABSENT = object()  # a key or layer that one side does not have


@dataclass(frozen=True)
class Difference(Record):
    """One key with two values; None where a side does not have it (or has null)."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class FirstStep(Record):
    """The first step at which two runs have another loss."""

    step: int
    a: float
    b: float


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
