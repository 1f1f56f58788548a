"""Stochastic gradient descent, with momentum if wanted."""

from __future__ import annotations

from typing import Any

from lenetcli.kernels import update
from lenetcli.optim.arguments import checked
from lenetcli.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent.

    Formula:
        g <- gradient + weight_decay p            (gradient negated with `maximize`)
        b <- g at first, then momentum b + (1 - dampening) g
        p <- p - lr b                             (with `nesterov`: p - lr (g + momentum b); without momentum: p - lr g)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        momentum: share of the last direction that is kept, >= 0.
        dampening: share of the gradient that momentum leaves out.
        weight_decay: L2 penalty, >= 0.
        nesterov: look ahead along the momentum; wants momentum > 0 and dampening 0.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `fused` or `differentiable` turned on.

    Source: torch.optim.SGD; Sutskever et al. 2013, "On the importance of initialization and momentum".

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.SGD([w], lr=0.1, momentum=0.9)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     (w * w).sum().backward()
        ...     optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [0.92]
    """

    _rule = staticmethod(update.sgd)
    _counts = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        defaults = checked(self, locals(), "foreach differentiable fused")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("momentum_buffer" if group["momentum"] else None,)

    def _constants(self, group: dict[str, Any]) -> update.SGD:
        lr, momentum, dampening = float(group["lr"]), float(group["momentum"]), float(group["dampening"])
        return update.SGD(lr, momentum, dampening, bool(group["nesterov"]))
