"""RMSprop: gradients divided by a running root mean square."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """RMSprop.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`)
        v <- alpha v + (1 - alpha) g²
        a <- alpha a + (1 - alpha) g, w = v - a²  (with `centered`; else w = v)
        b <- momentum b + g / (sqrt(w) + eps)
        p <- p - lr b

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        alpha: how much the averages keep, >= 0.
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        momentum: share of the last direction that is kept, >= 0.
        centered: divide by an estimate of the standard deviation.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.RMSprop; Hinton's lecture 6e; Graves 2013, arXiv 1308.0850 (centered).

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.RMSprop([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.0]
    """

    _rule = staticmethod(update.rmsprop)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "capturable foreach differentiable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        direction = "momentum_buffer" if group["momentum"] > 0 else None
        return "square_avg", direction, "grad_avg" if group["centered"] else None

    def _constants(self, group: dict[str, Any]) -> update.RMSprop:
        return update.RMSprop(float(group["lr"]), float(group["alpha"]), float(group["eps"]), float(group["momentum"]))
