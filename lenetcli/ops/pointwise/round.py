"""Rounding: floor, ceil, round, trunc and frac. The gradient of all but frac is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Rounding(Op):
    """Whole numbers near x; integers stay as they are."""

    rounded: ClassVar[Any]
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array) -> Array:
        if x.dtype == np.bool_:
            raise NotImplementedError(
                f"{ctx.name()[:-8].lower()}: not implemented for bool; convert to a number type first"
            )
        return ctx.rounded(x) if x.dtype.kind == "f" else x.copy(order="K")

    def backward(ctx: Any, grad: Array) -> Array:
        return np.zeros_like(grad)


class Floor(Rounding):
    formula = "y = the whole number at or below x"
    rounded = staticmethod(np.floor)


@method(in_place=True)
def floor(input: Tensor) -> Tensor:
    """The whole number below. Gradient: 0. Source: torch.floor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.floor(lenet.tensor([1.5, -1.5]))
        tensor([ 1., -2.])
    """
    return Floor.apply(input)


class Ceil(Rounding):
    formula = "y = the whole number at or above x"
    rounded = staticmethod(np.ceil)


@method(in_place=True)
def ceil(input: Tensor) -> Tensor:
    """The whole number above. Gradient: 0. Source: torch.ceil.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ceil(lenet.tensor([1.5, -1.5]))
        tensor([ 2., -1.])
    """
    return Ceil.apply(input)


class Trunc(Rounding):
    formula = "y = the whole number of x towards 0"
    rounded = staticmethod(np.trunc)


@method(in_place=True, aliases=("fix",))
def trunc(input: Tensor) -> Tensor:
    """The whole number towards zero. Gradient: 0. Source: torch.trunc.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.trunc(lenet.tensor([1.5, -1.5]))
        tensor([ 1., -1.])
    """
    return Trunc.apply(input)


class Round(Rounding):
    formula = "y = the whole number nearest to x"
    rounded = staticmethod(np.rint)


class RoundDecimals(Op):
    formula = "y = x rounded to {decimals} decimals"
    gradient = ("d_x = grad · 0",)
    backward_name = "Round"
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array, *, decimals: int) -> Array:
        if x.dtype.kind != "f":
            raise NotImplementedError(f"round: decimals is not implemented for {x.dtype}; convert to float first")
        power = x.dtype.type(10.0 ** np.abs(decimals))
        return np.rint(x * power) / power if decimals > 0 else np.rint(x / power) * power

    def backward(ctx: Any, grad: Array) -> Array:
        return np.zeros_like(grad)


@method(in_place=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest whole number, the even one of two as near; or that many decimals. Gradient: 0. Source: torch.round.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.round(lenet.tensor([0.5, 1.5, 2.4]))
        tensor([0., 2., 2.])
        >>> lenet.round(lenet.tensor([1.2345]), decimals=2)
        tensor([1.2300])
    """
    return RoundDecimals.apply(input, decimals=decimals) if decimals else Round.apply(input)


class Frac(Op):
    formula = "y = x − trunc(x)"
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Array) -> Array:
        if x.dtype.kind != "f":
            raise NotImplementedError(f"frac: not implemented for {x.dtype}; it would be 0")
        return x - np.trunc(x)

    def backward(ctx: Any, grad: Array) -> Array:
        return grad


@method(in_place=True)
def frac(input: Tensor) -> Tensor:
    """What trunc cuts off: x - trunc(x). Gradient: 1. Source: torch.frac.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.frac(lenet.tensor([1.5, -1.25]))
        tensor([ 0.5000, -0.2500])
    """
    return Frac.apply(input)


fix = trunc
