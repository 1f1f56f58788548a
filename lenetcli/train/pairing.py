"""Outputs beside their targets: a loss of single numbers compares each output with a target of its own."""

from __future__ import annotations

from lenetcli.errors import ShapeError
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


def loss_of(criterion: Module, output: Tensor, target: Tensor) -> Tensor:
    """The criterion's value for outputs and the targets that belong to them; see `paired`.

    Raises:
        ShapeError: a loss of single numbers would have to spread one of them over the other.
    """
    loss: Tensor = criterion(output, paired(criterion, output, target))
    return loss


def paired(criterion: Module, output: Tensor, target: Tensor) -> Tensor:
    """The targets in the shape that outputs have, where each sample has one number on both sides: (N,) for (N, 1).

    torch would make (N, N) of these, warn, and learn the mean of all targets. In training nobody can want that.
    A loss of classes, and one of the user's own, gets targets as they are.

    Raises:
        ShapeError: a loss of single numbers, and shapes that differ otherwise.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> paired(nn.MSELoss(), lenet.zeros(3, 1), lenet.ones(3)).shape
        torch.Size([3, 1])
    """
    wanted, given = output.array.shape, target.array.shape
    if wanted == given or not is_elementwise(criterion):
        return target
    if wanted[:1] == given[:1] == (output.array.size,) == (target.array.size,):
        return target.reshape(wanted)
    name = type(criterion).__name__
    raise ShapeError(
        f"{name} wants a target for each output, got targets {list(given)} beside outputs {list(wanted)}: "
        f"let the last layer give {list(given[1:]) or [1]} for each sample, or its targets be {list(wanted[1:])}"
    )


def is_elementwise(criterion: Module) -> bool:
    """Whether it computes as one of lenetcli's losses of single numbers: they want targets of the outputs' shape."""
    own = not type(criterion).forward.__module__.startswith("lenetcli.")
    return isinstance(criterion, Loss) and criterion.elementwise and not own
