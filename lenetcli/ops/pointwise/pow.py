"""Powers and roots: pow, square, sqrt, rsqrt, reciprocal, hypot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import from_numpy_dtype, promote_types
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic, saved_tensors
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import is_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import number, quiet, together
from lenetcli.ops.pointwise.exp import Curve

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


_SHORT: dict[float, Callable[[Array], Array]] = {
    2: lambda x: x * x,
    3: lambda x: x * x * x,
    0.5: np.sqrt,
    -0.5: lambda x: 1 / np.sqrt(x),
    -1: lambda x: 1 / x,
    -2: lambda x: 1 / (x * x),
}


def raised(base: Array, exponent: Any) -> Array:
    """base ** exponent in one type; by roots and products for the exponents that networks use, as in torch."""
    if type(exponent) in (int, float) and exponent in _SHORT and (exponent > 0 or base.dtype.kind == "f"):
        return _SHORT[exponent](base)
    if base.dtype.kind != "f" and np.any(exponent < 0):
        whole = np.where(base == 1, 1, np.where(base == -1, 1 - 2 * (exponent % 2), 0))  # 1, -1, or a fraction cut to 0
        return np.where(exponent < 0, whole, np.power(base, np.maximum(exponent, 0))).astype(base.dtype)
    return base**exponent


class Pow(Op):
    saves = ("base", "exponent", "result")
    formula = "y = base^exponent"
    gradient = ("d_base = grad · exponent · base^(exponent − 1)", "d_exponent = grad · y · log(base)")

    @quiet
    def forward(ctx: Any, base: Any, exponent: Any) -> Array:
        if type(exponent) is int and exponent < 0 and base.dtype.kind != "f":
            raise RuntimeError("pow: integers to negative integer powers are not allowed; convert to float first")
        same = [getattr(x, "dtype", None) for x in (base, exponent)] == [np.bool_, np.bool_]
        if same:
            raise NotImplementedError("pow: not implemented for bool; convert to a number type first")
        base, exponent = together(base, exponent)
        y = raised(base, exponent)
        ctx.save(base, exponent, y if ctx.needs_input_grad[1] else None)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        base, exponent, y = ctx.saved
        need_base, need_exponent = ctx.needs_input_grad
        zero = grad.dtype.type(0)
        d_base = d_exponent = None
        if need_base:
            if is_array(exponent):
                d_base = np.where(exponent == 0, zero, grad * (exponent * base ** (exponent - 1)))
            else:
                d_base = grad * (exponent * raised(base, exponent - 1)) if exponent else np.zeros_like(grad)
        if need_exponent:
            d_exponent = grad * np.where((base == 0) & (exponent >= 0), zero, y * np.log(base))
        return d_base, d_exponent

    def backward_graph(ctx: Any, grad: Any) -> Any:
        base, exponent, y = saved_tensors(ctx)
        need_base, need_exponent = ctx.needs_input_grad
        d_base: Any = None
        d_exponent: Any = None
        if need_base and not isinstance(exponent, (int, float)):
            d_base = (grad * (exponent * base ** (exponent - 1))).masked_fill(exponent == 0, 0.0)
        elif need_base:
            d_base = grad * (exponent * base ** (exponent - 1)) if exponent else like(grad, np.zeros_like(grad.array))
        if need_exponent:
            base = like(exponent, np.asarray(base, y.array.dtype)) if isinstance(base, (int, float)) else base
            d_exponent = (grad * (y * base.log())).masked_fill((base == 0) & (exponent >= 0), 0.0)
        return d_base, d_exponent


@method(in_place=True)
def pow(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input to the power of exponent, with broadcasting; either may be a number.

    Gradient:
        exponent * input^(exponent - 1) for input, 0 where the exponent is 0;
        input^exponent * log(input) for the exponent, 0 where input is 0 and the exponent not negative.

    Raises:
        RuntimeError: integers and a negative whole number as exponent.

    Source: torch.pow.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.pow(lenet.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 4., 9.])
        >>> 2 ** lenet.tensor([0.0, 1.0])
        tensor([1., 2.])
    """
    return Pow.apply(number(input), number(exponent))


@method(in_place=True)
def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """`pow` in float64. Source: torch.float_power.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.float_power(lenet.tensor([2]), -1)
        tensor([0.5000], dtype=torch.float64)
    """
    wide = [x.double() if isinstance(x, Variable) else float(x) for x in (input, exponent)]
    return Pow.apply(*wide)


@method(in_place=True)
def square(input: Tensor) -> Tensor:
    """x * x. Gradient: 2x. Source: torch.square.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.square(lenet.tensor([-1.0, 3.0]))
        tensor([1., 9.])
    """
    return Pow.apply(input, 2)


class Sqrt(Curve):
    formula = "y = √x"
    keeps_result = True
    curve = staticmethod(np.sqrt)
    slope = staticmethod(lambda grad, y: grad / (2 * y))


@method(in_place=True)
def sqrt(input: Tensor) -> Tensor:
    """Square root, NaN below 0.

    Gradient:
        1 / (2 sqrt(x)); inf at 0.

    Source: torch.sqrt.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.sqrt(lenet.tensor([4.0, 2.0]))
        tensor([2.0000, 1.4142])
    """
    return Sqrt.apply(input)


class Rsqrt(Curve):
    formula = "y = 1 / √x"
    keeps_result = True
    curve = staticmethod(lambda x: 1 / np.sqrt(x))
    slope = staticmethod(lambda grad, y: -0.5 * grad * (y * y * y))


@method(in_place=True)
def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(x), inf at 0. Gradient: -x^(-3/2) / 2. Source: torch.rsqrt.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.rsqrt(lenet.tensor([4.0, 1.0]))
        tensor([0.5000, 1.0000])
    """
    return Rsqrt.apply(input)


class Reciprocal(Curve):
    formula = "y = 1 / x"
    keeps_result = True
    curve = staticmethod(lambda x: 1 / x)
    slope = staticmethod(lambda grad, y: -grad * (y * y))


@method(in_place=True)
def reciprocal(input: Tensor) -> Tensor:
    """1 / x. Gradient: -1 / x^2. Source: torch.reciprocal.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.reciprocal(lenet.tensor([4.0, -2.0]))
        tensor([ 0.2500, -0.5000])
    """
    return Reciprocal.apply(input)


class Hypot(Op):
    saves = ("a", "b", "result")
    formula = "y = √(a² + b²)"
    gradient = ("d_a = grad · a / y", "d_b = grad · b / y")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        y = np.hypot(a, b)
        need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_a else None, b if need_b else None, y)
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        a, b, y = ctx.saved
        return None if a is None else grad * (a / y), None if b is None else grad * (b / y)


@method(in_place=True)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input^2 + other^2) without overflow.

    Gradient:
        input / result and other / result; NaN where both are 0.

    Source: torch.hypot.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.hypot(lenet.tensor([3.0]), lenet.tensor([4.0]))
        tensor([5.])
    """
    if promote_types(from_numpy_dtype(input.array.dtype), from_numpy_dtype(other.array.dtype)).is_floating_point:
        return Hypot.apply(input, other)
    raise NotImplementedError(f"hypot: not implemented for {input.dtype}; convert to float first")
