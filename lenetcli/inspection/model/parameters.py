"""Parameters as a table: the tutorial's `net$parameters`, with statistics of values and gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.tensors.tensor import Tensor


@dataclass(frozen=True)
class Statistics:
    """Mean, standard deviation (as torch's std: of a sample) and extremes; None where undefined."""

    mean: float | None
    std: float | None
    min: float | None
    max: float | None


def statistics(array: npt.NDArray[Any]) -> Statistics:
    """Statistics of an array, computed in float64."""
    if array.size == 0:
        return Statistics(None, None, None, None)
    wide = array.astype(np.float64)
    std = float(wide.std(ddof=1)) if wide.size > 1 else None
    return Statistics(float(wide.mean()), std, float(wide.min()), float(wide.max()))


@dataclass(frozen=True)
class ParameterRow:
    """One named tensor of a model."""

    name: str
    shape: list[int]
    dtype: str
    count: int
    trainable: bool
    values: Statistics
    gradient: Statistics | None
    lr: float | None = None  # the learning rate that training begins with, where that is known

    def record(self) -> dict[str, Any]:
        """The row as JSON holds it; gradient figures only where there is a gradient."""
        row = {
            "name": self.name,
            "shape": self.shape,
            "dtype": self.dtype,
            "count": self.count,
            "trainable": self.trainable,
            **asdict(self.values),
        }
        if self.lr is not None:
            row["lr"] = self.lr
        if self.gradient is not None:
            row |= {f"grad_{k}": v for k, v in asdict(self.gradient).items()}
        return row


def row(name: str, tensor: Tensor, lr: float | None = None) -> ParameterRow:
    """Shape, type and statistics of one tensor."""
    return ParameterRow(
        name,
        list(tensor.shape),
        tensor.dtype.name,
        tensor.numel(),
        tensor.requires_grad,
        statistics(tensor.array),
        statistics(tensor.grad.array) if tensor.grad is not None else None,
        lr,
    )


def table(rows: Iterable[ParameterRow]) -> dict[str, Any]:
    """The rows with their totals, as `inspect-params --json` prints them."""
    listed = list(rows)
    return {
        "parameters": [r.record() for r in listed],
        "total": sum(r.count for r in listed),
        "trainable": sum(r.count for r in listed if r.trainable),
    }
