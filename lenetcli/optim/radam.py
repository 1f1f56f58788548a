"""RAdam: Adam that waits with its adaptive step sizes until their variance is known."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.variable import Array
from lenetcli.kernels import active as kernels
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, counted, filled, scalar


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
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, checked("RAdam", options, switches, "foreach capturable differentiable"))

    def _update(self, param: Tensor, grad: Array, group: dict[str, Any]) -> None:
        state = self.state[param]
        if not state:
            state["step"] = scalar(0.0)
            state["exp_avg"] = filled(param)
            state["exp_avg_sq"] = filled(param)
        lr, (beta1, beta2) = float(group["lr"]), map(float, group["betas"])
        step = counted(state)
        correction = 1 - beta2**step
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / correction
        average_lr = lr / (1 - beta1**step)
        if rho > 5:
            rectification = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
            average_lr *= (rectification * correction) ** 0.5
        kernels.radam_step(
            param.array,
            grad,
            state["exp_avg"].array,
            state["exp_avg_sq"].array,
            rho > 5,
            average_lr,
            lr,
            beta1,
            beta2,
            float(group["eps"]),
            float(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
        )
