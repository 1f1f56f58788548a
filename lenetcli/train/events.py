"""What happens in a training run. A run is a stream of these; whatever shows or keeps a run only listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

LONGEST_LINE = 1 << 22  # bytes of an event in metrics.jsonl; what is longer is none
FIGURES = ("norm", "mean", "max", "update", "dead")  # what a step may tell of each parameter's gradient
CONFUSED = 100  # classes; an evaluation of more does not tell which was taken for which


@dataclass(frozen=True)
class Event:
    """Something that happened after `step` optimizer steps, in epoch `epoch` (counted from 1)."""

    event: ClassVar[str]
    epoch: int
    step: int

    def record(self) -> dict[str, Any]:
        """The event as plain data, as it stands in metrics.jsonl; what is None is left out."""
        return {"event": self.event} | {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Data(Event):
    """What the data set found and does not use, where there is something: before the first step."""

    event: ClassVar[str] = "data"
    left_out: list[dict[str, str | int]]  # of each kind "why", "count" and "first", a place


@dataclass(frozen=True)
class Changed(Event):
    """What of the configuration is another from the next step on: before it, where a run goes on after a change.

    The run stands after `step` steps and `epoch - 1` whole epochs.
    """

    event: ClassVar[str] = "changed"
    changes: dict[str, list[Any]]  # of each path, such as "optimizer.lr", the value before and the one now


@dataclass(frozen=True)
class Step(Event):
    """One optimizer step: loss and learning rate it was made with (of all its batches, where gradients accumulate)."""

    event: ClassVar[str] = "step"
    loss: float
    lr: float
    samples: int  # in this step
    samples_per_second: float
    # Of each parameter, where train.log_gradients says so: "norm" (Euclidean) of its gradient, "mean" and "max" of the
    # sizes of the gradient's numbers, before it was limited; "update", norm of the step by norm of the parameter before
    # it; "dead", how many of its units (places along the first axis) had a gradient of zeros. None where a figure is no
    # finite number, and for the update of zeros.
    gradients: dict[str, dict[str, float | None]] | None = None
    outputs: dict[str, dict[str, float | None]] | None = None  # of each of several losses "loss", without its weight


@dataclass(frozen=True)
class Evaluated(Event):
    """A pass over a split: "test", or "validation" where training data is held back for it.

    For "train" the figures were gathered while training, at changing weights.
    """

    event: ClassVar[str] = "evaluated"
    split: str
    loss: float
    accuracy: float | None  # share of right classes; None where targets are no classes
    count: int
    lr: float
    seconds: float
    samples_per_second: float
    outputs: dict[str, dict[str, float | None]] | None = None  # of each of several losses "loss" and "accuracy"
    # [true class][predicted class]: samples; None for "train", where targets are no classes or classes more than
    # CONFUSED, and where several processes train the run.
    confusion: list[list[int]] | None = None
    metrics: dict[str, float] | None = None  # of the task, where train.best or early_stopping looks at one of them


@dataclass(frozen=True)
class Saved(Event):
    """A checkpoint is whole on disk."""

    event: ClassVar[str] = "saved"
    path: str
    best: bool  # the model is the best so far, and stands in model.safetensors too


@dataclass(frozen=True)
class Ended(Event):
    """Over: "finished", "stopped early", "out of time", "diverged", "pruned", or "interrupted" by a signal."""

    event: ClassVar[str] = "ended"
    reason: str
    seconds: float
    best_epoch: int | None
    loss: float | None = None  # of the best epoch, on the test split
    accuracy: float | None = None
