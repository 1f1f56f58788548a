"""Writing out how a number comes about: a formula, the same with the actual numbers in it, and the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Index = tuple[int, ...]
SHOWN = 3  # terms of a sum that are written out


@dataclass(frozen=True)
class ByHand:
    """A formula for one number, the same with numbers, and what it comes to.

    Args:
        value: in float64.
        actual: what the operation gave; None where it keeps no such number.
        digits: how many of the value are worth showing.
    """

    formula: str
    numbers: str
    value: float
    actual: float | None = None
    digits: int = 4

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"formula": self.formula, "numbers": self.numbers, "value": self.value, "actual": self.actual}


@dataclass(frozen=True)
class Seen:
    """What an operation saw: operands and parameters by name, its result and, going backward, the result's gradient."""

    operands: Mapping[str, Any]
    parameters: Mapping[str, Any]
    y: Array
    grad: Array

    def __getitem__(self, name: str) -> Array:
        return self.operands[name]


Found = tuple[str, str, float]  # what ByHand takes
Way = Callable[[Seen, Index], "Found | None"]


def largest(array: Array) -> Index:
    """Where the number of greatest size is."""
    size = np.nan_to_num(np.abs(array), nan=-1.0)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(size)), array.shape))


def n(value: float, digits: int = 4) -> str:
    """A number in a few digits; a negative one in parentheses, so that it can stand behind an operator."""
    text = f"{float(value):.{digits}g}".replace("-", "−")
    return f"({text})" if text.startswith("−") else text


def bare(numbers: str) -> str:
    """Without the parentheses of a negative number at the beginning."""
    return re.sub(r"^\((−[^()]*)\)(?!²)", r"\1", numbers)


def at_index(name: str, at: Index) -> str:
    """y[0,3,1]; just y where there is no index."""
    return f"{name}[{','.join(map(str, at))}]" if at else name


def terms(texts: Iterator[str], count: int, zeros: int = 0) -> str:
    """The first terms of a sum; of the others, how many there are."""
    shown = [text for text, _ in zip(texts, range(SHOWN))]
    if count <= len(shown):
        return " + ".join(shown)
    rest = f"… ({count:,} terms" + (f", {zeros:,} of them 0)" if zeros else ")")
    return " + ".join([*shown, rest])


def plain_sum(values: Array) -> tuple[str, float]:
    """A sum of numbers."""
    flat = values.reshape(-1).astype(np.float64)
    shown = flat[np.flatnonzero(flat)] if np.any(flat) else flat
    zeros = flat.size - int(np.count_nonzero(flat))
    return terms((n(v) for v in shown), flat.size, zeros), float(flat.sum())


def product_sum(a: Array, b: Array, first: float | None = None) -> tuple[str, float]:
    """A sum of products, behind a first summand where there is one; products that are 0 are not written out."""
    a, b = (x.reshape(-1).astype(np.float64) for x in np.broadcast_arrays(a, b))
    nonzero = np.flatnonzero(a * b)
    shown = nonzero if nonzero.size else np.arange(a.size)
    texts = (f"{n(a[i])}·{n(b[i])}" for i in shown)
    text, value = terms(texts, a.size, a.size - nonzero.size), float(a.dot(b))
    return (text, value) if first is None else (f"{n(first)} + {text}", first + value)
