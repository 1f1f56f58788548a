"""Is a whole model's gradient right? Directional derivatives of the loss in float64, by backward and by differences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.autograd.gradcheck import central_difference
from lenetcli.autograd.modes import fusion, no_grad
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.inspection.graph.node_check import TOLERANCE, Check
from lenetcli.inspection.graph.trace import undisturbed
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.losses import loss_of

# (how far beside the parameters' values, as a share of their spread; step of the differences); see
# node_check.TRIES. A step moves thousands of activations, and what crosses a corner on the way spoils the difference.
TRIES = ((0.0, 1e-6), (0.0, 1e-7), (1e-3, 1e-7), (1e-1, 1e-7))
NOISE = 3e-15  # rounding of the loss, relative


@dataclass(frozen=True)
class ParameterCheck:
    """Derivatives of the loss along random directions of one parameter.

    Args:
        checks: one for each direction.
    """

    name: str
    shape: list[int]
    checks: list[Check]

    @property
    def worst(self) -> Check:
        """The direction along which the two differ most."""
        return max(self.checks, key=lambda c: (not c.ok, c.error))

    def record(self) -> dict[str, Any]:
        """The check as JSON holds it."""
        return {"name": self.name, "shape": self.shape, **self.worst.record(), "directions": len(self.checks)}


def check_model(
    model: Module, criterion: Module, inputs: Tensor, targets: Tensor, directions: int = 2, seed: int = 0
) -> list[ParameterCheck]:
    """Checks every parameter that is trained; the model, the loss and the data are used in float64.

    Formula:
        (L(p + h v) - L(p - h v)) / 2h ~ sum(dL/dp * v), with v standard normal

    Args:
        directions: random directions for each parameter.
        seed: of the directions.
    """
    model.double()
    criterion.double()
    check = _ModelCheck(model, criterion, _wide(inputs), _wide(targets))
    checked = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    found = []
    with undisturbed(model), np.errstate(all="ignore"):  # infinities and NaN are wrong, and said to be
        check.derive()
        for number, (name, p) in enumerate(checked):
            checks = [check.along(p, (seed, number, direction)) for direction in range(directions)]
            found.append(ParameterCheck(name, list(p.shape), checks))
    return found


class _ModelCheck:
    """The loss as a function of the parameters."""

    def __init__(self, model: Module, criterion: Module, inputs: Tensor, targets: Tensor) -> None:
        self.model, self.criterion, self.inputs, self.targets = model, criterion, inputs, targets
        self.random = get_rng_state()  # dropout drops the same each time
        self.gradients: dict[Parameter, Any] = {}
        self.value = 0.0

    def loss(self) -> Tensor:
        set_rng_state(self.random)
        with fusion(False):
            return loss_of(self.criterion, self.model(self.inputs), self.targets, self.inputs)

    def derive(self) -> None:
        """Notes the loss and its gradients at the parameters' present values."""
        self.model.zero_grad()
        loss = self.loss()
        loss.backward()
        self.value = loss.item()
        self.gradients = {p: None if p.grad is None else p.grad.array.copy() for p in self.model.parameters()}

    def along(self, parameter: Parameter, seed: tuple[int, ...]) -> Check:
        """The derivative along a random direction of one parameter; where differences say nothing, a little beside."""
        first: Check | None = None
        for number, (share, step) in enumerate(TRIES):
            random = np.random.default_rng((*seed, number))
            moved = self._move_aside(random, share) if share else {}
            found = self._compare(parameter, random.standard_normal(parameter.array.shape), step)
            if moved:
                for p, array in moved.items():
                    p.array[...] = array
                self.derive()
            if found.ok:
                return Check(found.numeric, found.analytic, found.error, True, kink=number > 0)
            first = first or found
        assert first is not None, "there is at least one try"
        return first

    def _move_aside(self, random: np.random.Generator, share: float) -> dict[Parameter, Any]:
        """Moves every parameter by a share of its spread; gives the values from before."""
        kept = {p: p.array.copy() for p in self.model.parameters()}
        for p, array in kept.items():
            spread = float(array.std()) or 1.0
            p.array[...] = array + share * spread * random.standard_normal(array.shape)
        self.derive()
        return kept

    def _compare(self, parameter: Parameter, direction: Any, step: float) -> Check:
        with no_grad():
            numeric = central_difference(lambda: self.loss().item(), [parameter.array], [direction], step)
        gradient = self.gradients[parameter]
        analytic = 0.0 if gradient is None else float((gradient * direction).sum())
        difference, size = abs(numeric - analytic), max(abs(numeric), abs(analytic))
        noise = NOISE * max(1.0, abs(self.value)) / step
        if not math.isfinite(difference):
            return Check(numeric, analytic, math.inf, False)
        return Check(numeric, analytic, difference / size if size else 0.0, difference <= TOLERANCE * size + noise)


def _wide(tensor: Tensor) -> Tensor:
    return of_array(tensor.array.astype(np.float64)) if tensor.array.dtype.kind == "f" else tensor
