"""Adagrad: gradients divided by the root of all their squares so far."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.variable import Array
from lenetcli.kernels import active as kernels
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, counted, filled, scalar


class Adagrad(Optimizer):
    """Adagrad.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`)
        s <- s + g²                               (s starts at `initial_accumulator_value`)
        p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        lr_decay: speed at which the learning rate falls, >= 0.
        weight_decay: L2 penalty, >= 0.
        initial_accumulator_value: where the sum of squares starts, >= 0.
        eps: keeps the divisor above zero.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `fused` or `differentiable` turned on.

    Source: torch.optim.Adagrad; Duchi et al. 2011.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Adagrad([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.5]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, checked("Adagrad", options, switches, "foreach differentiable fused"))
        for group in self.param_groups:  # as in torch, this state is there before the first step
            for p in group["params"]:
                self._begin(p)

    def _begin(self, param: Tensor) -> None:
        self.state[param].update(step=scalar(0.0), sum=filled(param, self.defaults["initial_accumulator_value"]))

    def _update(self, param: Tensor, grad: Array, group: dict[str, Any]) -> None:
        if not self.state[param]:  # of a group added later
            self._begin(param)
        state = self.state[param]
        kernels.adagrad_step(
            param.array,
            grad,
            state["sum"].array,
            float(group["lr"]) / (1 + (counted(state) - 1) * float(group["lr_decay"])),
            float(group["eps"]),
            float(group["weight_decay"]),
            group["maximize"],
        )
