"""Layers as functions (torch.nn.functional). Each is defined with its op; this file is the list of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenetcli.ops.activation import relu as _relu
from lenetcli.ops.conv import conv2d
from lenetcli.ops.linear import linear
from lenetcli.ops.loss import cross_entropy, mse_loss
from lenetcli.ops.pool import max_pool2d

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor

__all__ = ["conv2d", "cross_entropy", "linear", "max_pool2d", "mse_loss", "relu"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Keeps what is positive; see `lenetcli.relu`."""
    return input.relu_() if inplace else _relu(input)
