"""How gradients flow while a run trains: figures of every parameter, when `train.log_gradients` says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lenetcli.kernels.device import to_host
from lenetcli.train.events import Gradient
from lenetcli.train.run import Run

FIGURES = (
    5  # of a parameter: sum of squares, mean size and largest size of the gradient; squares before, and of the step
)


class GradientFlow:
    """Looks at gradients between backward and step, and at parameters before and after it.

    Which steps it looks at follows from the run's place alone, so that a resumed run goes on as if never stopped. On a
    device the figures stay there until they are asked for.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._looks: list[tuple[int, int, list[str], Any]] = []  # epoch, step, names, figures
        self._before: dict[str, tuple[list[Any], Any]] | None = None

    def before(self, batches: int) -> None:
        """Before gradients are limited and the step is made; it takes so many batches."""
        if not self._due(batches):
            return
        named = self._run.model.named_parameters()
        self._before = {
            name: (_sizes(p.grad.array), p.array.copy(order="K")) for name, p in named if p.grad is not None
        }

    def after(self, epoch: int) -> None:
        """After the step."""
        if self._before is None:
            return
        figures = []
        for name, (sizes, before) in self._before.items():
            with np.errstate(all="ignore"):  # a step may be too long for any number
                step = self._run.model.get_parameter(name).array - before
            figures += [*sizes, _squares(before), _squares(step)]
        if figures:
            self._looks.append((epoch, self._run.progress.step + 1, list(self._before), np.stack(figures)))
        self._before = None

    def now(self) -> Iterator[Gradient]:
        """What there is to tell at once."""
        if self._run.device == "cpu":
            yield from self.rest()

    def rest(self) -> Iterator[Gradient]:
        """What is left to tell."""
        looks, self._looks = self._looks, []
        for epoch, step, names, figures in looks:
            rows = to_host(figures).reshape(-1, FIGURES).tolist()
            for name, (squares, mean, most, before, moved) in zip(names, rows):
                update = _root(moved / before) if before else None
                yield Gradient(epoch, step, name, _root(squares), _finite(mean), _finite(most), update)

    def _due(self, batches: int) -> bool:
        run, p, every = self._run, self._run.progress, self._run.log_gradients
        if every is None:
            return False
        if p.step == 0:
            return True
        return p.batch + batches >= run.batches if every == "epoch" else (p.step + 1) % every == 0


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
    return _finite(math.sqrt(value) if value >= 0 else math.nan)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
