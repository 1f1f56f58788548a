"""Finding the first non-finite value: what `detect_anomaly` runs after each op, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import Array, Node, Variable
from lenetcli.errors import AnomalyError


def describe(array: Array) -> str | None:
    """How many values are not finite and where the first is; None where all are."""
    if array.dtype.kind != "f":
        return None
    bad = ~np.isfinite(array)
    count = int(np.count_nonzero(bad))
    if count == 0:
        return None
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
    return f"{count} of {array.size} values, first at index {first}"


def _where(node: Node, scope: tuple[Any, Any] | None) -> str:
    node.scope = scope
    path = node.metadata.get("module")
    return f" in module {path!r}" if path else ""


def check_forward(node: Node, results: Sequence[Variable]) -> None:
    """Raises AnomalyError where a result holds NaN or infinity."""
    for result in results:
        found = describe(result.array)
        if found is not None:
            place = _where(node, switches.scopes[-1] if switches.scopes else None)
            raise AnomalyError(f"{type(node).__name__} returned inf or NaN in its forward pass{place}: {found}")


def check_backward(node: Node, grads: Sequence[Array | None]) -> None:
    """Raises AnomalyError where a gradient holds NaN or infinity."""
    for number, grad in enumerate(grads):
        found = describe(grad) if grad is not None else None
        if found is not None:
            raise AnomalyError(
                f"{node.name()} returned inf or NaN as gradient of its input {number}"
                f"{_where(node, node.scope)}: {found}"
            )
