"""Activation layers."""

from __future__ import annotations

from lenetcli._tensor import Tensor
from lenetcli.nn import functional as F
from lenetcli.nn.module import Module


class ReLU(Module):
    """Keeps what is positive: max(x, 0). Source: torch.nn.ReLU.

    Args:
        inplace: change the input instead of making a new tensor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReLU()(lenet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""
