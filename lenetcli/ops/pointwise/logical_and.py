"""Logic on truth values (logical_*) and on bits (bitwise_*). Results are outside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import broadcast_shape, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _of_truths(function: Any, input: Tensor, other: Tensor) -> Tensor:
    if not isinstance(other, Variable):
        raise TypeError(f"{function.__name__}: other must be a tensor, got {type(other).__name__}")
    broadcast_shape(input.array.shape, other.array.shape)
    return like(input, as_array(function(input.array, other.array)))


@method(in_place=True)
@whole
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Where both are true (not 0), with broadcasting. Source: torch.logical_and.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logical_and(lenet.tensor([True, True]), lenet.tensor([0, 2]))
        tensor([False,  True])
    """
    return _of_truths(np.logical_and, input, other)


@method(in_place=True)
@whole
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Where one is true. Source: torch.logical_or.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logical_or(lenet.tensor([True, False]), lenet.tensor([False, False]))
        tensor([ True, False])
    """
    return _of_truths(np.logical_or, input, other)


@method(in_place=True)
@whole
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Where exactly one is true. Source: torch.logical_xor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logical_xor(lenet.tensor([True, True]), lenet.tensor([True, False]))
        tensor([False,  True])
    """
    return _of_truths(np.logical_xor, input, other)


@method(in_place=True)
@whole
def logical_not(input: Tensor) -> Tensor:
    """Where the value is false (0). Source: torch.logical_not.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logical_not(lenet.tensor([0.0, 2.0]))
        tensor([ True, False])
    """
    return like(input, as_array(np.logical_not(input.array)))


def _of_bits(function: Any, input: Any, other: Any) -> Any:
    a, b = (x.array if isinstance(x, Variable) else x for x in (input, other))
    a, b = together(a, b)
    refuse_floats(function.__name__, a)
    return like(input if isinstance(input, Variable) else other, as_array(function(a, b)))


def refuse_floats(name: str, x: Any) -> None:
    """Bits of floating-point numbers are none of a user's business."""
    if x.dtype.kind == "f":
        raise NotImplementedError(f"{name}: wanted integers or booleans, got {x.dtype}; use logical_* or convert first")


@method(in_place=True)
@whole
def bitwise_and(input: Tensor | int, other: Tensor | int) -> Tensor:
    """Bits set in both; what `&` does. Source: torch.bitwise_and.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bitwise_and(lenet.tensor([6, 1]), 3)
        tensor([2, 1])
    """
    return _of_bits(np.bitwise_and, input, other)


@method(in_place=True)
@whole
def bitwise_or(input: Tensor | int, other: Tensor | int) -> Tensor:
    """Bits set in one; what `|` does. Source: torch.bitwise_or.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bitwise_or(lenet.tensor([6, 1]), 3)
        tensor([7, 3])
    """
    return _of_bits(np.bitwise_or, input, other)


@method(in_place=True)
@whole
def bitwise_xor(input: Tensor | int, other: Tensor | int) -> Tensor:
    """Bits set in exactly one; what `^` does. Source: torch.bitwise_xor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bitwise_xor(lenet.tensor([6, 1]), 3)
        tensor([5, 2])
    """
    return _of_bits(np.bitwise_xor, input, other)


def _shifted(function: Any, input: Any, other: Any) -> Any:
    result = _of_bits(function, input, other)
    if all(isinstance(x, bool) or (isinstance(x, Variable) and x.array.dtype == np.bool_) for x in (input, other)):
        raise NotImplementedError(f"bitwise_{function.__name__}: wanted integers, got booleans; convert them first")
    return result


@method(in_place=True)
@whole
def bitwise_left_shift(input: Tensor | int, other: Tensor | int) -> Tensor:
    """Bits moved up by `other` places, `input * 2 ** other`; what `<<` does. Source: torch.bitwise_left_shift.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bitwise_left_shift(lenet.tensor([1, 3]), 2)
        tensor([ 4, 12])
    """
    return _shifted(np.left_shift, input, other)


@method(in_place=True)
@whole
def bitwise_right_shift(input: Tensor | int, other: Tensor | int) -> Tensor:
    """Bits moved down by `other` places, `input // 2 ** other`; what `>>` does. Source: torch.bitwise_right_shift.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bitwise_right_shift(lenet.tensor([8, -3]), 1)
        tensor([ 4, -2])
    """
    return _shifted(np.right_shift, input, other)


@method(in_place=True)
@whole
def bitwise_not(input: Tensor) -> Tensor:
    """All bits turned; what `~` does (`not` for booleans). Source: torch.bitwise_not.

    Example:
        >>> import lenetcli as lenet
        >>> ~lenet.tensor([True, False])
        tensor([False,  True])
    """
    refuse_floats("bitwise_not", input.array)
    return like(input, as_array(np.invert(input.array)))
