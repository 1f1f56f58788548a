"""AdamW: Adam whose weight decay does not pass through the averages."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.optim.adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay.

    Formula:
        p <- p - lr weight_decay p, then Adam's step without penalty (see Adam).

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: learning rate, >= 0.
        betas: how much the averages of gradient and square keep, in [0, 1).
        eps: keeps the divisor above zero.
        weight_decay: share of the parameter taken away at each step, times lr; >= 0.
        amsgrad: divide by the largest average so far.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach`, `fused`, `capturable` or `differentiable` turned on.

    Source: torch.optim.AdamW; Loshchilov and Hutter 2019, algorithm 2.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.AdamW([w], lr=0.5, weight_decay=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.4]
    """

    _fixed: ClassVar = {"decoupled_weight_decay": True}  # states saved before torch had this option lack it

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **switches: bool | None,
    ) -> None:
        if "decoupled_weight_decay" in switches:
            raise TypeError(
                "AdamW.__init__() got an unexpected keyword argument 'decoupled_weight_decay'; it always is"
            )
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **switches
        )
