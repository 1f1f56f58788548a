"""Activation functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class Relu(Op):
    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        y = np.maximum(x, x.dtype.type(0))
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * (y > 0)


@method(in_place=True)
def relu(input: Tensor) -> Tensor:
    """Keeps what is positive.

    Formula:
        max(x, 0)

    Gradient:
        1 where x > 0, else 0; at 0 it is 0.

    Source: torch.relu.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.relu(lenet.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 2.])
    """
    return Relu.apply(input)
