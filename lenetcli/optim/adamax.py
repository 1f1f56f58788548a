"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class Adamax(Optimizer):
    """Adam that divides by a running maximum of the gradient's size.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`)
        m <- beta1 m + (1 - beta1) g
        u <- max(beta2 u, |g| + eps)
        p <- p - lr / (1 - beta1^t) m / u

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        betas: how much average and maximum keep, in [0, 1).
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.Adamax; Kingma and Ba 2015, algorithm 2.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Adamax([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.5]
    """

    _rule = staticmethod(update.adamax)

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "foreach differentiable capturable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "exp_avg", "exp_inf"

    def _constants(self, group: dict[str, Any]) -> update.Adam:
        beta1, beta2 = group["betas"]
        return update.Adam(float(group["lr"]), float(beta1), float(beta2), float(group["eps"]))
