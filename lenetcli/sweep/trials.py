"""The trials of a sweep whose points are known from the beginning, and what every kind of trials can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lenetcli.sweep.space import Point
from lenetcli.sweep.trial import claim, ended
from lenetcli.train.events import Evaluated

Claim = Callable[[Path], ExitStack | None]  # what takes a trial's directory for this worker, where it is free


@dataclass
class Trial:
    """A trial that this worker holds.

    Args:
        number: from 1 on.
        place: its run directory.
        held: its lock; to be closed when the worker is through with it.
    """

    number: int
    place: Path
    point: Point
    held: ExitStack


class Trials(Protocol):
    """Where a worker gets its trials from."""

    place: Path  # the sweep's directory
    total: int
    others: int  # trials that other workers were training at the last look

    def take(self) -> Trial | None:
        """A trial that nobody works on and that is not over; None where there is none just now."""

    def report(self, trial: Trial, event: Evaluated) -> bool:
        """Notes an evaluation; True where the trial should not go on."""

    def settle(self, trial: Trial, outcome: str | None) -> None:
        """Notes how a trial ended; None where it does not work at all."""


class Given:
    """Trials of a list of points, in its order.

    Args:
        place: the sweep's directory; each trial has a run directory below it.
        claim: how a trial is taken.
    """

    def __init__(self, place: Path, points: Sequence[Point], claim: Claim = claim) -> None:
        self.place, self.points, self._claim = place, points, claim
        self.total, self.others = len(points), 0
        self._over: set[int] = set()

    def take(self) -> Trial | None:
        """The first point that is not over and that nobody works on."""
        self.others = 0
        for number, point in enumerate(self.points, 1):
            place = self.place / f"{number:04d}"
            if number in self._over or self._is_over(number, place):
                continue
            held = self._claim(place)
            if held is None:
                self.others += 1
            elif self._is_over(number, place):  # another worker was through with it just before
                held.close()
            else:
                return Trial(number, place, point, held)
        return None

    def _is_over(self, number: int, place: Path) -> bool:
        if ended(place) is not None:
            self._over.add(number)
        return number in self._over

    def report(self, trial: Trial, event: Evaluated) -> bool:
        """Each trial of a list goes to its end."""
        return False

    def settle(self, trial: Trial, outcome: str | None) -> None:
        """Its run directory says it all; another machine may see that later."""
        self._over.add(trial.number)
