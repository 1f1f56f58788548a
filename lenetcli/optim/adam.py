"""Adam: step sizes from running averages of the gradient and its square."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam, and AMSGrad.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`;
                                                   with `decoupled_weight_decay`: p <- p - lr weight_decay p instead)
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g²
        w  = v                                    (with `amsgrad`: the largest v so far)
        p <- p - lr m / (1 - beta1^t) / (sqrt(w / (1 - beta2^t)) + eps)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        betas: how much the averages of gradient and square keep, in [0, 1).
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        amsgrad: divide by the largest average so far.
        maximize: climb instead of descend.
        decoupled_weight_decay: decay the parameter itself, as AdamW does.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `fused`, `capturable` or `differentiable` turned on.

    Source: torch.optim.Adam; Kingma and Ba 2015, algorithm 1; Reddi et al. 2018 (AMSGrad).

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Adam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.5]
    """

    _rule = staticmethod(update.adam)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "foreach capturable differentiable fused"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "exp_avg", "exp_avg_sq", "max_exp_avg_sq" if group["amsgrad"] else None

    def _constants(self, group: dict[str, Any]) -> update.Adam:
        beta1, beta2 = group["betas"]
        return update.Adam(float(group["lr"]), float(beta1), float(beta2), float(group["eps"]))
