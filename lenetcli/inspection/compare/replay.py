"""Two runs trained again side by side, step by step, up to the first one after which they are not the same.

On one machine a run repeats from its configuration to the last bit, so what no checkpoint kept can be had again.
Whether it was had is seen by the losses: each that is made again has to be the one that the run has written down.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.config.user_code import blamed
from lenetcli.disk import Unreadable, is_there
from lenetcli.errors import DataError, LenetError
from lenetcli.inspection.compare.tensors import BitDifference, bit_differences, flat
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, Checkpoints
from lenetcli.runs.directory import environment, read_environment
from lenetcli.runs.history import History
from lenetcli.tensors.serialization import load
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run

BITS = ("lenet", "numpy", "processor", "kernels", "gpu", "ranks")  # parts of environment.json that may change bits


@dataclass(frozen=True)
class Parting:
    """The first step after which two runs hold other numbers.

    Args:
        step: its number; 0 where the initial weights differ.
        seen_in: where in the step they part: "initial weights", "loss" (with the same weights: the samples or the
            forward pass differ), "gradients", or "update" (all before it is the same).
        tensor: the first tensor that differs after the step: weights and buffers first, then averaged weights, then
            what the optimizer keeps.
        gradient: the first gradient of the step that differs.
        losses, rates: of the step, on both sides.
    """

    step: int
    seen_in: str
    tensor: BitDifference
    gradient: BitDifference | None = None
    losses: tuple[float, float] | None = None
    rates: tuple[float, float] | None = None


@dataclass(frozen=True)
class Replay(Record):
    """What training again has shown.

    Args:
        begun: the step of the newest checkpoints that are the same in both runs; 0 for the initial weights.
        compared: the last step that was compared.
        parting: where the runs part; None where they do not up to there.
        problem: why it could not go on; empty where nothing kept it.
    """

    begun: int
    compared: int
    parting: Parting | None = None
    problem: str = ""


@dataclass(frozen=True)
class Recorded:
    """A run of a directory, to be trained again.

    Args:
        make: builds it, at its beginning.
    """

    place: Path
    make: Callable[[], Run]
    history: History

    @property
    def losses(self) -> dict[int, float]:
        """Of each step that it has written down."""
        steps = self.history.steps
        return dict(zip(steps.step.astype(int).tolist(), steps.loss.tolist()))

    @property
    def last(self) -> int:
        """Its last step that is written down."""
        return int(self.history.steps.step.max(initial=0))


def replay(a: Recorded, b: Recorded, begun: int) -> Replay:
    """Trains both again, from where `same_checkpoint` says, up to where they part.

    A difference counts when the step after it, if both made one, gives the losses that are written down, too.
    """
    last = min(a.last, b.last)
    if begun and begun >= last:
        return Replay(begun, begun)
    try:
        sides = _Side(a, begun), _Side(b, begun)
        parting = _initial(sides) if begun == 0 else None
        for step in range(begun + 1, last + 1):
            with blamed(lambda: f"when step {step} was made again"):  # noqa: B023  called within the turn
                made = sides[0].advance(step), sides[1].advance(step)
            if parting is not None:
                break
            parting = _compare(sides, made)
    except LenetError as error:
        return Replay(begun, begun, problem=str(error))
    return Replay(begun, last if parting is None else parting.step, parting)


def seconds(runs: tuple[Recorded, Recorded], begun: int, until: int) -> float:
    """About how long it takes to train steps again, as long as the runs took themselves."""
    total = 0.0
    for run in runs:
        steps = run.history.steps
        inside = steps.time[(steps.step >= begun) & (steps.step <= until)]
        total += float(inside[-1] - inside[0]) if len(inside) else 0.0
    return total


def same_checkpoint(a: Path, b: Path) -> int:
    """The step of the newest whole checkpoints that hold the same tensors in both runs; 0 where there are none."""
    both = set(Checkpoints(a).names()) & set(Checkpoints(b).names())
    for name in sorted(both, key=int, reverse=True):
        try:
            kept = [_kept(run, name) for run in (a, b)]
        except Unreadable:
            raise
        except DataError:
            continue
        if next(bit_differences(*kept), None) is None:
            return int(name)
    return 0


def _kept(run: Path, name: str) -> dict[str, Array]:
    """All tensors of a checkpoint."""
    checkpoints = Checkpoints(run)
    path = checkpoints.root / name
    checkpoints.read_state(path)
    files = [file for file in (MODEL, AVERAGE, OPTIMIZER) if is_there(path / file)]
    return {key: array for file in files for key, array in flat(load(path / file), file).items()}


class _Side:
    """One of the two."""

    def __init__(self, recorded: Recorded, begun: int) -> None:
        self.place, self.losses = recorded.place, recorded.losses
        self.run = recorded.make()
        self.run.max_seconds = None
        if begun:
            Checkpoints(recorded.place).look(self.run, begun)
        self._events = fit(self.run)

    def advance(self, step: int) -> Step:
        """Makes the next step.

        Raises:
            LenetError: it is not as it was.
        """
        made = next((event for event in self._events if isinstance(event, Step)), None)
        wanted = self.losses.get(step)
        if made is None or made.step != step:
            raise LenetError(f"{self.place} ends before step {step} when it is trained again")
        if wanted is not None and made.loss != wanted:
            what = f"the loss of step {step} was {wanted!r}, is {made.loss!r} now"
            raise LenetError(f"{self.place} does not repeat here: {what}{_other_place(self.place)}")
        return made

    def tensors(self) -> dict[str, Array]:
        """Weights and buffers, averaged weights, what the optimizer keeps."""
        run, state = self.run, self.run.optimizer.state
        found = flat(run.model.state_dict())
        if run.average is not None:
            found |= flat(run.average.module.state_dict(), "average")
        for name, parameter in run.model.named_parameters():
            found |= flat(state.get(parameter, {}), f"optimizer.{name}")
        return found

    def gradients(self) -> dict[str, Array]:
        named = self.run.model.named_parameters()
        return {name: p.grad.array for name, p in named if p.grad is not None}


def _other_place(run: Path) -> str:
    """In what the run was made elsewhere, as far as it has written that down."""
    try:
        then, now = _bits(read_environment(run)), _bits(environment())
    except DataError:
        return ""
    found = [f"{key} {_said(then[key])}, here {_said(now[key])}" for key in then if then[key] != now[key]]
    return f" (it was made with {'; '.join(found)})" if found else ""


def _bits(environment: dict[str, Any]) -> dict[str, Any]:
    """What of an environment may change bits; threads do with NumPy's kernels."""
    threads = environment.get("threads")
    kept = {key: environment.get(key) for key in BITS}
    return kept | {"threads": threads.get("lenet") if isinstance(threads, dict) else None}


def _said(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _initial(sides: tuple[_Side, _Side]) -> Parting | None:
    found = next(bit_differences(*(side.tensors() for side in sides)), None)
    return None if found is None else Parting(0, "initial weights", found)


def _compare(sides: tuple[_Side, _Side], made: tuple[Step, Step]) -> Parting | None:
    found = next(bit_differences(*(side.tensors() for side in sides)), None)
    if found is None:
        return None
    gradient = next(bit_differences(*(side.gradients() for side in sides)), None)
    losses, rates = (made[0].loss, made[1].loss), (made[0].lr, made[1].lr)
    seen = "loss" if losses[0] != losses[1] else "update" if gradient is None else "gradients"
    return Parting(made[0].step, seen, found, gradient, losses, rates)
