"""Two sets of tensors side by side: how far apart they are, where their numbers differ, and where their bits do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lenetcli.inspection.statistics import Array, relative_change
from lenetcli.tensors.serialization import load
from lenetcli.tensors.tensor import Tensor

T = TypeVar("T")


def _pairs(
    a: Mapping[str, T], b: Mapping[str, T], order: Iterable[str] = ()
) -> Iterator[tuple[str, T | None, T | None]]:
    """What both sides have under each name; some names come first, then those of a, then what only b has."""
    for name in dict.fromkeys((*order, *a, *b)):
        if name in a or name in b:
            yield name, a.get(name), b.get(name)


# How far apart


@dataclass(frozen=True)
class Distance:
    """One tensor on both sides.

    Args:
        shape: on the first side, else on the other.
        mean, max: of the absolute difference; None where there is nothing to compare.
        relative: the norm of the difference by the norm of the first; None where that is 0.
        note: what keeps the two from being compared.
    """

    name: str
    shape: list[int]
    mean: float | None = None
    max: float | None = None
    relative: float | None = None
    note: str = ""

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = asdict(self)
        return found if self.note else {key: value for key, value in found.items() if key != "note"}


@dataclass(frozen=True)
class Comparison:
    """All tensors, and all that can be compared together."""

    tensors: list[Distance]
    total: Distance

    def record(self) -> dict[str, Any]:
        """As `inspect-params --diff OTHER --json` prints it."""
        total = {"mean": self.total.mean, "max": self.total.max, "relative": self.total.relative}
        return {"parameters": [d.record() for d in self.tensors], "total": total}


def compare(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Comparison:
    """The difference b - a of every tensor, in the order of a; what b has besides comes last."""
    rows = []
    alike: list[tuple[Array, Array]] = []
    for name, x, y in _pairs(a, b):
        note = "only in the other" if x is None else "only in the first" if y is None else ""
        if x is not None and y is not None and x.shape != y.shape:
            note = f"the other has {list(y.shape)}"
        pair = [] if x is None or y is None or note else [(x.array, y.array)]
        rows.append(_distance(name, list((a[name] if name in a else b[name]).shape), pair, note))
        alike += pair
    return Comparison(rows, _distance("all together", [], alike))


def _distance(name: str, shape: list[int], pairs: list[tuple[Array, Array]], note: str = "") -> Distance:
    """Of all the pairs together."""
    count = sum(x.size for x, _ in pairs)
    if not count:
        return Distance(name, shape, note=note)
    with np.errstate(all="ignore"):  # infinities that are the same on both sides
        sizes = [np.abs(np.subtract(y, x, dtype=np.float64)) for x, y in pairs]
        total, most = sum(float(size.sum()) for size in sizes), max(float(size.max(initial=0)) for size in sizes)
    return Distance(name, shape, total / count, most, relative_change(*zip(*pairs)))


# Where numbers differ


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


def tensor_differences(a: Path, b: Path, order: Iterable[str] = ()) -> list[TensorDifference]:
    """The tensors of two weights files of runs that differ.

    Args:
        order: names in the order of the model, which a file does not know; others come last.

    Raises:
        DataError: a file is missing or damaged.
    """
    return differing(load(a), load(b), order)


def differing(a: Mapping[str, Tensor], b: Mapping[str, Tensor], order: Iterable[str] = ()) -> list[TensorDifference]:
    """The tensors that differ, those of a in its order, then those that only b has; some names may come first.

    Example:
        >>> import lenetcli as lenet
        >>> a, b = {"w": lenet.tensor([1.0, 2.0])}, {"w": lenet.tensor([1.0, 5.0])}
        >>> [(d.name, d.count, d.largest) for d in differing(a, b)]
        [('w', 1, 3.0)]
    """
    found = [_compared(name, left, right) for name, left, right in _pairs(a, b, order)]
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


# Where bits differ


@dataclass(frozen=True)
class BitDifference:
    """A tensor that is not the same to the last bit on both sides.

    Args:
        tensor: its name.
        index: of its first differing number; None where type or shape differ, or a side does not have it.
        a, b: the numbers there; else type and shape, None where a side does not have it.
        count: how many of its numbers differ.
    """

    tensor: str
    index: list[int] | None
    a: Any
    b: Any
    count: int

    @property
    def place(self) -> str:
        """The name, with the index where there is one."""
        return self.tensor if self.index is None else f"{self.tensor}{self.index}"


def flat(value: Any, name: str = "") -> dict[str, Array]:
    """The arrays in nested mappings, by their paths; what is no tensor is left out."""
    if isinstance(value, Mapping):
        items = ((f"{name}.{key}" if name else str(key), item) for key, item in value.items())
        return {path: array for key, item in items for path, array in flat(item, key).items()}
    return {name: value.numpy()} if hasattr(value, "numpy") else {}


def bit_differences(a: Mapping[str, Array], b: Mapping[str, Array]) -> Iterator[BitDifference]:
    """Every array that differs, in the order of a; what only b has comes last.

    Example:
        >>> a, b = {"w": np.float32([1, 2, 3])}, {"w": np.float32([1, 5, 6])}
        >>> [(d.place, d.a, d.b, d.count) for d in bit_differences(a, b)]
        [('w[1]', 2.0, 5.0, 2)]
    """
    for name, x, y in _pairs(a, b):
        if x is None or y is None or x.shape != y.shape or x.dtype != y.dtype:
            yield BitDifference(name, None, _kind(x), _kind(y), 1)
        elif x.tobytes() != y.tobytes():
            yield _first(name, x, y)


def _kind(array: Array | None) -> str | None:
    return None if array is None else f"{array.dtype} {list(array.shape)}"


def _first(name: str, a: Array, b: Array) -> BitDifference:
    bits = [np.ascontiguousarray(x).reshape(-1, 1).view(np.uint8) for x in (a, b)]
    differing = np.flatnonzero((bits[0] != bits[1]).any(axis=1))
    index = np.unravel_index(differing[0], a.shape)
    return BitDifference(name, [int(i) for i in index], a[index].item(), b[index].item(), len(differing))
