"""Rprop: step sizes from the signs of gradients alone."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked, pair
from lenetcli.optim.optimizer import Optimizer, filled
from lenetcli.tensors.tensor import Tensor


class Rprop(Optimizer):
    """Resilient backpropagation, for whole-batch gradients.

    Formula:
        s <- min(s eta_plus, largest)   where g has the sign of the last one
        s <- max(s eta_minus, smallest), g <- 0   where it has the other
        p <- p - sign(g) s                        (gradient negated with `maximize`; s starts at lr)

    Gradient:
        NaN counts as no sign: the parameter stays.

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: the first step size, >= 0.
        etas: factors that shrink and grow a step, 0 < first < 1 < second.
        step_sizes: the smallest and the largest step.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `capturable` or `differentiable` turned on.

    Source: torch.optim.Rprop; Riedmiller and Braun 1993.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Rprop([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.5]
    """

    _rule = staticmethod(update.rprop)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        defaults = checked(self, locals(), "foreach differentiable capturable")
        eta_minus, eta_plus = pair("Rprop", "etas", etas)
        if not 0 < eta_minus < 1 < eta_plus:
            raise ValueError(f"Invalid eta values: {eta_minus}, {eta_plus}")
        pair("Rprop", "step_sizes", step_sizes)
        super().__init__(params, defaults)

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "prev", "step_size"

    def _constants(self, group: dict[str, Any]) -> update.Rprop:
        (eta_minus, eta_plus), (smallest, largest) = group["etas"], group["step_sizes"]
        return update.Rprop(float(eta_minus), float(eta_plus), float(smallest), float(largest))

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return super()._begin(param, group) | {"step_size": filled(param, float(group["lr"]))}
