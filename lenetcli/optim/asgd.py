"""ASGD: descent whose parameters are averaged on the way."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, scalar
from lenetcli.tensors.tensor import Tensor


class ASGD(Optimizer):
    """Averaged stochastic gradient descent; the averages are in the state, as `ax`.

    Formula:
        g   <- gradient + weight_decay p          (gradient negated with `maximize`)
        p   <- p (1 - lambd eta) - eta g
        ax  <- ax + mu (p - ax)
        eta <- lr / (1 + lambd lr t)^alpha, mu <- 1 / max(1, t - t0)   (they begin as lr and 1)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        lambd: decay of parameters, and how fast the rate falls.
        alpha: power by which the rate falls.
        t0: the step after which averages count.
        weight_decay: L2 penalty, >= 0.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.ASGD; Polyak and Juditsky 1992.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.ASGD([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.6]
    """

    _rule = staticmethod(update.asgd)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "foreach differentiable capturable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "eta", "mu", "ax"

    def _constants(self, group: dict[str, Any]) -> update.ASGD:
        return update.ASGD(float(group["lr"]), float(group["lambd"]), float(group["alpha"]), float(group["t0"]))

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return super()._begin(param, group) | {"eta": scalar(float(group["lr"])), "mu": scalar(1.0)}
