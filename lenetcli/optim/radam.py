"""RAdam: Adam that waits with its adaptive step sizes until their variance is known."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class RAdam(Optimizer):
    """Rectified Adam.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`;
                                                   with `decoupled_weight_decay`: p <- p - lr weight_decay p instead)
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g²
        rho_inf = 2 / (1 - beta2) - 1,  rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
        r  = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
        p <- p - lr m / (1 - beta1^t) r sqrt(1 - beta2^t) / (sqrt(v) + eps)      where rho > 5
        p <- p - lr m / (1 - beta1^t)                                            before

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        betas: how much the averages of gradient and square keep, in [0, 1).
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        decoupled_weight_decay: decay the parameter itself, as AdamW does.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.RAdam; Liu et al. 2020, "On the variance of the adaptive learning rate and beyond".

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.RAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.6]
    """

    _rule = staticmethod(update.radam)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "foreach capturable differentiable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "exp_avg", "exp_avg_sq"

    def _constants(self, group: dict[str, Any]) -> update.Adam:
        beta1, beta2 = group["betas"]
        return update.Adam(float(group["lr"]), float(beta1), float(beta2), float(group["eps"]))
