"""Two sets of weights side by side: how far apart they are, tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lenetcli.tensors.tensor import Tensor


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
    rows, sums = [], [0.0, 0.0, 0.0, 0.0, 0.0]  # |d|, count, max, d², a²
    for name, tensor in a.items():
        shape = list(tensor.shape)
        if name not in b:
            rows.append(Distance(name, shape, note="only in the first"))
        elif list(b[name].shape) != shape:
            rows.append(Distance(name, shape, note=f"the other has {list(b[name].shape)}"))
        else:
            first = tensor.array.astype(np.float64)
            with np.errstate(all="ignore"):  # infinities that are the same on both sides
                d = np.abs(b[name].array.astype(np.float64) - first)
                parts = [float(d.sum()), d.size, float(d.max(initial=0)), float((d * d).sum()), float((first**2).sum())]
            sums = [max(s, p) if i == 2 else s + p for i, (s, p) in enumerate(zip(sums, parts))]
            rows.append(_distance(name, shape, parts))
    rows += [Distance(name, list(b[name].shape), note="only in the other") for name in b if name not in a]
    return Comparison(rows, _distance("all together", [], sums))


def _distance(name: str, shape: list[int], parts: list[float]) -> Distance:
    total, count, largest, squares, before = parts
    if not count:
        return Distance(name, shape)
    return Distance(name, shape, total / count, largest, math.sqrt(squares / before) if before else None)
