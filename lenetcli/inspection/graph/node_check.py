"""Is each node's backward right? Its directional derivative in float64, by backward and by differences."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lenetcli.autograd.differentiate import grad
from lenetcli.autograd.gradcheck import central_difference
from lenetcli.autograd.modes import fusion, watch
from lenetcli.autograd.op import Op
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.autograd.tape import Node
from lenetcli.inspection.record import Record
from lenetcli.tensors.tensor import Tensor, from_numpy

# (how far beside the values the op ran with, step of the differences). At float64 the first step leaves an error of
# about 1e-9. Among many values some lie within a step of a corner (equal maxima, relu near 0), where differences say
# nothing: the further the values are spread and the smaller the step, the fewer.
TRIES = ((0.0, 1e-6), (1e-3, 1e-6), (1e-2, 1e-7), (1e-1, 1e-7))
TOLERANCE = 1e-5  # relative
TINY = 1e-8  # below this both derivatives count as zero


@dataclass(frozen=True)
class Check(Record):
    """One node's directional derivative.

    Args:
        numeric: (f(x + h v) - f(x - h v)) / 2h along a random direction v, weighted by a random gradient.
        analytic: the same by backward.
        error: their difference relative to their size.
        ok: the error is within the tolerance.
        kink: the op has a corner at these values (equal maxima, relu at 0); checked a little beside it.
    """

    numeric: float
    analytic: float
    error: float
    ok: bool
    kink: bool = False


@dataclass(frozen=True)
class Call:
    """An op as it ran: enough to run it again."""

    op: type[Op]
    operands: tuple[Any, ...]
    parameters: dict[str, Any]
    random: Any


@contextmanager
def calls_noted(calls: dict[Node, Call]) -> Iterator[None]:
    """Notes every recorded op inside the block by its node."""

    def note(node: Any, operands: tuple[Any, ...], parameters: dict[str, Any], results: list[Any]) -> None:
        if node.next_functions:
            kept = tuple(o.detach().clone() if isinstance(o, Tensor) else o for o in operands)
            calls[node] = Call(type(node), kept, copy.deepcopy(parameters), get_rng_state())

    with fusion(False), watch(note):
        yield


def check_call(call: Call, seed: int = 0) -> Check | None:
    """Checks one op at the values it ran with; None where it has no floating-point operand or result."""
    first: Check | None = None
    with np.errstate(all="ignore"):  # infinities and NaN are wrong, and said to be
        for number, (distance, step) in enumerate(TRIES):
            found = _check_near(call, seed + number, distance, step)
            if found is None or found.ok:
                return found if found is None or number == 0 else replace(found, kink=True)
            first = first or found
    return first


def _check_near(call: Call, seed: int, distance: float, step: float) -> Check | None:
    """The check at the values the op ran with, each moved by a random number of about `distance`."""
    random = np.random.default_rng(seed)
    points = [_wide(o) for o in call.operands]
    for point in points:
        if distance and isinstance(point, Tensor) and point.requires_grad:
            point.array += distance * random.standard_normal(point.array.shape)
    inputs = [p for p in points if isinstance(p, Tensor) and p.requires_grad]
    if not inputs:
        return None
    directions = [random.standard_normal(tuple(p.shape)) for p in inputs]
    weights: list[Any] = []

    def value() -> Any:
        """The results' sum, weighted."""
        set_rng_state(call.random)
        out = call.op.apply(*points, **copy.deepcopy(call.parameters))
        outs = [o for o in (out if isinstance(out, tuple) else (out,)) if o.array.dtype.kind == "f"]
        if not weights:
            weights.extend(from_numpy(random.standard_normal(tuple(o.shape))) for o in outs)
        return sum(((o * w).sum() for o, w in zip(outs, weights)), start=from_numpy(np.zeros(())))

    state = get_rng_state()
    try:
        total = value()
        if total.grad_fn is None:
            return None
        gradients = grad(total, inputs, allow_unused=True)
        analytic = sum(float((g.array * d).sum()) for g, d in zip(gradients, directions) if g is not None)
        numeric = central_difference(lambda: float(value().array), [p.array for p in inputs], directions, step)
    finally:
        set_rng_state(state)
    size = max(abs(numeric), abs(analytic))
    error = 0.0 if size < TINY else abs(numeric - analytic) / size
    return Check(numeric, analytic, error, error <= TOLERANCE)


def _wide(operand: Any) -> Any:
    """A floating-point tensor as a float64 leaf of its own, anything else as it is."""
    if isinstance(operand, Tensor) and operand.array.dtype.kind == "f":
        return from_numpy(operand.array.astype(np.float64)).requires_grad_()
    return operand
