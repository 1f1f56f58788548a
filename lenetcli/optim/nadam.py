"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, scalar
from lenetcli.tensors.tensor import Tensor


class NAdam(Optimizer):
    """Adam whose momentum looks one step ahead.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`;
                                                   with `decoupled_weight_decay`: p <- p - lr weight_decay p instead)
        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g²
        d  = (1 - mu_t) g / (1 - mu_1 ... mu_t) + mu_{t+1} m / (1 - mu_1 ... mu_{t+1})
        p <- p - lr d / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        betas: how much the averages of gradient and square keep, in [0, 1).
        eps: keeps the divisor above zero.
        weight_decay: L2 penalty, >= 0.
        momentum_decay: speed at which momentum reaches its full value, >= 0.
        decoupled_weight_decay: decay the parameter itself, as AdamW does.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.NAdam; Dozat 2016, "Incorporating Nesterov momentum into Adam".

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.NAdam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.4718]
    """

    _rule = staticmethod(update.nadam)

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        super().__init__(params, checked(self, locals(), "foreach capturable differentiable"))

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "mu_product", "exp_avg", "exp_avg_sq"

    def _constants(self, group: dict[str, Any]) -> update.NAdam:
        beta1, beta2 = group["betas"]
        return update.NAdam(
            float(group["lr"]), float(beta1), float(beta2), float(group["eps"]), float(group["momentum_decay"])
        )

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return super()._begin(param, group) | {"mu_product": scalar(1.0)}
