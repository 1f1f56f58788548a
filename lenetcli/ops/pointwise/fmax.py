"""Functions of two numbers: maxima that pass by NaN, signs, steps, neighbours, divisors, sums of exponentials."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import arithmetic
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import both_floating, quiet, together, wanted_tensors
from lenetcli.ops.pointwise.add import mul
from lenetcli.ops.pointwise.pow import pow

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class _Fittest(Op):
    backward_graph = arithmetic
    choose: ClassVar[Any]
    wins: ClassVar[Any]  # whether the first is chosen

    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        ctx.save(a, b)
        return as_array(ctx.choose(a, b))

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        first = ctx.wins(a, b) | np.isnan(b)
        zero = grad.dtype.type(0)
        return np.where(first, grad, zero), np.where(first, zero, grad)


class Fmax(_Fittest):
    formula = "y = max(a, b), NaN beside a number not counting"
    gradient = ("d_a = grad where a is not less", "d_b = grad where a is less")
    choose, wins = np.fmax, operator.ge


class Fmin(_Fittest):
    formula = "y = min(a, b), NaN beside a number not counting"
    gradient = ("d_a = grad where a is not more", "d_b = grad where a is more")
    choose, wins = np.fmin, operator.le


@method
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The greater of two, with broadcasting; of a number and NaN the number.

    Gradient:
        To the greater one; to input where they are equal, unlike `maximum`'s.

    Source: torch.fmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.fmax(lenet.tensor([1.0, float("nan")]), lenet.tensor([3.0]))
        tensor([3., 3.])
    """
    wanted_tensors("fmax", input, other)
    return Fmax.apply(input, other)


@method
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two, with broadcasting; of a number and NaN the number.

    Gradient:
        To the smaller one; to input where they are equal, unlike `minimum`'s.

    Source: torch.fmin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.fmin(lenet.tensor([1.0, float("nan")]), lenet.tensor([3.0]))
        tensor([1., 3.])
    """
    wanted_tensors("fmin", input, other)
    return Fmin.apply(input, other)


class Copysign(Op):
    formula = "y = |a| with the sign of b"
    gradient = ("d_a = grad · y / a, 0 at 0", "d_b = 0")
    backward_graph = arithmetic

    @quiet
    def forward(ctx: Any, a: Array, b: Any) -> Array:
        a, b = both_floating(a, b)
        flips = np.where(np.signbit(a) == np.signbit(b), a.dtype.type(1), a.dtype.type(-1))
        ctx.save(np.where(a == 0, a.dtype.type(0), flips))
        return as_array(np.copysign(a, b))

    def backward(ctx: Any, grad: Array) -> Any:
        (flips,) = ctx.saved
        return grad * flips, np.zeros_like(grad)

    saves = (None,)


@method(in_place=True)
def copysign(input: Tensor, other: Tensor | float) -> Tensor:
    """The size of input with the sign of other, that of -0.0 and NaN, too.

    Gradient:
        1 where the sign stays, -1 where it changes, 0 at 0; 0 for other.

    Source: torch.copysign.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.copysign(lenet.tensor([1.0, -2.0]), lenet.tensor([-0.0, 3.0]))
        tensor([-1.,  2.])
    """
    wanted_tensors("copysign", input)
    return Copysign.apply(input, other)


class _SumOfPowers(Op):
    backward_graph = arithmetic
    add_up: ClassVar[Any]
    unit: ClassVar[float] = 1.0  # the logarithm of the base

    @quiet
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        ctx.save(a, b)
        return as_array(ctx.add_up(a, b))

    @quiet
    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return grad / (1 + np.exp((b - a) * ctx.unit)), grad / (1 + np.exp((a - b) * ctx.unit))


class Logaddexp(_SumOfPowers):
    formula = "y = log(e^a + e^b)"
    gradient = ("d_a = grad / (1 + e^(b − a))", "d_b = grad / (1 + e^(a − b))")
    add_up = np.logaddexp


class Logaddexp2(_SumOfPowers):
    formula = "y = log₂(2^a + 2^b)"
    gradient = ("d_a = grad / (1 + 2^(b − a))", "d_b = grad / (1 + 2^(a − b))")
    add_up, unit = np.logaddexp2, math.log(2)


def _floats(name: str, *operands: Any) -> None:
    wanted_tensors(name, *operands)
    for x in operands:
        if x.array.dtype.kind != "f":
            raise NotImplementedError(f"{name}: not implemented for {x.dtype}; call float() first")


@method
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)), which does not overflow.

    Raises:
        NotImplementedError: integers.

    Source: torch.logaddexp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logaddexp(lenet.tensor([0.0, 1000.0]), lenet.tensor([0.0]))
        tensor([6.9315e-01, 1.0000e+03])
    """
    _floats("logaddexp", input, other)
    return Logaddexp.apply(input, other)


@method
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^input + 2^other), which does not overflow.

    Raises:
        NotImplementedError: integers.

    Source: torch.logaddexp2.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logaddexp2(lenet.tensor([0.0]), lenet.tensor([0.0]))
        tensor([1.])
    """
    _floats("logaddexp2", input, other)
    return Logaddexp2.apply(input, other)


@method(in_place=True)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other. Source: torch.ldexp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ldexp(lenet.tensor([1.0, 3.0]), lenet.tensor([2, -1]))
        tensor([4.0000, 1.5000])
    """
    wanted_tensors("ldexp", input, other)
    return mul(input, pow(2.0, other))


class Heaviside(Op):
    formula = "y = 0 below 0, 1 above, b at 0"
    gradient = ("d_a = none, backward refuses", "d_b = none, backward refuses")

    def forward(ctx: Any, a: Array, b: Array) -> Array:
        zero, one = a.dtype.type(0), a.dtype.type(1)
        return np.where(a == 0, b, np.where((a < 0) | (a != a), zero, one)).astype(a.dtype)

    def backward(ctx: Any, grad: Array) -> Any:
        raise NotImplementedError("heaviside: the derivative for aten::heaviside is not implemented")


@method(in_place=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """The step function: 0 below 0 (and at NaN), 1 above, `values` at 0.

    Gradient:
        None, as in torch: backward refuses.

    Raises:
        RuntimeError: types that differ.

    Source: torch.heaviside.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.heaviside(lenet.tensor([-1.5, 0.0, 2.0]), lenet.tensor(0.5))
        tensor([0.0000, 0.5000, 1.0000])
    """
    wanted_tensors("heaviside", input, values)
    if input.array.dtype != values.array.dtype:
        raise RuntimeError(
            f"heaviside is not yet implemented for tensors with different dtypes: {input.dtype}, {values.dtype}"
        )
    return Heaviside.apply(input, values)


class Nextafter(Op):
    formula = "y = the number next to a on the way to b"
    gradient = ("d_a = grad, 0 where a is b", "d_b = 0")
    backward_graph = arithmetic

    def forward(ctx: Any, a: Array, b: Array) -> Array:
        a, b = together(a, b)
        ctx.save(a, b)
        return as_array(np.nextafter(a, b))

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return np.where(a == b, grad.dtype.type(0), grad), np.zeros_like(grad)


@method(in_place=True)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number of its type towards other. Source: torch.nextafter.

    Gradient:
        That of input, 0 where it is other already; 0 for other.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nextafter(lenet.tensor([1.0]), lenet.tensor([2.0])) - 1 == lenet.finfo(lenet.float32).eps
        tensor([True])
    """
    _floats("nextafter", input, other)
    return Nextafter.apply(input, other)


def _of_integers(function: Any, input: Any, other: Any) -> Any:
    wanted_tensors(function.__name__, input, other)
    a, b = together(input.array, other.array)
    if a.dtype.kind not in "iu":
        raise NotImplementedError(f"{function.__name__}: wanted integers, got {a.dtype}")
    return like(input, as_array(function(a, b)))


@method(in_place=True)
@whole
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor, with gcd(0, 0) = 0. Source: torch.gcd.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.gcd(lenet.tensor([12, 7]), lenet.tensor([18, 21]))
        tensor([6, 7])
    """
    return _of_integers(np.gcd, input, other)


@method(in_place=True)
@whole
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple. Source: torch.lcm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.lcm(lenet.tensor([4, 7]), lenet.tensor([6, 21]))
        tensor([12, 21])
    """
    return _of_integers(np.lcm, input, other)


def _told(function: Any, input: Any) -> Any:
    """A question about each number, which integers answer, too."""
    x = input.array if isinstance(input, Variable) else input
    return like(input, as_array(function(x)))


@method
@whole
def signbit(input: Tensor) -> Tensor:
    """Where the sign bit is set: of -0.0, too. Source: torch.signbit.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.signbit(lenet.tensor([1.0, -0.0]))
        tensor([False,  True])
    """
    wanted_tensors("signbit", input)
    return _told(lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0, input)


@method
@whole
def isposinf(input: Tensor) -> Tensor:
    """Where the value is inf. Source: torch.isposinf.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isposinf(lenet.tensor([1.0, float("inf")]))
        tensor([False,  True])
    """
    wanted_tensors("isposinf", input)
    return _told(lambda x: x == np.inf, input)


@method
@whole
def isneginf(input: Tensor) -> Tensor:
    """Where the value is -inf. Source: torch.isneginf.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isneginf(lenet.tensor([1.0, -float("inf")]))
        tensor([False,  True])
    """
    wanted_tensors("isneginf", input)
    return _told(lambda x: x == -np.inf, input)
