"""Quotients and remainders with broadcasting: div, floor_divide, remainder, fmod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.autograd.tape import like
from lenetcli.ops.methods import method
from lenetcli.ops.operands import both_floating, quiet, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Div(Op):
    formula = "y = a / b"
    gradient = ("d_a = grad / b", "d_b = −grad · a / b²")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        a, b = both_floating(a, b)
        ctx.save(a if ctx.needs_input_grad[1] else None, b)
        return a / b

    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return grad / b if need_a else None, -grad * ((a / b) / b) if need_b else None


def refuse_zero(a: Any, b: Any) -> None:
    """Integers have no infinity to give for a division by zero.

    Raises:
        RuntimeError: integers, and a zero in `b`.
    """
    if a.dtype.kind != "f" and np.any(b == 0):
        raise RuntimeError("ZeroDivisionError: integer division by zero; divide floating-point tensors to get inf")


def floor_quotient(a: Any, b: Any) -> Any:
    """a / b rounded down (operands of one type)."""
    refuse_zero(a, b)
    return _with_infinities(np.floor_divide(a, b), a, b)


def _with_infinities(quotient: Any, a: Any, b: Any) -> Any:
    return np.where(b == 0, a / b, quotient) if quotient.dtype.kind == "f" and np.any(b == 0) else quotient


def truncated_quotient(a: Any, b: Any) -> Any:
    """a / b rounded towards zero (operands of one type)."""
    if a.dtype.kind == "f":
        return np.trunc(a / b)
    refuse_zero(a, b)
    return (a - np.fmod(a, b)) // b


class RoundedDiv(Op):
    formula = "y = a / b, rounded to a whole number"
    gradient = ("d_a = 0", "d_b = 0")
    backward_name = "Div"
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Any, b: Any, *, down: bool) -> Any:
        a, b = together(a, b)
        return floor_quotient(a, b) if down else truncated_quotient(a, b)

    def backward(ctx: Any, grad: Any) -> Any:
        return np.zeros_like(grad), np.zeros_like(grad)


@method(in_place=True, aliases=("divide",))
def div(input: Tensor, other: Tensor | float, *, rounding_mode: str | None = None) -> Tensor:
    """Quotient, with broadcasting; integers give floating-point numbers unless it is rounded.

    Args:
        rounding_mode: None, 'trunc' (towards zero) or 'floor' (down).

    Gradient:
        0 where a rounding mode is given.

    Raises:
        RuntimeError: another rounding mode, or a rounded division of integers by zero.

    Source: torch.div.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.div(lenet.tensor([1, -3]), 2)
        tensor([ 0.5000, -1.5000])
        >>> lenet.div(lenet.tensor([1, -3]), 2, rounding_mode="floor")
        tensor([ 0, -2])
    """
    if rounding_mode is None:
        return Div.apply(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    return RoundedDiv.apply(input, other, down=rounding_mode == "floor")


@method(in_place=True)
def true_divide(input: Tensor, other: Tensor | float) -> Tensor:
    """`div` without rounding. Source: torch.true_divide.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.true_divide(lenet.tensor([1, 3]), 2)
        tensor([0.5000, 1.5000])
    """
    return Div.apply(input, other)


class FloorDivide(Op):
    formula = "y = a / b, rounded down"
    gradient = (
        "d_a = none: backward through it raises, as in torch",
        "d_b = none: backward through it raises, as in torch",
    )

    @quiet
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        return floor_quotient(*together(a, b))

    def backward(ctx: Any, grad: Any) -> Any:
        raise RuntimeError(
            "derivative for floor_divide is not implemented; use div(a, b, rounding_mode='floor'), whose gradient is 0"
        )


@method(in_place=True)
def floor_divide(input: Tensor, other: Tensor | float) -> Tensor:
    """Quotient rounded down, with broadcasting: what `//` does.

    Gradient:
        None, as in torch: backward through it raises.

    Source: torch.floor_divide.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.floor_divide(lenet.tensor([5.0, -5.0]), 2)
        tensor([ 2., -3.])
    """
    return FloorDivide.apply(input, other)


class Remainder(Op):
    formula = "y = a − floor(a / b) · b"
    gradient = ("d_a = grad", "d_b = −grad · floor(a / b)")

    @quiet
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        a, b = together(a, b)
        refuse_zero(a, b)
        if ctx.needs_input_grad[1]:
            ctx.save(a, b)
        y = np.remainder(a, b)
        return y if y.dtype.kind != "f" else np.where(y == 0, np.copysign(y, a), y)  # NumPy's zero has the sign of b

    def backward(ctx: Any, grad: Any) -> Any:
        return grad, -grad * floor_quotient(*ctx.saved) if ctx.needs_input_grad[1] else None

    def backward_graph(ctx: Any, grad: Any) -> Any:
        ctx.check_saved()
        return grad, grad * like(grad, -floor_quotient(*ctx.saved)) if ctx.needs_input_grad[1] else None


@method(in_place=True)
def remainder(input: Tensor, other: Tensor | float) -> Tensor:
    """What is left by a division rounded down, with the divisor's sign, as Python's `%`.

    Formula:
        input - floor(input / other) * other

    Gradient:
        1 for input, -floor(input / other) for other.

    Raises:
        RuntimeError: an integer divided by zero.

    Source: torch.remainder.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.remainder(lenet.tensor([5.0, -5.0]), 3)
        tensor([2., 1.])
    """
    return Remainder.apply(input, other)


class Fmod(Op):
    formula = "y = a − trunc(a / b) · b"
    gradient = ("d_a = grad", "d_b = −grad · trunc(a / b)")

    @quiet
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        a, b = together(a, b)
        refuse_zero(a, b)
        if ctx.needs_input_grad[1]:
            ctx.save(a, b)
        return np.fmod(a, b)

    def backward(ctx: Any, grad: Any) -> Any:
        return grad, -grad * truncated_quotient(*ctx.saved) if ctx.needs_input_grad[1] else None

    def backward_graph(ctx: Any, grad: Any) -> Any:
        ctx.check_saved()
        return grad, grad * like(grad, -truncated_quotient(*ctx.saved)) if ctx.needs_input_grad[1] else None


@method(in_place=True)
def fmod(input: Tensor, other: Tensor | float) -> Tensor:
    """What is left by a division rounded towards zero, with the dividend's sign, as C's fmod.

    Gradient:
        1 for input, -trunc(input / other) for other.

    Raises:
        RuntimeError: an integer divided by zero.

    Source: torch.fmod.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.fmod(lenet.tensor([5.0, -5.0]), 3)
        tensor([ 2., -2.])
    """
    return Fmod.apply(input, other)


divide = div
