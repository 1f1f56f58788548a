"""Sums and products with broadcasting: add, sub, mul, neg, and the combinations addcmul, addcdiv and lerp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic, saved_tensors
from lenetcli.autograd.tape import Variable
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import is_array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import all_together, number, quiet, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def checked_factor(name: str, alpha: Any, kind: np.dtype[Any]) -> Any:
    """The factor as a Python number; refuses one of a higher category than the values: it would be cut off silently."""
    if isinstance(alpha, np.generic):
        alpha = alpha.item()  # beside a NumPy scalar, arrays change their type
    if isinstance(alpha, bool) and kind.kind != "b":
        raise RuntimeError(f"{name}: a boolean factor is only supported for boolean results, these are {kind}")
    if isinstance(alpha, float) and kind.kind != "f":
        raise RuntimeError(f"{name}: for integral tensors the factor must not be a floating-point number, got {alpha}")
    return alpha


class Add(Op):
    formula = "y = a + {alpha:g} b"
    gradient = ("d_a = grad", "d_b = {alpha:g} grad")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Any, b: Any, *, alpha: float) -> Any:
        ctx.alpha = alpha
        a, b = together(a, b)
        if alpha == 1 and alpha is not True:
            return kernels.plus(a, b) if switches.whole else a + b
        return a + b * checked_factor("add", alpha, a.dtype)

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
    formula = "y = a − {alpha:g} b"
    gradient = ("d_a = grad", "d_b = −{alpha:g} grad")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Any, b: Any, *, alpha: float) -> Any:
        ctx.alpha = alpha
        if _is_boolean(a) or _is_boolean(b):
            raise RuntimeError("sub: subtraction with a bool tensor is not supported; use logical_xor, ^ or ~")
        a, b = together(a, b)
        if alpha == 1 and alpha is not True:
            return a - b
        return a - b * checked_factor("sub", alpha, a.dtype)

    def backward(ctx: Any, grad: Any) -> Any:
        return grad, grad * -ctx.alpha


def _is_boolean(x: Any) -> bool:
    return isinstance(x, bool) or getattr(x, "dtype", None) == np.bool_


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
    formula = "y = a · b"
    gradient = ("d_a = grad · b", "d_b = grad · a")

    @quiet
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a else None)
        a, b = together(a, b)
        return a * b

    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return grad * b if need_a else None, grad * a if need_b else None

    def backward_graph(ctx: Any, grad: Any) -> Any:
        a, b = saved_tensors(ctx)
        need_a, need_b = ctx.needs_input_grad
        return grad * b if need_a else None, grad * a if need_b else None

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        a, b = seen["a"], seen["b"]
        if not all(isinstance(v, np.ndarray) and v.shape == seen.y.shape for v in (a, b)):
            return None
        numbers = f"{seen.number(a[at])}·{seen.number(b[at])}"
        return f"{seen.element('y', at)} = a·b", numbers, float(a[at]) * float(b[at])

    @staticmethod
    def example_d_a(seen: Any, at: tuple[int, ...]) -> Any:
        b = seen["b"]
        if not isinstance(b, np.ndarray) or b.shape != seen.y.shape or seen["a"].shape != seen.y.shape:
            return None
        grad = seen.grad[at]
        text = f"{seen.number(grad)}·{seen.number(b[at])}"
        return f"{seen.element('d_a', at)} = grad·b", text, float(grad) * float(b[at])


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


class Neg(Op):
    formula = "y = −x"
    gradient = ("d_x = grad · (−1)",)
    backward_graph = arithmetic

    def forward(ctx: Any, x: Any) -> Any:
        if x.dtype == np.bool_:
            raise RuntimeError("neg: negation of a bool tensor is not supported; use ~ or logical_not")
        return -x

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


@method
def positive(input: Tensor) -> Tensor:
    """The tensor itself. Source: torch.positive.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.positive(lenet.tensor([-1]))
        tensor([-1])
    """
    if input.array.dtype == np.bool_:
        raise RuntimeError("positive: the + of a bool tensor is not supported")
    return input


class Addcmul(Op):
    saves = ("a", "b")
    formula = "y = x + {value:g} · a · b"
    gradient = ("d_x = grad", "d_a = {value:g} · grad · b", "d_b = {value:g} · grad · a")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Any, a: Any, b: Any, *, value: float) -> Any:
        x, a, b = all_together(x, a, b)
        ctx.value = value = checked_factor("addcmul", value, x.dtype)
        _, need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a else None)
        return x + (a * value) * b

    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        _, need_a, need_b = ctx.needs_input_grad
        return grad, grad * (b * ctx.value) if need_a else None, grad * (a * ctx.value) if need_b else None


@method(in_place=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """A product added: `input + value * tensor1 * tensor2`, with broadcasting. Source: torch.addcmul.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addcmul(lenet.ones(2), lenet.tensor([1.0, 2.0]), lenet.tensor([3.0]), value=10)
        tensor([31., 61.])
    """
    return Addcmul.apply(input, tensor1, tensor2, value=value)


class Addcdiv(Op):
    saves = ("a", "b")
    formula = "y = x + {value:g} · a / b"
    gradient = ("d_x = grad", "d_a = {value:g} · grad / b", "d_b = −{value:g} · grad · a / b²")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, x: Any, a: Any, b: Any, *, value: float) -> Any:
        if a.dtype.kind != "f" and b.dtype.kind != "f":
            raise RuntimeError("addcdiv: integer division is not supported; convert tensor1 or tensor2 to float first")
        x, a, b = all_together(x, a, b)
        ctx.value = value
        _, need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a or need_b else None)
        return x + (a * value) / b

    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        _, need_a, need_b = ctx.needs_input_grad
        return (
            grad,
            grad * (ctx.value / b) if need_a else None,
            -grad * (a * ctx.value / (b * b)) if need_b else None,
        )


@method(in_place=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """A quotient added: `input + value * tensor1 / tensor2`, with broadcasting. Source: torch.addcdiv.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addcdiv(lenet.ones(2), lenet.tensor([1.0, 2.0]), lenet.tensor([4.0]))
        tensor([1.2500, 1.5000])
    """
    return Addcdiv.apply(input, tensor1, tensor2, value=number(value))


class Lerp(Op):
    formula = "y = start + weight · (end − start)"
    gradient = ("d_start = grad · (1 − weight)", "d_end = grad · weight", "d_weight = grad · (end − start)")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, start: Any, end: Any, weight: Any) -> Any:
        weighed = (weight,) if is_array(weight) else ()
        if any(x.dtype != start.dtype for x in (end, *weighed)):
            got = ", ".join(str(x.dtype) for x in (end, *weighed))
            raise RuntimeError(f"lerp: expected dtype {start.dtype} for `end` and `weight`, got {got}")
        if start.dtype.kind != "f":
            raise NotImplementedError(f"lerp: not implemented for {start.dtype}; convert to float first")
        start, end, *_ = all_together(start, end, *weighed)
        need_start, need_end, need_weight = ctx.needs_input_grad
        ctx.number = None if is_array(weight) else weight
        ends = (start, end) if need_weight else (None, None)
        ctx.save(*ends, weight if is_array(weight) and (need_start or need_end) else None)
        span = end - start
        near_start = np.abs(weight) < 0.5
        if is_array(near_start):
            return np.where(near_start, start + weight * span, end - span * (1 - weight))
        return start + weight * span if near_start else end - span * (1 - weight)

    def backward(ctx: Any, grad: Any) -> Any:
        start, end, weight = ctx.saved
        need_start, need_end, need_weight = ctx.needs_input_grad
        if weight is None:
            weight = ctx.number
        return (
            grad * (1 - weight) if need_start else None,
            grad * weight if need_end else None,
            grad * (end - start) if need_weight else None,
        )


@method(in_place=True)
def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """A point between two tensors: `input + weight * (end - input)`, with broadcasting. Source: torch.lerp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.lerp(lenet.zeros(2), lenet.tensor([1.0, 4.0]), 0.25)
        tensor([0.2500, 1.0000])
    """
    if not isinstance(end, Variable):
        raise TypeError(f"lerp: end must be a tensor, got {type(end).__name__}")
    return Lerp.apply(input, end, number(weight))


subtract, multiply, negative = sub, mul, neg
