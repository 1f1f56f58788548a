"""The learning-rate range test: train with a rate that rises from tiny to huge, and see where the loss falls fastest.

Source: L. N. Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import draws_from, get_rng_state, set_rng_state
from lenetcli.errors import DivergedError
from lenetcli.inspection.record import Record
from lenetcli.train.events import Step
from lenetcli.train.loop import train_epoch
from lenetcli.train.run import Progress, Run

SPREAD = 40  # the smoothing's standard deviation is the test's length divided by this
RECENT = 4  # steps whose mean loss tells whether it explodes
NO_FALL = 0.97  # of the first loss: a lowest one above that is noise
HOPELESS = 4.0  # times the lowest such mean: further steps say nothing


@dataclass(frozen=True)
class Point:
    """One step of the test; the smoothed loss is a mean over the steps around it."""

    lr: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class LrRange(Record):
    """What the test found.

    Args:
        points: the steps, until the loss was beyond hope.
        suggestion: the rate at which the smoothed loss fell fastest; None where it never fell.
        best_lr: the rate at which the smoothed loss was lowest: the suggestion lies below.
        ended: why the points end: "all steps", "loss exploded" or "diverged".
    """

    points: list[Point]
    suggestion: float | None
    best_lr: float | None
    ended: str


@draws_from(lambda run, *_, **__: run.random)
def lr_range(run: Run, low: float, high: float, steps: int) -> LrRange:
    """Trains `steps` steps with rates from `low` to `high`, evenly spaced on a logarithmic scale.

    Accumulation and clipping are the run's own; warm-up, schedule and averaging rest meanwhile. Groups of parameters
    with rates of their own rise in proportion to that of the first. Afterwards weights,
    optimizer, random numbers and progress are what they were.

    Args:
        low: rate of the first step, above 0.
        high: rate of the last step, above `low`.
        steps: at least 2.

    Raises:
        ValueError: rates or steps out of range.
    """
    if not 0 < low < high < math.inf or steps < 2:
        raise ValueError(f"wanted 0 < from < to and at least 2 steps, got {low:g}, {high:g} and {steps} steps")
    before = _State(run)
    trial = replace(
        run, progress=Progress(), checkpoints=None, scheduler=None, warmup=0, average=None, max_seconds=None
    )
    rates: list[float] = []
    losses: list[float] = []
    ended, lowest = "all steps", math.inf
    try:
        for event in _rising(trial, low, high, steps):
            rates.append(event.lr)
            losses.append(event.loss)
            recent = sum(losses[-RECENT:]) / len(losses[-RECENT:])
            lowest = min(lowest, recent)
            if recent > HOPELESS * lowest:
                ended = "loss exploded"
                break
    except DivergedError:
        ended = "diverged"
    finally:
        before.restore(run)
    points = [Point(*values) for values in zip(rates, losses, _smoothed(losses, steps / SPREAD).tolist())]
    suggestion, best = _suggestion(points)
    return LrRange(points, suggestion, best, ended)


def _rising(run: Run, low: float, high: float, steps: int) -> Iterator[Step]:
    """The steps, epoch after epoch of the training data."""
    number = 0
    rates = [group["lr"] for group in run.optimizer.param_groups]
    shares = [rate / rates[0] if rates[0] else 1.0 for rate in rates]  # of groups with rates of their own
    _set_lr(run, low, shares)
    while True:
        for event in train_epoch(run):
            if not isinstance(event, Step):
                continue
            yield event
            number += 1
            if number == steps:
                return
            _set_lr(run, low * (high / low) ** (number / (steps - 1)), shares)
        run.progress = Progress(epoch=run.progress.epoch + 1, step=run.progress.step)


def _set_lr(run: Run, lr: float, shares: Sequence[float]) -> None:
    for group, share in zip(run.optimizer.param_groups, shares):
        group["lr"] = lr * share


def _suggestion(points: list[Point]) -> tuple[float | None, float | None]:
    """Where the smoothed loss falls fastest over the logarithm of the rate, before its lowest point; and that point."""
    if len(points) < 3:
        return None, None
    lowest = min(range(len(points)), key=lambda i: points[i].smoothed)
    slopes = {
        i: (points[i + 1].smoothed - points[i - 1].smoothed) / math.log(points[i + 1].lr / points[i - 1].lr)
        for i in range(1, min(lowest + 1, len(points) - 1))
    }
    steepest = min(slopes, key=lambda i: slopes[i], default=None)
    if steepest is None or slopes[steepest] >= 0 or points[lowest].smoothed > NO_FALL * points[0].smoothed:
        return None, None
    return points[steepest].lr, points[lowest].lr


def _smoothed(losses: list[float], deviation: float) -> npt.NDArray[np.float64]:
    """Each loss as a mean over its neighbours, weighted by a bell curve, so that nothing moves to a later step."""
    reach = math.ceil(3 * deviation)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    ends = slice(reach, reach + len(losses))  # of the full convolution, what is centred on a step
    return np.convolve(losses, bell)[ends] / np.convolve(np.ones(len(losses)), bell)[ends]


class _State:
    """Everything that training changes, kept aside."""

    def __init__(self, run: Run) -> None:
        self.weights = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
        self.optimizer = deepcopy(run.optimizer.state_dict())
        self.random = get_rng_state()
        self.training = run.model.training

    def restore(self, run: Run) -> None:
        run.model.load_state_dict(self.weights)
        run.freeze()
        run.model.train(self.training)
        run.optimizer.load_state_dict(self.optimizer)
        run.optimizer.zero_grad()
        set_rng_state(self.random)
