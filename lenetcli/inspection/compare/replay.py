"""Two runs trained again side by side, step by step, up to the first one after which they are not the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lenetcli.disk import Unreadable, is_there
from lenetcli.errors import DataError, LenetError
from lenetcli.inspection.compare.tensors import BitDifference, bit_differences, flat
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, Checkpoints
from lenetcli.tensors.serialization import load
from lenetcli.train.events import Step
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


def replay(a: Recorded, b: Recorded, begun: int) -> Replay:
    """Trains both again, from where `same_checkpoint` says, up to where they part.

    A difference counts when the step after it, if both made one, gives the losses that are written down, too.
    """
    last = min(a.last, b.last)
    if begun and begun >= last:
        return Replay(begun, begun)
    try:
        sides = Replayed(a, begun), Replayed(b, begun)
        runs = sides[0].run, sides[1].run
        parting = _initial(runs) if begun == 0 else None
        for step in range(begun + 1, last + 1):
            made = sides[0].advance(step), sides[1].advance(step)
            if parting is not None:
                break
            parting = _compare(runs, made)
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


def _tensors(run: Run) -> dict[str, Array]:
    """Weights and buffers, averaged weights, what the optimizer keeps."""
    found = flat(run.model.state_dict())
    if run.average is not None:
        found |= flat(run.average.module.state_dict(), "average")
    for name, parameter in run.model.named_parameters():
        found |= flat(run.optimizer.state.get(parameter, {}), f"optimizer.{name}")
    return found


def _gradients(run: Run) -> dict[str, Array]:
    return {name: p.grad.array for name, p in run.model.named_parameters() if p.grad is not None}


def _initial(runs: tuple[Run, Run]) -> Parting | None:
    found = next(bit_differences(*map(_tensors, runs)), None)
    return None if found is None else Parting(0, "initial weights", found)


def _compare(runs: tuple[Run, Run], made: tuple[Step, Step]) -> Parting | None:
    found = next(bit_differences(*map(_tensors, runs)), None)
    if found is None:
        return None
    gradient = next(bit_differences(*map(_gradients, runs)), None)
    losses, rates = (made[0].loss, made[1].loss), (made[0].lr, made[1].lr)
    seen = "loss" if losses[0] != losses[1] else "update" if gradient is None else "gradients"
    return Parting(made[0].step, seen, found, gradient, losses, rates)
