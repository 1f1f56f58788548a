"""How the loss bends at a model's weights: the largest eigenvalues of its Hessian, and what rate they allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.autograd.composite import use
from lenetcli.autograd.differentiate import grad
from lenetcli.autograd.random import drawing_from
from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.graph.trace import undisturbed
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.runs.history import History
from lenetcli.tensors.creation import tensor
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.evaluate import weight_of
from lenetcli.train.losses import loss_of
from lenetcli.train.run import Run

SAMPLES, STEPS, SHOWN = 256, 20, 5


@dataclass(frozen=True)
class Curvature(Record):
    """The Hessian of the mean loss over some training samples, with respect to all weights that learn.

    Args:
        samples, parameters: how many of each.
        loss, gradient: at these weights; the norm of the gradient.
        eigenvalues: the largest ones, the first first.
        errors: of each, at most how far the nearest true eigenvalue is from it.
        smallest: the smallest one that was found; below 0 the loss bends down somewhere.
        bound: 2 / the largest eigenvalue: plain gradient descent with a higher rate moves away along that direction;
            None where nothing bends up.
        rates: the learning rates of the optimizer's groups that made the last step, or that will make the first one.
        optimizer: its name.
    """

    samples: int
    parameters: int
    loss: float
    gradient: float
    eigenvalues: list[float]
    errors: list[float]
    smallest: float
    bound: float | None
    rates: list[float]
    optimizer: str


def curvature(
    run: Run, samples: int = SAMPLES, steps: int = STEPS, rate: float | None = None,
    batch: tuple[Tensor, Tensor] | None = None,
) -> Curvature:  # fmt: skip
    """Looks at a run where it stands; dropout is off, and batch norm uses its running moments, as when it answers.

    Args:
        samples: the first of the coming epoch.
        steps: of Lanczos' method, each a product of the Hessian with a vector.
        rate: the first group's that made the last step, where the run has written it down: a schedule that has moved
            on, or ended, says another one. Other groups' rates are in proportion to what they began with.
        batch: inputs and targets to look at instead of the coming epoch's first.

    Raises:
        ConfigError: nothing learns.
        DataError: nothing counts in the samples.
        NotImplementedError: an op of the model has no second derivative.
    """
    weights = [p for p in run.model.parameters() if p.requires_grad]
    if not weights:
        raise ConfigError("--curvature: no parameter learns, so that the loss does not bend")
    inputs, targets = first_samples(run, samples) if batch is None else batch
    if not weight_of(run.criterion, targets):
        raise DataError(f"nothing counts in the first {len(inputs)} samples, so that their loss is 0 / 0")
    training = run.model.training
    run.model.eval()
    try:
        with drawing_from(run.random), undisturbed(run.model), use.off():
            loss = loss_of(run.criterion, run.model(inputs), targets, inputs)
            slopes = grad(loss, weights, create_graph=True, materialize_grads=True)
            bent = [g for g in slopes if g.requires_grad]

            def product(v: Array) -> Array:
                parts = [
                    of_array(p.astype(w.array.dtype)) for p, w in zip(_parts(v, slopes), slopes) if w.requires_grad
                ]
                if not bent:
                    return np.zeros_like(v)
                return _vector(grad(bent, weights, parts, retain_graph=True, materialize_grads=True))

            values, errors = lanczos(product, sum(w.array.size for w in weights), steps)
    finally:
        run.model.train(training)
    largest = float(values[0])
    return Curvature(
        samples=len(inputs),
        parameters=sum(w.array.size for w in weights),
        loss=loss.item(),
        gradient=float(np.linalg.norm(_vector(slopes))),
        eigenvalues=[float(v) for v in values[:SHOWN]],
        errors=[float(e) for e in errors[:SHOWN]],
        smallest=float(values[-1]),
        bound=2 / largest if largest > 0 else None,
        rates=_rates(run, rate),
        optimizer=type(run.optimizer).__name__,
    )


def _rates(run: Run, made: float | None) -> list[float]:
    groups = [group for group in run.optimizer.param_groups if "lr" in group]
    now = [float(group["lr"]) for group in groups]
    if made is None or not groups or made == now[0]:
        return now
    begun = [float(group.get("initial_lr", group["lr"])) for group in groups]
    return [made * lr / begun[0] if begun[0] else made for lr in begun]


def rate_at(history: History, step: int) -> float | None:
    """The learning rate that made a step of a recorded run, of the first step for 0; None where it is not recorded."""
    steps = history.steps.step
    up_to = steps[steps <= max(step, 1)]
    return float(history.steps.lr[steps == up_to.max()][-1]) if len(up_to) else None


def first_samples(run: Run, wanted: int) -> tuple[Tensor, Tensor]:
    """The first samples of the coming epoch, from as many batches as it takes."""
    found: list[tuple[Any, Any]] = []
    count = 0
    for inputs, targets in run.train_loader.batches(run.progress.epoch, 0):
        found.append((inputs.array[: wanted - count], targets.array[: wanted - count]))
        count += len(found[-1][0])
        if count >= wanted:
            break
    first, second = (tensor(np.concatenate(arrays)) for arrays in zip(*found))
    return first, second


def _vector(tensors: Sequence[Any]) -> Array:
    return np.concatenate([t.array.reshape(-1).astype(np.float64) for t in tensors])


def _parts(vector: Array, shapes: Sequence[Any]) -> list[Array]:
    ends = np.cumsum([s.array.size for s in shapes])[:-1]
    return [part.reshape(s.array.shape) for part, s in zip(np.split(vector, ends), shapes)]


def lanczos(product: Callable[[Array], Array], size: int, steps: int, seed: int = 0) -> tuple[Array, Array]:
    """Eigenvalues of a symmetric matrix that is known by its products with vectors, the largest first.

    Args:
        product: the matrix times a vector.
        size: of the vector.
        steps: how many eigenvalues come out at most; those at both ends are exact first.

    Returns:
        Eigenvalues, and for each how far the nearest true one is from it at most.

    Source: Lanczos 1950, with full reorthogonalisation; Golub and Van Loan, Matrix Computations, 10.1.

    Example:
        >>> matrix = np.diag([1.0, 2.0, 10.0])
        >>> values, errors = lanczos(lambda v: matrix @ v, 3, 3)
        >>> values.round(6).tolist(), bool((errors < 1e-6).all())
        ([10.0, 2.0, 1.0], True)
    """
    v = np.random.default_rng(seed).standard_normal(size)
    basis = [v / np.linalg.norm(v)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, size)):
        w = product(basis[-1])
        diagonal.append(float(basis[-1] @ w))
        for _ in range(2):  # twice is enough for what rounding leaves
            for q in basis:
                w -= (q @ w) * q
        beside.append(float(np.linalg.norm(w)))
        if beside[-1] <= 1e-10 * max(1.0, abs(diagonal[0])):
            break
        basis.append(w / beside[-1])
    small = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    values, vectors = np.linalg.eigh(small)
    errors = np.abs(beside[-1] * vectors[-1])
    return values[::-1], errors[::-1]
