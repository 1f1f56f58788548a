"""Adam: step sizes from running averages of the gradient and its square."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.variable import Array
from lenetcli.kernels import active as kernels
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, counted, filled, scalar


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
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        name = type(self).__name__
        super().__init__(params, checked(name, options, switches, "foreach capturable differentiable fused"))

    def _update_all(self, params: list[Tensor], group: dict[str, Any]) -> None:
        states = [self.state[p] for p in params]
        if group["amsgrad"] or not all(states):  # the first step of a parameter
            super()._update_all(params, group)
            return
        beta1, beta2 = group["betas"]
        kernels.adam_steps(
            [p.array for p in params],
            [p.grad.array for p in params],
            [state["exp_avg"].array for state in states],
            [state["exp_avg_sq"].array for state in states],
            [counted(state) for state in states],
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
        )

    def _update(self, param: Tensor, grad: Array, group: dict[str, Any]) -> None:
        state = self.state[param]
        if not state:
            state["step"] = scalar(0.0)
            state["exp_avg"] = filled(param)
            state["exp_avg_sq"] = filled(param)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = filled(param)
        beta1, beta2 = group["betas"]
        kernels.adam_step(
            param.array,
            grad,
            state["exp_avg"].array,
            state["exp_avg_sq"].array,
            state["max_exp_avg_sq"].array if group["amsgrad"] else None,
            counted(state),
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
        )
