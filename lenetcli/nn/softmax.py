"""Softmax layers."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class Softmax(Module):
    """Positive numbers that sum to 1 along a dimension.

    Formula:
        exp(x_i) / sum_j exp(x_j)

    Args:
        dim: the dimension whose entries sum to 1; to leave it out is deprecated, as in torch.

    Source: torch.nn.Softmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softmax(dim=0)(lenet.tensor([0.0, 0.0, 1.0]))
        tensor([0.2119, 0.2119, 0.5761])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Softmax):
    """Softmax of the negated numbers: the smallest gets most.

    Formula:
        exp(-x_i) / sum_j exp(-x_j)

    Args:
        dim: the dimension whose entries sum to 1; to leave it out is deprecated, as in torch.

    Source: torch.nn.Softmin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softmin(dim=0)(lenet.tensor([0.0, 0.0, 1.0]))
        tensor([0.4223, 0.4223, 0.1554])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`, finite where that rounds to 0.

    Formula:
        x_i - log sum_j exp(x_j)

    Args:
        dim: the dimension whose exponentials sum to 1; to leave it out is deprecated, as in torch.

    Source: torch.nn.LogSoftmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LogSoftmax(dim=0)(lenet.tensor([0.0, 0.0, 1.0]))
        tensor([-1.5514, -1.5514, -0.5514])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmax2d(Module):
    """Softmax over the channels of every pixel.

    Shape:
        (N, C, H, W) or (C, H, W) -> the same

    Raises:
        ValueError: another number of dimensions.

    Source: torch.nn.Softmax2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Softmax2d()(lenet.zeros(2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead: {list(input.shape)}"
            )
        return F.softmax(input, -3)
