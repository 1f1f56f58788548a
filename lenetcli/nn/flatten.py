"""Flatten layers."""

from __future__ import annotations

from lenetcli._tensor import Tensor
from lenetcli.nn.module import Module


class Flatten(Module):
    """Joins dimensions into one: (N, C, H, W) -> (N, C H W) by default. Source: torch.nn.Flatten.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Flatten()(lenet.ones(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)  # type: ignore[no-any-return]  # an op added at import

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
