"""A look at every sample of a data set: what is broken, what no training survives, what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lenetcli.data.dataset import ArrayDataset, Source, origin_of, unlike
from lenetcli.data.encoded import Pictures, listed
from lenetcli.data.finite import SHOWN, listing, not_finite, sample, worst
from lenetcli.data.left_out import LeftOut
from lenetcli.errors import DataError

TOGETHER = 256  # samples
LARGE = 1e6  # values beyond this are not scaled or normalised
TOO_LARGE = 1e18  # the square of a larger one is infinite in float32


@dataclass
class Check:
    """What was found.

    Args:
        counts: samples by split.
        shape: of a sample, as the model sees it; None where no split could be read.
        values: the smallest and the largest number by split, as the model sees them.
        problems: what has to be mended; without any, the data are sound.
        remarks: what is worth a look.
        left_out: what is found and not used.
    """

    counts: dict[str, int] = field(default_factory=dict)
    shape: list[int] | None = None
    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    classes: Sequence[str] = ()
    left_out: tuple[LeftOut, ...] = ()

    def record(self, name: str) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "name": name, "ok": not self.problems, "counts": self.counts, "shape": self.shape,
            "classes": list(self.classes), "values": {split: list(ends) for split, ends in self.values.items()},
            "left_out": [part.record() for part in self.left_out], "problems": self.problems, "remarks": self.remarks,
        }  # fmt: skip


def check_source(source: Source) -> Check:
    """Reads and decodes every sample of all splits; what is wrong is gathered, not raised.

    Raises:
        ConfigError: a library is missing.
    """
    found, looked = Check(), 0
    broken: list[DataError] = []
    shapes: dict[str, list[int]] = {}
    for split in ("train", "test", "validation"):
        try:
            data = getattr(source, split, None)  # a class of the user's own may know no validation
            if data is None:
                continue
            found.counts[split], shapes[split] = len(data), list(data.sample_shape)
            if isinstance(data.images, Pictures):
                more, _ = data.images.problems()
                broken, looked = broken + more, looked + len(data)
            else:
                _look(data, split, found)
        except DataError as error:
            if str(error) not in found.problems:
                found.problems.append(str(error))
    if broken:
        found.problems.append(str(listed(broken, looked, looked)))
    found.shape = next(iter(shapes.values()), None)
    if len(shapes) == 2 and (said := unlike(source)):
        found.problems.append(said)
    if not found.problems:
        found.classes = source.classes
    found.left_out = source.left_out
    return found


def _look(data: ArrayDataset, split: str, found: Check) -> None:
    """Every number of a split, as the model sees it."""

    def origin(index: int) -> str:
        return origin_of(data, index)

    low, high, largest, at = np.inf, -np.inf, 0.0, 0
    bad: list[tuple[int, str]] = []
    for start in range(0, len(data), TOGETHER):
        inputs, _ = data.gather(np.arange(start, min(start + TOGETHER, len(data))))
        rows = not_finite(inputs)
        bad += [(start + int(row), worst(inputs[row])) for row in rows]
        if not bad:
            low, high = min(low, float(inputs.min())), max(high, float(inputs.max()))
            sizes = np.abs(inputs).max(axis=(1, 2, 3))
            if float(sizes.max()) > largest:
                largest, at = float(sizes.max()), start + int(sizes.argmax())
    if bad:
        found.problems.append(listing(split, "inputs", bad[:SHOWN], len(bad), len(data), origin))
        return
    found.values[split] = low, high
    if largest > LARGE:
        said = f"values up to {largest:.3g} in size, first in {sample(split, at, origin)}"
        if largest > TOO_LARGE:
            found.problems.append(f"{said}: their squares are too large for float32")
        else:
            found.remarks.append(f"{said}: a training may diverge; data.normalize or another scale makes them small")
