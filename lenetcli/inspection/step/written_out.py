"""Writing out how a number comes about: a formula, the same with the actual numbers in it, and the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.inspection.record import Record

Array = npt.NDArray[Any]
Index = tuple[int, ...]
SHOWN = 3  # terms of a sum that are written out


@dataclass(frozen=True)
class ByHand(Record):
    """A formula for one number, the same with numbers, and what it comes to.

    Args:
        value: in float64.
        actual: what the operation gave; None where it keeps no such number.
        digits: how many of the value are worth showing.
    """

    KEYS: ClassVar = {"digits": None}

    formula: str
    numbers: str
    value: float
    actual: float | None = None
    digits: int = 4


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


@dataclass(frozen=True)
class Seen:
    """What an operation saw: operands and parameters by name, its result and, going backward, the result's gradient.

    Its methods write out numbers and sums for the operation's examples (`example` of autograd/op.py).
    """

    operands: Mapping[str, Any]
    parameters: Mapping[str, Any]
    y: Array
    grad: Array

    number = staticmethod(n)

    def __getitem__(self, name: str) -> Any:
        return self.operands.get(name)

    def element(self, name: str, at: Index) -> str:
        """y[0,3,1]; just y where there is no index."""
        return f"{name}[{','.join(map(str, at))}]" if at else name

    def terms(self, texts: Iterator[str], count: int, zeros: int = 0) -> str:
        """The first terms of a sum; of the others, how many there are."""
        shown = [text for text, _ in zip(texts, range(SHOWN))]
        if count <= len(shown):
            return " + ".join(shown)
        rest = f"… ({count:,} terms" + (f", {zeros:,} of them 0)" if zeros else ")")
        return " + ".join([*shown, rest])

    def sum(self, values: Array) -> tuple[str, float]:
        """A sum of numbers."""
        flat = values.reshape(-1).astype(np.float64)
        shown = flat[np.flatnonzero(flat)] if np.any(flat) else flat
        zeros = flat.size - int(np.count_nonzero(flat))
        return self.terms((n(v) for v in shown), flat.size, zeros), float(flat.sum())

    def products(self, a: Array, b: Array, first: float | None = None) -> tuple[str, float]:
        """A sum of products, behind a first summand where there is one; products that are 0 are not written out."""
        a, b = (x.reshape(-1).astype(np.float64) for x in np.broadcast_arrays(a, b))
        nonzero = np.flatnonzero(a * b)
        shown = nonzero if nonzero.size else np.arange(a.size)
        texts = (f"{n(a[i])}·{n(b[i])}" for i in shown)
        text, value = self.terms(texts, a.size, a.size - nonzero.size), float(a.dot(b))
        return (text, value) if first is None else (f"{n(first)} + {text}", first + value)

    def sum_of_channel(self, name: str, at: Index) -> tuple[str, str, float]:
        """The gradient of a channel's bias."""
        numbers, value = self.sum(self.grad[:, at[0]])
        rest = "".join(f",{axis}" for axis in "pq"[: self.grad.ndim - 2])
        return f"{self.element(name, at)} = Σ_n{rest} grad[n,{at[0]}{rest}]", numbers, value

    def row(self, x: Array, at: Index) -> Array:
        """The numbers along the operation's dimension that an element is one of."""
        dim: int = self.parameters["dim"]
        if not x.ndim:
            return x.reshape(1)
        return np.moveaxis(x, dim, -1)[at[:dim] + at[dim + 1 :]]


def forward_by_hand(cls: type, seen: Seen, at: Index) -> ByHand | None:
    """An element of an operation's result; None where it has no example, or none for these arguments."""
    return _by_hand(getattr(cls, "example", None), seen, at, float(seen.y[at]))


def backward_by_hand(cls: type, operand: str, seen: Seen, at: Index, actual: float) -> ByHand | None:
    """An element of the gradient of an operand; None as in `forward_by_hand`."""
    return _by_hand(getattr(cls, f"example_d_{operand}", None), seen, at, actual)


def _by_hand(example: Callable[[Seen, Index], Any] | None, seen: Seen, at: Index, actual: float) -> ByHand | None:
    found = example(seen, at) if example is not None else None
    return None if found is None else ByHand(found[0], bare(found[1]), found[2], actual)
