"""When the learning rate's schedule goes on, and what it looks at."""

from __future__ import annotations

from typing import Any

from lenetcli.errors import ConfigError
from lenetcli.optim.lr_scheduler import ReduceLROnPlateau
from lenetcli.train.events import Evaluated
from lenetcli.train.run import Run


def after_step(run: Run) -> None:
    """A schedule of batches goes on after each step of the optimizer."""
    if run.scheduler is not None and (run.scheduler_step or unit_of(run.scheduler)) == "batch":
        run.scheduler.step()


def after_epoch(run: Run, evaluated: Evaluated) -> None:
    """A schedule of epochs goes on after each, by what it watches where it looks at anything.

    Raises:
        ConfigError: it watches an accuracy, and there is none.
    """
    scheduler = run.scheduler
    if isinstance(scheduler, ReduceLROnPlateau):
        watched = run.scheduler_watch or ("accuracy" if scheduler.mode == "max" else "loss")
        value = evaluated.loss if watched == "loss" else evaluated.accuracy
        if value is None:
            raise ConfigError(f"{type(scheduler).__name__} watches accuracy, but targets are no classes: watch loss")
        scheduler.step(value)
    elif scheduler is not None and (run.scheduler_step or unit_of(scheduler)) == "epoch":
        scheduler.step()


def unit_of(scheduler: Any) -> str:
    """What a scheduler is meant to be stepped after: "epoch" or "batch".

    Raises:
        ConfigError: it is made of schedulers that differ in that.
    """
    parts = getattr(scheduler, "_schedulers", ())
    units = {unit_of(part) for part in parts} if parts else {getattr(scheduler, "unit", "epoch")}
    if len(units) > 1:
        kinds = ", ".join(f"{type(part).__name__}: {unit_of(part)}" for part in parts)
        raise ConfigError(f"scheduler: its parts step after different things ({kinds}): say scheduler_step")
    return units.pop()
