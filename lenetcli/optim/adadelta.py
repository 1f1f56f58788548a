"""Adadelta: steps in the parameter's own unit."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.variable import Array
from lenetcli.kernels import active as kernels
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, counted, filled, scalar


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
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, checked("Adadelta", options, switches, "capturable foreach differentiable"))

    def _update(self, param: Tensor, grad: Array, group: dict[str, Any]) -> None:
        state = self.state[param]
        if not state:
            state["step"] = scalar(0.0)
            state["square_avg"] = filled(param)
            state["acc_delta"] = filled(param)
        counted(state)
        kernels.adadelta_step(
            param.array,
            grad,
            state["square_avg"].array,
            state["acc_delta"].array,
            float(group["lr"]),
            float(group["rho"]),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["maximize"],
        )
