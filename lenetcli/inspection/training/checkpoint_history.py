"""How weights and gradients moved in the course of a run: looks at its initial weights and at each of its checkpoints.

`updates` tells it parameter by parameter, with the step that would follow; `checkpoint_flow` layer by layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lenetcli.autograd.random import drawing_from
from lenetcli.build.model import under_own_names
from lenetcli.disk import Unreadable
from lenetcli.errors import DataError, in_a_line
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array, norm, relative_change
from lenetcli.inspection.training.gradient_history import spread
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.optim.optimizer import Optimizer
from lenetcli.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, Checkpoints
from lenetcli.tensors.serialization import load
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Step

HEADER = 1 << 24  # bytes of a weights file beside its numbers

Parts = dict[str, list[Parameter]]  # what is looked at, by name


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
class Updates(Record):
    """All parameters.

    Args:
        steps: when the looks were: 0 for the initial weights.
        skipped: what is wrong with checkpoints that were left out.
    """

    steps: list[int]
    tensors: list[Moves]
    skipped: list[str]


@dataclass(frozen=True)
class LayerFlow:
    """One layer with parameters.

    Args:
        layer: its path in the model.
        changes: for each stretch between two looks |w' - w| / |w|, norms over all its parameters; None where |w| is 0.
        gradients: at each look the norm of its gradient by the batches of the first step, before it is limited; None
            where there was no batch or gradient.
    """

    layer: str
    changes: list[float | None]
    gradients: list[float | None]


@dataclass(frozen=True)
class Flow(Record):
    """The looks: at the initial weights (step 0) and at each checkpoint that is left.

    Args:
        steps: when they were.
        layers: in the order of the model.
        skipped: what is wrong with checkpoints that were left out.
    """

    steps: list[int]
    layers: list[LayerFlow]
    skipped: list[str]

    @property
    def has_gradients(self) -> bool:
        """Whether there was a batch to compute gradients on."""
        return any(gradient is not None for layer in self.layers for gradient in layer.gradients)


def updates(directory: Path, run: Run) -> Updates:
    """Looks at every whole checkpoint of a run directory.

    Args:
        run: of that directory's configuration, at its beginning; it is changed.

    Raises:
        DataError: there is no whole checkpoint.
    """
    parts = {name: [p] for name, p in run.model.named_parameters()}
    steps, looks, skipped = _looks(directory, parts, run.model, run, next(batches_of_steps(run)), update=True)
    if len(steps) == 1:
        raise DataError("; ".join([f"{directory}: no whole checkpoint to look at", *skipped]))
    tensors = []
    for name, (parameter,) in parts.items():
        own = [look[name] for look in looks]
        means, stds, moves = ([getattr(look, key) for look in own] for key in ("mean", "std", "update"))
        tensors.append(Moves(name, list(parameter.shape), _changes(own), means, stds, moves))
    return Updates(steps, tensors, skipped)


def checkpoint_flow(directory: Path, model: Module, run: Run | None, group: list[Batch]) -> Flow | None:
    """Looks at the initial weights and at every whole checkpoint; None where there is no checkpoint.

    Args:
        directory: the run directory.
        model: with its initial weights; its weights are others afterwards.
        run: trains this model; None leaves gradients out.
        group: the batches of its first step.
    """
    parts = {path: [p for _, p in module.named_parameters(recurse=False)] for path, module in model.named_modules()}
    parts = {path: own for path, own in parts.items() if own}
    steps, looks, skipped = _looks(directory, parts, model, run, group, update=False)
    if len(steps) == 1 and not skipped:
        return None
    found = {path: [look[path] for look in looks] for path in parts}
    layers = [LayerFlow(path, _changes(own), [look.norm for look in own]) for path, own in found.items()]
    return Flow(steps, layers, skipped)


@dataclass(frozen=True)
class _Look:
    """A part at one time: its weights, its gradient's norm, mean and spread of sizes, the step that follows."""

    weights: list[Array]
    norm: float | None = None
    mean: float | None = None
    std: float | None = None
    update: float | None = None


def _changes(looks: list[_Look]) -> list[float | None]:
    return [relative_change(before.weights, after.weights) for before, after in pairwise(looks)]


def _looks(
    directory: Path, parts: Parts, model: Module, run: Run | None, group: list[Batch], update: bool
) -> tuple[list[int], list[dict[str, _Look]], list[str]]:
    """When the looks were, what they saw, and what is wrong with checkpoints that were left out.

    Args:
        update: make the step that follows, too; it needs what the optimizer kept.
    """
    skipped: list[str] = []
    steps, looks = [0], [_look(parts, run, group, update)]
    for step in at_checkpoints(directory, model, run.optimizer if run is not None and update else None, skipped):
        steps.append(step)
        if run is not None:
            run.progress.step = step
        looks.append(_look(parts, run, group, update))
    return steps, looks, skipped


def at_checkpoints(
    directory: Path, model: Module, optimizer: Optimizer | None, skipped: list[str], most: int | None = None
) -> Iterator[int]:
    """Puts the model, and the optimizer if there is one, to each whole checkpoint, oldest first, and gives its step.

    Args:
        skipped: what is wrong with checkpoints that are left out is added here.
        most: how many are looked at, the first and the last among them; None: all.
    """
    checkpoints = Checkpoints(directory)
    weights = sum(tensor.array.nbytes for tensor in model.state_dict().values())
    sizes = {MODEL: weights + HEADER, AVERAGE: weights + HEADER, OPTIMIZER: 8 * weights + HEADER}
    names = checkpoints.names()
    for i in spread(len(names), len(names) if most is None else most):
        path = checkpoints.root / names[i]
        try:
            checkpoints.read_state(path, sizes)
            model.load_state_dict(under_own_names(model, load(path / MODEL)))
            if optimizer is not None:
                optimizer.load_state_dict(load(path / OPTIMIZER))
        except Unreadable:  # it may be whole
            raise
        except (DataError, RuntimeError, ValueError, KeyError) as error:
            skipped.append(in_a_line(error, 300))
            continue
        yield int(names[i])


def _look(parts: Parts, run: Run | None, group: list[Batch], update: bool) -> dict[str, _Look]:
    """Every part as it is, its gradient before it is limited, and the step that it would make."""
    weights = {name: [p.array.astype(np.float64) for p in own] for name, own in parts.items()}
    sizes: dict[str, Array] = {}
    if run is not None:
        random = run.random.get_state()  # each look drops out the same
        try:
            with drawing_from(run.random), np.errstate(all="ignore"):  # a model that has diverged gives NaN
                run.begin_training()
                for phase in Step(run, strict=False).phases(group):
                    if phase.__name__ == "limit":
                        sizes = _gradient_sizes(parts)
                        if not update:
                            break
                    phase()
        finally:
            run.random.set_state(random)
    found = {}
    for name, before in weights.items():
        if name not in sizes:
            found[name] = _Look(before)
            continue
        size = sizes[name]
        moved = relative_change(before, [p.array for p in parts[name]]) if update else None
        found[name] = _Look(before, norm([size]), float(size.mean()), float(size.std()), moved)
    return found


def _gradient_sizes(parts: Parts) -> dict[str, Array]:
    """Of each part that has a gradient, the sizes of its numbers."""
    grads = {name: [p.grad.array.ravel("K") for p in own if p.grad is not None] for name, own in parts.items()}
    return {name: np.abs(np.concatenate(own, dtype=np.float64)) for name, own in grads.items() if own}
