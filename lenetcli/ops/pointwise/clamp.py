"""Choosing among values, element by element: maximum, minimum, clamp, where."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import is_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger, smaller
from lenetcli.ops.methods import METHODS, method
from lenetcli.ops.operands import all_together, broadcast_shape, quiet, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Maximum(Op):
    formula = "y = max(a, b)"
    gradient = ("d_a = grad where a is more", "d_b = grad where b is more")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        ctx.save(a, b)
        return larger(b, a)

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return _shares(grad, a == b, lost_by_a=a < b, lost_by_b=a > b)


def _shares(grad: Array, tied: Array, lost_by_a: Array, lost_by_b: Array) -> tuple[Array, Array]:
    """The gradient to the one that was chosen, half to each where they tie."""
    zero = grad.dtype.type(0)
    share = np.where(tied, grad / 2, grad)
    return np.where(lost_by_a, zero, share), np.where(lost_by_b, zero, share)


@method
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The greater of two, with broadcasting; NaN where one is NaN.

    Gradient:
        To the greater one, half to each where they are equal.

    Source: torch.maximum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.maximum(lenet.tensor([1.0, 5.0]), lenet.tensor([3.0]))
        tensor([3., 5.])
    """
    return Maximum.apply(_wanted_tensor("maximum", input), _wanted_tensor("maximum", other))


def _wanted_tensor(name: str, x: Any) -> Any:
    if not isinstance(x, Variable):
        raise TypeError(f"{name}: both arguments must be tensors, got {type(x).__name__}; use clamp for a number")
    return x


class Minimum(Op):
    formula = "y = min(a, b)"
    gradient = ("d_a = grad where a is less", "d_b = grad where b is less")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        ctx.save(a, b)
        return smaller(b, a)

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return _shares(grad, a == b, lost_by_a=a > b, lost_by_b=a < b)


@method
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two, with broadcasting; NaN where one is NaN.

    Gradient:
        To the smaller one, half to each where they are equal.

    Source: torch.minimum.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.minimum(lenet.tensor([1.0, 5.0]), lenet.tensor([3.0]))
        tensor([1., 3.])
    """
    return Minimum.apply(_wanted_tensor("minimum", input), _wanted_tensor("minimum", other))


class Clamp(Op):
    formula = "y = x limited to [low, high]"
    gradient = (
        "d_x = grad · (1 inside the limits, else 0)",
        "d_low = Σ grad where x is below low",
        "d_high = Σ grad where x is above high",
    )
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array, low: Any, high: Any) -> Array:
        given = [bound for bound in (low, high) if bound is not None]
        if not given:
            raise RuntimeError("clamp: at least one of min and max must be given")
        x, *bounds = all_together(x, *given)
        low = bounds.pop(0) if low is not None else None
        high = bounds.pop(0) if high is not None else None
        ctx.save(x, low, high)
        y = x if low is None else larger(low, x)
        return y if high is None else smaller(high, y)

    def backward(ctx: Any, grad: Array) -> Any:
        x, low, high = ctx.saved
        _, need_low, need_high = ctx.needs_input_grad
        zero = grad.dtype.type(0)
        inside: Any = True if low is None else x >= low
        inside = inside if high is None else inside & (x <= high)
        d_low = d_high = None
        if need_low:
            d_low = np.where(x < low if high is None else (x < low) & (low < high), grad, zero)
        if need_high:
            d_high = np.where(x > high if low is None else (x > high) | (high < low), grad, zero)
        return np.where(inside, grad, zero), d_low, d_high


@method(in_place=True, aliases=("clip",))
def clamp(input: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """Limits values to [min, max], with broadcasting; where min > max it is max.

    Gradient:
        1 inside and on the limits, 0 outside; the limits get what lies outside of them.

    Raises:
        RuntimeError: neither min nor max is given.

    Source: torch.clamp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.clamp(lenet.tensor([-2.0, 0.5, 3.0]), min=-1, max=1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return Clamp.apply(input, min, max)


@method(in_place=True)
def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """`clamp` with a lower limit only. Source: torch.clamp_min.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.clamp_min(lenet.tensor([-2.0, 3.0]), 0)
        tensor([0., 3.])
    """
    return Clamp.apply(input, min, None)


@method(in_place=True)
def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """`clamp` with an upper limit only. Source: torch.clamp_max.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.clamp_max(lenet.tensor([-2.0, 3.0]), 0)
        tensor([-2.,  0.])
    """
    return Clamp.apply(input, None, max)


class Where(Op):
    formula = "y = a where condition, else b"
    gradient = ("d_a = grad where condition", "d_b = grad where not condition")
    backward_graph = arithmetic

    def forward(ctx: Any, condition: Array, a: Any, b: Any) -> Array:
        if condition.dtype == np.uint8:
            warnings.warn("where: a uint8 condition is deprecated; convert it with bool()", UserWarning, stacklevel=4)
            condition = condition != 0
        if condition.dtype != np.bool_:
            raise RuntimeError(f"where: expected condition to be a boolean tensor, but got {condition.dtype}")
        a, b = together(a, b) if is_array(a) or is_array(b) else all_together(a, b)
        broadcast_shape(condition.shape, np.shape(a), np.shape(b))
        ctx.save(condition)
        return np.where(condition, a, b)

    def backward(ctx: Any, grad: Array) -> Any:
        (condition,) = ctx.saved
        _, need_a, need_b = ctx.needs_input_grad
        zero = grad.dtype.type(0)
        return (
            None,
            np.where(condition, grad, zero) if need_a else None,
            np.where(condition, zero, grad) if need_b else None,
        )


def where(condition: Tensor, input: Tensor | float | None = None, other: Tensor | float | None = None) -> Any:
    """Takes from `input` where the condition holds, else from `other`, with broadcasting.

    With the condition alone: the indices of its true elements, one tensor per dimension.

    Gradient:
        To the one that was taken.

    Raises:
        RuntimeError: the condition is not boolean.

    Source: torch.where.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, -2.0])
        >>> lenet.where(x > 0, x, 0.0)
        tensor([1., 0.])
        >>> lenet.where(x > 0)
        (tensor([0]),)
    """
    if not isinstance(condition, Variable):
        raise TypeError(f"where: condition must be a tensor, got {type(condition).__name__}")
    if input is None and other is None:
        places = np.atleast_1d(condition.array).nonzero()
        return tuple(like(condition, at.astype(np.int64, copy=False)) for at in places)
    if input is None or other is None:
        raise TypeError("where: give both input and other, or neither")
    return Where.apply(condition, _choice(input), _choice(other))


def _where(self: Tensor, condition: Tensor, other: Tensor | float) -> Tensor:
    """The tensor where the condition holds, else `other`; see `lenetcli.where`."""
    return Where.apply(condition, self, _choice(other))


def _choice(value: Any) -> Any:
    """A tensor or a Python number, which a NumPy scalar becomes."""
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (Variable, int, float)):
        raise TypeError(f"where: input and other must be tensors or numbers, got {type(value).__name__}")
    return value


METHODS["where"] = _where
clip = clamp
