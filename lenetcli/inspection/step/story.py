"""A training step as plain data: moments in order, each with its rule, its tensors and what it changed.

Tensors have names that hold from one moment to the next: "input", "target", "conv1.weight", "y3" (the result of moment
3), "d_y3" (its gradient), "d_conv1.weight".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import figures, relative_change
from lenetcli.inspection.step.written_out import ByHand, Index

Array = npt.NDArray[Any]
PHASES = ("zero_grad", "forward", "loss", "backward", "clip", "update")
FEW = 6  # values of a tensor that JSON shows


@dataclass(frozen=True)
class Shown:
    """A tensor that takes part in a moment.

    Args:
        role: what the rule calls it: x, weight, y, grad, d_x.
        name: what the story calls it.
        array: its values at that moment.
    """

    role: str
    name: str
    array: Array

    def record(self) -> dict[str, Any]:
        """Role, name, shape, figures and the first values."""
        found = figures([self.array])
        return {
            "role": self.role,
            "name": self.name,
            "shape": list(self.array.shape),
            "dtype": str(self.array.dtype),
            "mean": found.mean,
            "std": found.std,
            "min": found.min,
            "max": found.max,
            "zeros": found.zeros,
            "first": self.array.reshape(-1)[:FEW].tolist(),
        }


@dataclass(frozen=True)
class Change:
    """A tensor before and after a moment; None where there is none."""

    name: str
    before: Array | None
    after: Array | None

    @property
    def difference(self) -> float | None:
        """Mean size of the change."""
        if self.before is None or self.after is None or not self.after.size:
            return None
        return float(np.abs(self.after.astype(np.float64) - self.before).mean())

    @property
    def relative(self) -> float | None:
        """Norm of the change by the norm of what was there before."""
        return None if self.before is None or self.after is None else relative_change([self.before], [self.after])

    def record(self) -> dict[str, Any]:
        """Name, shape and mean sizes."""
        there = self.after if self.after is not None else self.before
        return {
            "name": self.name,
            "shape": [] if there is None else list(there.shape),
            "before": None if self.before is None else figures([self.before]).mean_abs,
            "after": None if self.after is None else figures([self.after]).mean_abs,
            "difference": self.difference,
            "relative": self.relative,
        }


@dataclass(frozen=True)
class Moment(Record):
    """One thing that happened.

    Args:
        number: its place in the story, from 1.
        phase: one of PHASES.
        title: the operation, the node, or what was done.
        module: path and class of the module that did it, as in "conv1: Conv2d".
        rules: formulas.
        shown: the tensors that took part: what came in first, what came out last.
        by_hand: one number of each result, worked out.
        changes: what is different afterwards.
        notes: whatever else there is to say.
        source: where the operation is written.
        code: the operation's text.
    """

    KEYS: ClassVar = {"shown": "tensors", "code": None}
    number: int
    phase: str
    title: str
    module: str = ""
    rules: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    by_hand: tuple[ByHand, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    code: str = ""


@dataclass(frozen=True)
class Story(Record):
    """A whole step.

    Args:
        step: its number in the training, from 1.
        epoch: the epoch's, from 1.
        batch: number of its (first) batch in the epoch, from 1.
        lr: the learning rate it was made with.
        loss: of all its batches, in the middle of the step.
        loss_after: of the same batches after the update, the same way (dropout draws the same numbers).
        parameter: the one that is followed.
        index: the element of it that is followed.
        moments: in order.
        tensors: every tensor by its name; a parameter as it was before the step.
        recorded: whether training makes such steps by a recording, or why not; here it is made op by op.
    """

    SHOWN: ClassVar = ("step", "epoch", "batch", "lr", "loss", "loss_after", "followed", "recorded", "moments")
    step: int
    epoch: int
    batch: int
    lr: float
    loss: float
    loss_after: float
    parameter: str
    index: Index
    moments: list[Moment]
    tensors: dict[str, Array] = field(repr=False)
    recorded: str

    @property
    def followed(self) -> dict[str, Any]:
        """The element that is followed, and where it is."""
        return {"parameter": self.parameter, "index": self.index}
