"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.variable import Array
from lenetcli.kernels import active as kernels
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, counted, filled, scalar


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
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, checked("Adamax", options, switches, "foreach differentiable capturable"))

    def _update(self, param: Tensor, grad: Array, group: dict[str, Any]) -> None:
        state = self.state[param]
        if not state:
            state["step"] = scalar(0.0)
            state["exp_avg"] = filled(param)
            state["exp_inf"] = filled(param)
        beta1, beta2 = group["betas"]
        kernels.adamax_step(
            param.array,
            grad,
            state["exp_avg"].array,
            state["exp_inf"].array,
            counted(state),
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["maximize"],
        )
