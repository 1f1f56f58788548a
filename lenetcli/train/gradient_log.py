"""Sizes of every parameter's gradient and update while a run trains, when `train.log_gradients` says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lenetcli.kernels.device import to_host
from lenetcli.train.events import Step
from lenetcli.train.run import Run

# of a parameter: the gradient's sum of squares, mean size, largest size and dead units; sums of squares of the weights
# and the step
SIZES = 6


class GradientLog:
    """Measures gradients between backward and step, and parameters before and after it.

    Which steps it measures follows from the run's place alone, so that a resumed run goes on as if never stopped. On a
    device the sizes stay there until the step's event is made.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._measured: dict[int, tuple[list[str], Any]] = {}  # names and sizes, by step
        self._before: dict[str, tuple[list[Any], Any]] | None = None

    def due(self, batches: int) -> bool:
        """Whether to measure the coming step, which takes so many batches."""
        run, p, every = self._run, self._run.progress, self._run.log_gradients
        if run.look_every is not None and (p.step + 1) % run.look_every == 0:
            return True
        if every is None:
            return False
        if p.step == 0:
            return True
        return p.batch + batches >= run.batches if every == "epoch" else (p.step + 1) % every == 0

    def before_update(self) -> None:
        """Before gradients are limited and the step is made."""
        named = self._run.model.named_parameters()
        self._before = {
            name: (_sizes(p.grad.array), p.array.copy(order="K")) for name, p in named if p.grad is not None
        }

    def after_update(self) -> None:
        """After the step."""
        if self._before is None:
            return
        measured = []
        for name, (sizes, before) in self._before.items():
            with np.errstate(all="ignore"):  # a step may be too long for any number
                step = self._run.model.get_parameter(name).array - before
            measured += [*sizes, _squares(before), _squares(step)]
        if measured:
            self._measured[self._run.progress.step] = list(self._before), np.stack(measured)
        self._before = None

    def with_gradients(self, step: Step) -> Step:
        """The step's event with what was measured at it, where anything was."""
        measured = self._measured.pop(step.step, None)
        if measured is None:
            return step
        names, sizes = measured
        found = {}
        for name, (squares, mean, most, dead, before, moved) in zip(names, to_host(sizes).reshape(-1, SIZES).tolist()):
            update = _root(moved / before) if before else None
            found[name] = {
                "norm": _root(squares),
                "mean": _short(mean),
                "max": _short(most),
                "update": update,
                "dead": dead,
            }
        return replace(step, gradients=found)


def _sizes(grad: Any) -> list[Any]:
    size = abs(grad)
    dead = (size.reshape(len(size), -1).max(axis=1) == 0).sum() if size.ndim else size == 0
    return [_squares(grad), size.mean(), size.max(), dead]


def _squares(array: Any) -> Any:
    """The sum of squares; on a device infinity where that is too large for the array's own type."""
    flat = array.ravel("K")
    with np.errstate(all="ignore"):
        found = flat.dot(flat)
        if isinstance(found, np.floating) and not math.isfinite(found):
            found = np.square(flat, dtype=np.float64).sum()
    return found


def _root(value: float) -> float | None:
    return _short(math.sqrt(value) if value >= 0 else math.nan)


def _short(value: float) -> float | None:
    """To six digits, as many as a reader can use."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
