"""The first place where two states of a training differ in their bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


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
    for name in dict.fromkeys((*a, *b)):
        x, y = a.get(name), b.get(name)
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
