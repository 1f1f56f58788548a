"""How weights and gradients flowed in the course of a run, as far as its checkpoints tell: layer by layer."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import drawing_from
from lenetcli.errors import DataError
from lenetcli.nn.module import Module
from lenetcli.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER, Checkpoints
from lenetcli.tensors.serialization import load
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Step

HEADER = 1 << 24  # bytes of a weights file beside its numbers

Array = npt.NDArray[Any]


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
class Flow:
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

    def record(self) -> dict[str, Any]:
        """As `report --json` shows it."""
        layers = [{"layer": f.layer, "changes": f.changes, "gradients": f.gradients} for f in self.layers]
        return {"steps": self.steps, "layers": layers, "skipped": self.skipped}


def checkpoint_flow(directory: Path, model: Module, run: Run | None, group: list[Batch]) -> Flow | None:
    """Looks at the initial weights and at every whole checkpoint; None where there is no checkpoint.

    Args:
        directory: the run directory.
        model: with its initial weights; its weights are others afterwards.
        run: trains this model; None leaves gradients out.
        group: the batches of its first step.
    """
    checkpoints = Checkpoints(directory)
    weights = sum(tensor.array.nbytes for tensor in model.state_dict().values())
    most = {MODEL: weights + HEADER, AVERAGE: weights + HEADER, OPTIMIZER: 8 * weights + HEADER}
    looks = [_look(model, run, group)]
    steps, skipped = [0], []
    for name in checkpoints.names():
        path = checkpoints.root / name
        try:
            checkpoints.read_state(path, most)
            model.load_state_dict(load(path / MODEL))
        except (DataError, RuntimeError) as error:
            skipped.append(" ".join(str(error).split())[:300])
            continue
        steps.append(int(name))
        looks.append(_look(model, run, group))
    if len(steps) == 1 and not skipped:
        return None
    layers = [
        LayerFlow(
            layer,
            [_change(a[layer][0], b[layer][0]) for a, b in itertools.pairwise(looks)],
            [look[layer][1] for look in looks],
        )
        for layer in looks[0]
    ]
    return Flow(steps, layers, skipped)


def _look(model: Module, run: Run | None, group: list[Batch]) -> dict[str, tuple[list[Array], float | None]]:
    """Of each layer its parameters, and the norm of its gradient."""
    if run is not None:
        random = run.random.get_state()  # each look drops out the same
        try:
            with drawing_from(run.random), np.errstate(all="ignore"):  # a model that has diverged gives NaN
                model.train()
                Step(run, strict=False).make(group, before="limit")
        finally:
            run.random.set_state(random)
    found: dict[str, tuple[list[Array], float | None]] = {}
    for path, module in model.named_modules():
        own = [p for _, p in module.named_parameters(recurse=False)]
        if own:
            gradients = [p.grad.array for p in own if p.grad is not None]
            found[path] = [p.array.copy() for p in own], _norm(gradients) if gradients else None
    return found


def _norm(arrays: list[Array]) -> float:
    with np.errstate(all="ignore"):
        return math.sqrt(sum(float(np.square(a.astype(np.float64)).sum()) for a in arrays))


def _change(before: list[Array], after: list[Array]) -> float | None:
    size = _norm(before)
    with np.errstate(all="ignore"):
        return _norm([b.astype(np.float64) - a for a, b in zip(before, after)]) / size if size else None
