"""Parameter: a tensor that a module owns and an optimizer changes."""

from __future__ import annotations

from typing import Any

from lenetcli._tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that is registered as a parameter when assigned as attribute of a Module.

    Args:
        data: the values; memory is shared.
        requires_grad: whether gradients are wanted.

    Source: torch.nn.Parameter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Parameter(lenet.zeros(2))
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data if not isinstance(data, Tensor) else data.array, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
