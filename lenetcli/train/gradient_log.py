"""How gradients flow while a run trains: figures of every parameter, when `train.log_gradients` says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lenetcli.kernels.device import to_host
from lenetcli.train.events import Step
from lenetcli.train.run import Run

# of a parameter: the gradient's sum of squares, mean size and largest size; sums of squares of the weights and the step
FIGURES = 5


class GradientFlow:
    """Looks at gradients between backward and step, and at parameters before and after it.

    Which steps it looks at follows from the run's place alone, so that a resumed run goes on as if never stopped. On a
    device the figures stay there until the step is told of.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._looks: dict[int, tuple[list[str], Any]] = {}  # names and figures, by step
        self._before: dict[str, tuple[list[Any], Any]] | None = None

    def due(self, batches: int) -> bool:
        """Whether to look at the coming step, which takes so many batches."""
        run, p, every = self._run, self._run.progress, self._run.log_gradients
        if every is None:
            return False
        if p.step == 0:
            return True
        return p.batch + batches >= run.batches if every == "epoch" else (p.step + 1) % every == 0

    def before(self) -> None:
        """Before gradients are limited and the step is made."""
        named = self._run.model.named_parameters()
        self._before = {
            name: (_sizes(p.grad.array), p.array.copy(order="K")) for name, p in named if p.grad is not None
        }

    def after(self) -> None:
        """After the step."""
        if self._before is None:
            return
        figures = []
        for name, (sizes, before) in self._before.items():
            with np.errstate(all="ignore"):  # a step may be too long for any number
                step = self._run.model.get_parameter(name).array - before
            figures += [*sizes, _squares(before), _squares(step)]
        if figures:
            self._looks[self._run.progress.step] = list(self._before), np.stack(figures)
        self._before = None

    def told(self, step: Step) -> Step:
        """The step's event with the figures of its look, where there was one."""
        look = self._looks.pop(step.step, None)
        if look is None:
            return step
        names, figures = look
        found = {}
        for name, (squares, mean, most, before, moved) in zip(names, to_host(figures).reshape(-1, FIGURES).tolist()):
            update = _root(moved / before) if before else None
            found[name] = {"norm": _root(squares), "mean": _short(mean), "max": _short(most), "update": update}
        return replace(step, gradients=found)


def _sizes(grad: Any) -> list[Any]:
    size = abs(grad)
    return [_squares(grad), size.mean(), size.max()]


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
