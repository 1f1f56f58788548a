"""The loss around a run's way: on two planes, along the straight way from first to last weights, and how it bends.

Every number is the loss over the same samples, the first of the run's first epoch, taken as one batch; nothing is
interpolated. Dropout is off and batch norm uses the batch's own moments, so that the loss is a function of the weights
alone. Sharpness is that of `inspect-params --curvature`, with running moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import drawing_from
from lenetcli.build.parts import build_run
from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.graph.trace import undisturbed
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.training.checkpoint_history import at_checkpoints
from lenetcli.inspection.training.curvature import curvature, first_samples, rate_at
from lenetcli.inspection.training.directions import Plane, across, filter_normalised, principal
from lenetcli.nn.batchnorm import BatchNorm
from lenetcli.nn.module import Module
from lenetcli.runs.beginning import begun
from lenetcli.runs.history import read_history
from lenetcli.runs.open import load_unfinished
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.evaluate import weight_of
from lenetcli.train.losses import kinds, loss_of
from lenetcli.train.run import Run

SAMPLES, STEPS = 256, 25
LOOKS = 16  # checkpoints, at most
BEYOND = 0.25  # of the straight way, before its beginning and behind its end
MARGIN = 0.3  # of a path's extent, around it


@dataclass(frozen=True)
class Look:
    """The run at its beginning (step 0) or at a checkpoint.

    Args:
        loss: over the samples.
        sharpness: the largest eigenvalue of the Hessian; None where an op has no second derivative.
        rate: the learning rate that made the step, or that will make the first.
        bound: 2 / sharpness; None where nothing bends up.
    """

    step: int
    loss: float
    sharpness: float | None
    rate: float | None
    bound: float | None


@dataclass(frozen=True)
class Surface:
    """The loss on a plane.

    Args:
        kind: "path" for the plane in which most of the run's way lies, "random" for one of random directions.
        xs, ys: places on both axes; the last weights are at (0, 0).
        losses: a row for each of ys.
        path: where the looks are, seen at right angles to the plane.
        share: how much of the looks' squared distances from the last one lies in the plane.
        axes: what the axes are, in words.
    """

    kind: str
    xs: list[float]
    ys: list[float]
    losses: list[list[float]]
    path: list[tuple[float, float]]
    share: float | None
    axes: list[str]


@dataclass(frozen=True)
class Line:
    """The loss along the straight way from the first weights (at 0) to the last (at 1)."""

    at: list[float]
    losses: list[float]


@dataclass(frozen=True)
class Landscape(Record):
    """All of it.

    Args:
        name: of the run's configuration.
        samples, of: how many training samples were looked at, of how many.
        seed: of the random directions.
        momentum: the optimizer's, where it has such a number; gradient descent with it is stable up to
            2 (1 + momentum) / rate.
        surfaces: none where there is nothing to move along.
        skipped: what is wrong with checkpoints that were left out; `unbent`: why there is no sharpness.
    """

    KEYS: ClassVar = {"of": "training_samples", "name": None}

    name: str
    samples: int
    of: int
    parameters: int
    seed: int
    criterion: str
    optimizer: str
    momentum: float | None
    batch_norm: bool
    looks: list[Look]
    line: Line | None
    surfaces: list[Surface]
    skipped: list[str]
    unbent: str | None


def landscape(
    place: Path, places: Sequence[str] = (), samples: int = SAMPLES, steps: int = STEPS, seed: int = 0
) -> Landscape:
    """Looks at a run at its beginning and its checkpoints, and at the loss between and around them.

    Args:
        place: its directory; nothing is written there.
        places: where its data lies now, as data.root=DIR.
        samples: how many are looked at.
        steps: places on each axis of a plane, an odd number, so that the last weights are among them.
        seed: of the random directions.

    Raises:
        ConfigError: no run, nothing learns, or nothing has more than one axis.
        DataError: no whole checkpoint, or data or checkpoints that cannot be read.
    """
    config = load_unfinished(place, places).config
    run = begun(build_run(config), place)
    weights = [p for p in run.model.parameters() if p.requires_grad]
    if not any(p.array.ndim > 1 for p in weights):
        raise ConfigError(f"{place}: no filter of its model learns, so that there is nowhere to go")
    batch = first_samples(run, samples)
    if not weight_of(run.criterion, batch[1]):
        raise DataError(f"nothing counts in the first {len(batch[0])} samples, so that their loss is 0 / 0")
    view = _View(run, weights, batch)
    points, looks, skipped = _looks(run, place, view)
    if len(points) < 2:
        raise DataError("; ".join([f"{place}: no whole checkpoint to look at", *skipped]))
    surfaces = [_along_path(points, weights, seed, steps, view), _random(points, weights, seed, steps, view)]
    momentum = [group["momentum"] for group in run.optimizer.param_groups if "momentum" in group]
    return Landscape(
        name=config.name,
        samples=len(batch[0]),
        of=len(run.train_loader.dataset),
        parameters=sum(p.array.size for p in weights),
        seed=seed,
        criterion=kinds(run.criterion),
        optimizer=type(run.optimizer).__name__,
        momentum=float(momentum[0]) if momentum else None,
        batch_norm=bool(_norms(run.model)),
        looks=looks,
        line=_line(points[0], points[-1], view),
        surfaces=[surface for surface in surfaces if surface is not None],
        skipped=skipped,
        unbent=view.unbent,
    )


class _View:
    """The loss as a function of the weights that learn."""

    def __init__(self, run: Run, weights: Sequence[Tensor], batch: tuple[Tensor, Tensor]) -> None:
        self.run, self.weights, self.batch = run, weights, batch
        self.unbent: str | None = None

    def here(self) -> Array:
        """The weights as they are, as one vector."""
        return np.concatenate([p.array.reshape(-1) for p in self.weights]).astype(np.float32)

    def put(self, point: Array) -> None:
        """Moves the weights to a point."""
        begin = 0
        for p in self.weights:
            end = begin + p.array.size
            p.array[...] = point[begin:end].reshape(p.array.shape)
            begin = end

    def loss(self, point: Array) -> float:
        """The loss there; the weights stay there."""
        self.put(point)
        inputs, targets = self.batch
        with _as_function(self.run), np.errstate(all="ignore"):  # far away numbers overflow
            return loss_of(self.run.criterion, self.run.model(inputs), targets, inputs).item()

    def sharpness(self, rate: float | None) -> float | None:
        """The largest eigenvalue of the Hessian here, once an op without a second derivative has not been met."""
        if self.unbent is None:
            try:
                return curvature(self.run, rate=rate, batch=self.batch).eigenvalues[0]
            except NotImplementedError as error:
                self.unbent = str(error)
        return None


@contextmanager
def _as_function(run: Run) -> Iterator[None]:
    """The model as a function of its weights alone; its mode and buffers are put back."""
    modes = [(module, module.training) for module in run.model.modules()]
    run.model.eval()
    for norm in _norms(run.model):
        norm.training = True
    try:
        with no_grad(), drawing_from(run.random), undisturbed(run.model):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _norms(model: Module) -> list[Module]:
    return [module for module in model.modules() if isinstance(module, BatchNorm)]


def _looks(run: Run, place: Path, view: _View) -> tuple[list[Array], list[Look], list[str]]:
    """The weights and what is seen there, at the beginning and at each checkpoint."""
    history = None
    with suppress(DataError):  # without it no rate is known
        history = read_history(place)
    points: list[Array] = []
    looks: list[Look] = []
    skipped: list[str] = []

    def look(step: int) -> None:
        points.append(view.here())
        rate = None if history is None else rate_at(history, step)
        sharpness = view.sharpness(rate)
        bound = 2 / sharpness if sharpness is not None and sharpness > 0 else None
        looks.append(Look(step, view.loss(points[-1]), sharpness, rate, bound))

    look(0)
    for step in at_checkpoints(place, run.model, None, skipped, LOOKS):
        look(step)
    return points, looks, skipped


def _line(first: Array, last: Array, view: _View) -> Line | None:
    if np.array_equal(first, last):
        return None
    at = np.linspace(-BEYOND, 1 + BEYOND, 2 * round(10 * (1 + 2 * BEYOND)) + 1)  # every 0.05, 0 and 1 among them
    at[np.abs(at) < 1e-9] = 0.0
    return Line(at.tolist(), [view.loss(first + np.float32(share) * (last - first)) for share in at])


def _along_path(points: list[Array], weights: Sequence[Tensor], seed: int, steps: int, view: _View) -> Surface | None:
    """The plane of the path's principal components; of a straight way, that and a random direction across it."""
    found = principal(points)
    if found is not None:
        x, y, shares = found
        axes = [f"{name} principal component ({share:.0%})" for name, share in zip(("first", "second"), shares)]
    elif np.array_equal(points[0], points[-1]):
        return None
    else:
        view.put(points[-1])
        x = points[0] - points[-1]
        x = x / np.linalg.norm(x)
        y = across(filter_normalised(weights, np.random.default_rng(seed)), x)
        axes = ["the way, which is straight", "a random direction across it"]
    plane = Plane(points[-1], x, y)
    path, share = plane.places(points)
    lengths = [[place[axis] for place in path] for axis in (0, 1)]
    least = 0.3 * max(max(along) - min(along) for along in lengths)  # a path along one axis keeps room beside it
    xs, ys = (_axis(along, least, steps) for along in lengths)
    return Surface("path", xs, ys, _losses(plane, xs, ys, view), path, share, axes)


def _random(points: list[Array], weights: Sequence[Tensor], seed: int, steps: int, view: _View) -> Surface:
    """Two random directions, filter by filter as long as the last weights, once that length to all sides."""
    view.put(points[-1])
    random = np.random.default_rng(seed)
    plane = Plane(points[-1], filter_normalised(weights, random), filter_normalised(weights, random))
    path, share = plane.places(points)
    at = np.linspace(-1, 1, steps).tolist()
    axes = ["first random direction", "second random direction"]
    return Surface("random", at, at, _losses(plane, at, at, view), path, share, axes)


def _axis(along: Sequence[float], least: float, steps: int) -> list[float]:
    """Evenly spaced places with the path and a margin among them, and 0, where the last weights are, as one of them."""
    low, high = min(along), max(along)
    room = max(high - low, least)
    low, high = low - MARGIN * room, high + MARGIN * room
    low, high = min(low, -MARGIN * room), max(high, MARGIN * room)
    step = (high - low) / (steps - 1)
    before = round(-low / step)
    return [step * (i - before) for i in range(steps)]


def _losses(plane: Plane, xs: Sequence[float], ys: Sequence[float], view: _View) -> list[list[float]]:
    loss: Callable[[Array], float] = view.loss
    return [[loss(plane.point(x, y)) for x in xs] for y in ys]
