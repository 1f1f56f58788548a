"""The figures of several losses, each summed up by itself, and of their sum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lenetcli.nn.module import Module
from lenetcli.train.evaluate import Tally
from lenetcli.train.losses import Losses


class SeveralTally:
    """Sums up batches, as Tally, for each of several losses; the loss is the weighted sum of theirs, and the right
    answers are those of the main one.

    Args:
        classes: of the confusions; 0 counts none.
    """

    summed = False

    def __init__(self, losses: Losses, classes: int = 0) -> None:
        self.losses = losses
        self.tallies = {term.name: Tally(term.criterion, classes) for term in losses.terms}

    @property
    def main(self) -> Tally:
        """That of the main loss."""
        return self.tallies[self.losses.main.name]

    @property
    def loss(self) -> float:
        """The weighted sum of the mean losses so far (NaN before the first sample)."""
        return sum(term.weight * self.tallies[term.name].loss for term in self.losses.terms)

    @property
    def accuracy(self) -> float | None:
        """Share of right classes of the main output; None where its targets are no classes."""
        return self.main.accuracy

    @property
    def count(self) -> int:
        """Samples so far."""
        return self.main.count

    @property
    def ignored(self) -> int:
        """Those that count neither as right nor as wrong for the main loss."""
        return self.main.ignored

    def add_losses(self, values: Sequence[float], output: Any, target: Any, inputs: Any) -> None:
        """Takes the value of each loss for one batch, what the model gave, and what it should have given."""
        for term, value in zip(self.losses.terms, values):
            self.tallies[term.name].add(value, term.of(output), term.wanted(target, inputs))

    @property
    def figures(self) -> dict[str, dict[str, float | None]]:
        """Loss and accuracy of each."""
        return {name: {"loss": tally.loss, "accuracy": tally.accuracy} for name, tally in self.tallies.items()}

    def state(self) -> str:
        """The sums so far, as a text that `restore` takes."""
        return json.dumps([tally.sums for tally in self.tallies.values()])

    def restore(self, state: str | None) -> None:
        """Goes on from sums that were written down."""
        for tally, sums in zip(self.tallies.values(), json.loads(state or "[]")):
            tally.sums = tuple(sums)


def check_state(criterion: Module, state: str | None) -> None:
    """Refuses a text that is no state of a tally for these losses.

    Raises:
        ValueError: it is none.
    """
    if state is None:
        return
    rows = json.loads(state) if isinstance(criterion, Losses) else None
    if not isinstance(rows, list) or not isinstance(criterion, Losses) or len(rows) != len(criterion.terms):
        raise ValueError("progress.epoch_losses: wanted sums of each of several losses")
    for row in rows:
        if not isinstance(row, list) or len(row) != 5 or not all(map(_is_sum, row[:3] + row[4:])):
            raise ValueError("progress.epoch_losses: wanted five numbers of each loss")
        if row[3] is not None and not _is_sum(row[3]):
            raise ValueError("progress.epoch_losses: wanted a number of right answers")


def _is_sum(value: Any) -> bool:
    return type(value) in (int, float) and not abs(value) >= 2**63  # NaN may be


AnyTally = Tally | SeveralTally


def parts_of(tally: AnyTally) -> list[Tally]:
    """That of each loss."""
    return list(tally.tallies.values()) if isinstance(tally, SeveralTally) else [tally]


def tally_of(criterion: Module) -> AnyTally:
    """Nothing summed up yet, for one loss or several."""
    return SeveralTally(criterion) if isinstance(criterion, Losses) else Tally(criterion)
