"""Steps: what a chain takes of the results of a recurrent layer."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.errors import ShapeError
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class Steps(Module):
    """Hands on the outputs of a recurrent layer without its state: those of all steps, or of one.

    In a config it follows RNN, GRU or LSTM, as {type: Steps, at: -1}; of any other layer it takes one step, too.

    Args:
        at: which step, counted from the end where it is negative; None are all.
        dim: where steps are counted: 1 with `batch_first`, 0 without.

    Shape:
        output (N, L, H), alone or with a state -> (N, H), or (N, L, H) for all steps

    Raises:
        ShapeError: no such step.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> rows = nn.Sequential(nn.GRU(28, 64, batch_first=True), nn.Steps(-1), nn.Linear(64, 10))
        >>> rows(lenet.randn(3, 28, 28)).shape
        torch.Size([3, 10])
    """

    takes_state: ClassVar[bool] = True

    def __init__(self, at: int | None = None, dim: int = 1) -> None:
        super().__init__()
        self.at, self.dim = at, dim

    def forward(self, input: Any) -> Tensor:
        y: Tensor = input[0] if isinstance(input, tuple) else input
        if self.at is None:
            return y
        steps = y.array.shape[self.dim] if -y.ndim <= self.dim < y.ndim else 0
        if not -steps <= self.at < steps:
            raise ShapeError(f"Steps: there is no step {self.at} in dimension {self.dim} of {list(y.array.shape)}")
        return y.select(self.dim, self.at)

    def extra_repr(self) -> str:
        return f"at={self.at}" + ("" if self.dim == 1 else f", dim={self.dim}")
