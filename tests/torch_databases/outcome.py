"""What comes of one sample: equal, refused or wrong, and by how much the numbers differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lenetcli as lenet

TOLERANCE = {"float32": 2e-5, "float64": 1e-9}  # of values; ten times as much of gradients


@dataclass
class Measure:
    """Collects the worst difference of what is compared with it: |ours - torch's| / (1 + |torch's|).

    Args:
        tolerance: what is still equal.
    """

    tolerance: float
    worst: float = 0.0

    def problem(self, got: Any, wanted: Any) -> str | None:
        """What differs between our tensor (or number) and torch's; None where they are equal."""
        import torch

        if not isinstance(wanted, torch.Tensor):
            return None if got == wanted else f"got {got!r}, wanted {wanted!r}"
        if not isinstance(got, lenet.Tensor):
            return f"got {type(got).__name__}, wanted a tensor"
        if tuple(got.shape) != tuple(wanted.shape):
            return f"shape {tuple(got.shape)}, wanted {tuple(wanted.shape)}"
        if str(got.dtype) != str(wanted.dtype):
            return f"dtype {got.dtype}, wanted {wanted.dtype}"
        ours, theirs = got.detach().numpy(), wanted.numpy(force=True)
        self._note(ours, theirs)
        tolerance = self.tolerance  # of float32 among float64 numbers that of float32
        if theirs.dtype == np.float32:
            tolerance = max(tolerance, TOLERANCE["float32"])
        if np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True):
            return None
        where = ~np.isclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
        return f"values {ours[where][:3]}, wanted {theirs[where][:3]}"

    def _note(self, ours: Any, theirs: Any) -> None:
        finite = np.isfinite(theirs) & np.isfinite(ours)
        if finite.any():
            a, b = ours[finite].astype(np.float64), theirs[finite].astype(np.float64)
            self.worst = max(self.worst, float(np.max(np.abs(a - b) / (1 + np.abs(b)))))


class Beside(Measure):
    """Takes what differs for equal where it is at most twice as far from the exact numbers as torch's own.

    Args:
        exact: torch's in float64, in the order in which they are compared.
    """

    def __init__(self, tolerance: float, exact: Iterable[Any]) -> None:
        super().__init__(tolerance)
        self._exact = iter(exact)

    def problem(self, got: Any, wanted: Any) -> str | None:
        """As a `Measure`."""
        found, known = super().problem(got, wanted), next(self._exact, None)
        if found is None or known is None or tuple(got.shape) != tuple(known.shape):
            return found
        ours, theirs, right = (got.detach().numpy(), wanted.numpy(force=True), known.numpy(force=True))
        return None if np.abs(ours - right).max() <= 2 * np.abs(theirs - right).max() else found


@dataclass
class Row:
    """One name's line of the parity report."""

    name: str
    outcomes: Counter[str] = field(default_factory=Counter)
    forward: float = 0.0
    gradient: float = 0.0
    notes: list[str] = field(default_factory=list)  # of what is not equal, a few

    def add(self, found: str, words: str) -> None:
        """Counts one sample's outcome."""
        word = found.partition(":")[0]
        self.outcomes[word] += 1
        if word != "equal" and len(self.notes) < 4 and found not in [n.partition("\n")[0] for n in self.notes]:
            self.notes.append(f"{found[:230]}\n      {words[:300]}")

    def measured(self, forward: Measure, gradient: Measure) -> None:
        """Keeps the worst differences in float32."""
        self.forward, self.gradient = max(self.forward, forward.worst), max(self.gradient, gradient.worst)


def show(rows: Iterable[Row], everything: bool) -> None:
    """Prints the rows that are not all equal (or all), and the total."""
    total: Counter[str] = Counter()
    for row in rows:
        total += row.outcomes
        if everything or row.outcomes["equal"] != row.outcomes.total():
            print(row.name, dict(row.outcomes), flush=True)
            for note in row.notes:
                print("  " + note)
    print("total", dict(total))
