"""A layer that mixes channel groups."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class ChannelShuffle(Module):
    """Deals the channels out anew, so that each group gets some of every group: (N, C, *) -> (N, C, *).

    Args:
        groups: number of groups; divides the channels.

    Source: torch.nn.ChannelShuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ChannelShuffle(2)(lenet.arange(4.0).view(1, 4, 1)).flatten()
        tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
