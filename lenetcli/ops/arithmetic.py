"""Arithmetic with broadcasting: add, sub, mul, div, pow, neg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.ops.methods import method
from lenetcli.ops.operands import floating, together

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class Add(Op):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any, *, alpha: float) -> Any:
        ctx.alpha = alpha
        a, b = together(a, b)
        return a + b if alpha == 1 else a + alpha * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad, grad if ctx.alpha == 1 else grad * ctx.alpha


@method(in_place=True)
def add(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """Sum of two tensors, or of a tensor and a number.

    Formula:
        input + alpha * other

    Shape:
        Both broadcast together.

    Source: torch.add.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.add(lenet.tensor([1.0, 2.0]), 10, alpha=2)
        tensor([21., 22.])
    """
    return Add.apply(input, other, alpha=alpha)


class Sub(Op):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any, *, alpha: float) -> Any:
        ctx.alpha = alpha
        a, b = together(a, b)
        if a.dtype == np.bool_ and getattr(b, "dtype", None) == np.bool_:
            raise RuntimeError("sub: subtraction of two bool tensors is not supported; use logical_xor or ~")
        return a - b if alpha == 1 else a - alpha * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad, grad * -ctx.alpha


@method(in_place=True, aliases=("subtract",))
def sub(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """Difference: `input - alpha * other`, with broadcasting. Source: torch.sub.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sub(lenet.tensor([1.0, 2.0]), 1)
        tensor([0., 1.])
    """
    return Sub.apply(input, other, alpha=alpha)


class Mul(Op):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save(a, b)
        a, b = together(a, b)
        return a * b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return grad * b if need_a else None, grad * a if need_b else None


@method(in_place=True, aliases=("multiply",))
def mul(input: Tensor, other: Tensor | float) -> Tensor:
    """Product, element by element, with broadcasting. Source: torch.mul.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.mul(lenet.tensor([1.0, 2.0]), lenet.tensor([[2.0], [3.0]]))
        tensor([[2., 4.],
                [3., 6.]])
    """
    return Mul.apply(input, other)


class Div(Op):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        a, b = together(a, b)
        if a.dtype.kind != "f":
            a = floating(a)
            b = floating(b) if hasattr(b, "dtype") else b
        ctx.save(a, b)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return a / b

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return grad / b if need_a else None, -grad * a / (b * b) if need_b else None


class Neg(Op):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        if x.dtype == np.bool_:
            raise RuntimeError("neg: negation of a bool tensor is not supported; use ~ or logical_not")
        return -x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return -grad


@method(in_place=True, aliases=("negative",))
def neg(input: Tensor) -> Tensor:
    """Negation. Source: torch.neg.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.neg(lenet.tensor([1.0, -2.0]))
        tensor([-1.,  2.])
    """
    return Neg.apply(input)
