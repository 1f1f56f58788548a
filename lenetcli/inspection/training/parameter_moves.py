"""How parameters move in the course of a run: looks at its initial weights and at each of its checkpoints."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.autograd.random import draws_from, get_rng_state, set_rng_state
from lenetcli.errors import DataError
from lenetcli.inspection.statistics import strict
from lenetcli.runs.checkpoint import MODEL, OPTIMIZER, Checkpoints
from lenetcli.tensors.serialization import load
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Step


@dataclass(frozen=True)
class Moves:
    """One parameter; lists have a number for each look, `changes` one fewer.

    Args:
        changes: |w' - w| / |w| from each look to the next, norms; None where |w| is 0.
        gradient_mean, gradient_std: of the size of its gradient before it is limited, by the batches of the first
            step, the same at each look.
        updates: |step| / |w| of the step that follows from that gradient, limits and warm-up and all.
    """

    name: str
    shape: list[int]
    changes: list[float | None]
    gradient_mean: list[float | None]
    gradient_std: list[float | None]
    updates: list[float | None]


@dataclass(frozen=True)
class Updates:
    """All parameters.

    Args:
        steps: when the looks were: 0 for the initial weights.
        skipped: what is wrong with checkpoints that were left out.
    """

    steps: list[int]
    tensors: list[Moves]
    skipped: list[str]

    def record(self) -> dict[str, Any]:
        """As `inspect-params RUN --updates --json` prints it."""
        found: dict[str, Any] = strict(asdict(self))
        return found


@draws_from(lambda directory, run: run.random)
def updates(directory: Path, run: Run) -> Updates:
    """Looks at every whole checkpoint of a run directory.

    Args:
        run: of that directory's configuration, at its beginning; it is changed.

    Raises:
        DataError: there is no whole checkpoint.
    """
    checkpoints = Checkpoints(directory)
    group = next(batches_of_steps(run))
    names = [name for name, _ in run.model.named_parameters()]
    steps, skipped = [0], []
    looks = [_look(run, group)]
    for name in checkpoints.names():
        path = checkpoints.root / name
        try:
            checkpoints.read_state(path)
            run.model.load_state_dict(load(path / MODEL))
            run.optimizer.load_state_dict(load(path / OPTIMIZER))
        except (DataError, RuntimeError, ValueError, KeyError) as error:
            skipped.append(" ".join(str(error).split())[:300])
            continue
        run.progress.step = int(name)
        steps.append(run.progress.step)
        looks.append(_look(run, group))
    if len(looks) == 1:
        raise DataError("; ".join([f"{directory}: no whole checkpoint to look at", *skipped]))
    tensors = []
    for i, name in enumerate(names):
        own = [look[i] for look in looks]
        changes = [_ratio(after.weights - before.weights, before.weights) for before, after in pairwise(own)]
        means, stds = [look.gradient_mean for look in own], [look.gradient_std for look in own]
        moves = [look.update for look in own]
        tensors.append(Moves(name, list(own[0].weights.shape), changes, means, stds, moves))
    return Updates(steps, tensors, skipped)


@dataclass(frozen=True)
class _Look:
    weights: Any
    gradient_mean: float | None
    gradient_std: float | None
    update: float | None


def _look(run: Run, group: list[Batch]) -> list[_Look]:
    """Every parameter as it is, its gradient, and the step it would make."""
    run.model.train()
    random = get_rng_state()  # each look drops out the same
    parameters = list(run.model.parameters())
    before = [p.array.astype(np.float64) for p in parameters]
    sizes: list[Any] = []
    with np.errstate(all="ignore"):  # a model that has diverged gives NaN
        for phase in Step(run, strict=False).phases(group):
            if phase.__name__ == "limit":
                sizes = [None if p.grad is None else np.abs(p.grad.array.astype(np.float64)) for p in parameters]
            phase()
    set_rng_state(random)
    return [
        _Look(
            weights,
            None if size is None else float(size.mean()),
            None if size is None else float(size.std()),
            None if size is None else _ratio(p.array - weights, weights),
        )
        for weights, size, p in zip(before, sizes, parameters)
    ]


def _ratio(change: Any, weights: Any) -> float | None:
    """The norm of a change by the norm of what is changed."""
    size = math.sqrt(float(np.square(weights).sum()))
    return math.sqrt(float(np.square(change).sum())) / size if size else None
