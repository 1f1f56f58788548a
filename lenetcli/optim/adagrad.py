"""Adagrad: gradients divided by the root of all their squares so far."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer, filled
from lenetcli.tensors.tensor import Tensor


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

    _rule = staticmethod(update.adagrad)

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
        super().__init__(params, checked(self, locals(), "foreach differentiable fused"))
        for group in self.param_groups:  # as in torch, this state is there before the first step
            for p in group["params"]:
                self.state[p] = self._begin(p, group)

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("sum",)

    def _constants(self, group: dict[str, Any]) -> update.Adagrad:
        return update.Adagrad(float(group["lr"]), float(group["lr_decay"]), float(group["eps"]))

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return super()._begin(param, group) | {"sum": filled(param, self.defaults["initial_accumulator_value"])}
