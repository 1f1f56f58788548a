"""Adadelta: steps in the parameter's own unit."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class Adadelta(Optimizer):
    """Adadelta.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`)
        v <- rho v + (1 - rho) g²
        d  = sqrt(u + eps) / sqrt(v + eps) g
        u <- rho u + (1 - rho) d²
        p <- p - lr d

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: factor of the step, >= 0.
        rho: how much the averages keep, in [0, 1].
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.Adadelta; Zeiler 2012, arXiv 1212.5701.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Adadelta([w], lr=100.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.6838]
    """

    _rule = staticmethod(update.adadelta)

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "capturable foreach differentiable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "square_avg", "acc_delta"

    def _constants(self, group: dict[str, Any]) -> update.Adadelta:
        return update.Adadelta(float(group["lr"]), float(group["rho"]), float(group["eps"]))
