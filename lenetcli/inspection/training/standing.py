"""Where a run stands: how far it is, how it does, how long it will take. What is shown of a run while it trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenetcli.inspection.record import Record
from lenetcli.runs.history import History

TRAINING = "training"
STILL = "not running"  # no end is written down, and nobody trains there


@dataclass(frozen=True)
class Standing(Record):
    """A run at one moment; what is not known is None.

    Args:
        status: "training", "paused", "not running", or how it ended.
        epoch: the one that goes on, or the last one; 0 before the first step.
        steps: of the whole run, known once an epoch is over.
        loss: of the last step.
        split: that judges the epochs.
        judged_loss, accuracy: there, after the last epoch.
        left: seconds until it has been through all epochs, at the pace so far.
    """

    run: str
    status: str
    epoch: int
    epochs: int
    step: int
    steps: int | None
    loss: float | None
    split: str
    judged_loss: float | None
    accuracy: float | None
    lr: float | None
    samples_per_second: float | None
    seconds: float
    left: float | None

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1."""
        return 0.0 if not self.steps else min(1.0, self.step / self.steps)


def standing(history: History, run: str, epochs: int, status: str = TRAINING, per_epoch: int | None = None) -> Standing:
    """Where a run stands, as its history tells.

    Args:
        epochs: those that it is meant to go through; 0 where nobody knows.
        status: of a run that has not ended.
        per_epoch: optimizer steps of an epoch, where they are known beforehand.

    Example:
        >>> from lenetcli.runs.history import history_of
        >>> from lenetcli.train.events import Evaluated, Step
        >>> events = [Step(1, i, 1.0 / i, 0.1, 32, 320.0) for i in (1, 2, 3, 4)]
        >>> events.append(Evaluated(1, 4, "train", 0.5, 0.8, 128, 0.1, 0.4, 320.0))
        >>> found = standing(history_of(events), "runs/lenet/001", epochs=3)
        >>> found.step, found.steps, round(found.left, 6)
        (4, 12, 0.8)
    """
    steps, last = history.steps, history.last
    step = int(steps.step[-1]) if len(steps.step) else 0
    passes = [e.event for e in history.evaluations if e.event.split == "train"]
    if per_epoch is None and passes:
        per_epoch = -(-passes[-1].step // passes[-1].epoch)
    whole = None if per_epoch is None or not epochs else per_epoch * epochs
    left = None
    if whole is not None and step and history.ended is None:
        left = history.seconds / step * max(0, whole - step)
    return Standing(
        run,
        status if history.ended is None else history.ended.reason,
        int(steps.epoch[-1]) if len(steps.epoch) else 0,
        epochs,
        step,
        whole,
        _finite(float(steps.loss[-1])) if len(steps.loss) else None,
        "test" if last is None else last.split,
        None if last is None else last.loss,
        None if last is None else last.accuracy,
        float(steps.lr[-1]) if len(steps.lr) else None,
        _speed(history),
        history.seconds,
        left,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _speed(history: History) -> float | None:
    """Samples per second of the last pass over the training data, and before there is one, of the last step."""
    passes = [e.event.samples_per_second for e in history.evaluations if e.event.split == "train"]
    return passes[-1] if passes else history.speed
