"""Functions of single elements, with broadcasting, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.export.graph import FLOAT, Builder, Value, fixed, lowers
from lenetcli.nn.hooks import BackwardHook
from lenetcli.ops.pointwise import add, clamp, clone, div, exp, fill_, pow, round, sin
from lenetcli.ops.shaping.reshape import Contiguous

CURVES = {
    "Exp", "Log", "Sqrt", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf",
    "Abs", "Sign", "Neg", "Reciprocal",
}  # ops that ONNX has under the same name  # fmt: skip


def _both(b: Builder, x: Any, y: Any) -> tuple[Any, Any]:
    """Both operands in the type of the result."""
    kind = b.out.kind
    if kind == np.bool_:
        raise b.refusal("it is of booleans; use logical ops or convert them first")
    return b.cast(x, kind), b.cast(y, kind)


@lowers(add.Add, add.Sub, any_batch=True)
def sum_(b: Builder, a: Any, b_: Any, alpha: float) -> Any:
    x, y = _both(b, a, b_)
    return b.add(b.op, x, y if alpha == 1 else b.add("Mul", y, np.array(alpha, b.out.kind)))


@lowers(add.Mul, any_batch=True)
def mul(b: Builder, a: Any, b_: Any) -> Any:
    return b.add("Mul", *_both(b, a, b_))


@lowers(div.Div, any_batch=True)
def quotient(b: Builder, a: Any, b_: Any) -> Any:
    return b.add("Div", *_both(b, a, b_))


@lowers(clamp.Maximum, clamp.Minimum, any_batch=True)
def extreme(b: Builder, a: Any, b_: Any) -> Any:
    return b.add("Max" if b.op == "Maximum" else "Min", *_both(b, a, b_))


@lowers(add.Addcmul, any_batch=True)
def addcmul(b: Builder, x: Any, a: Any, b_: Any, value: float) -> Any:
    kind = b.out.kind
    y, z = _both(b, a, b_)
    return b.add("Add", b.cast(x, kind), b.add("Mul", b.add("Mul", y, np.array(value, kind)), z))


@lowers(add.Addcdiv, any_batch=True)
def addcdiv(b: Builder, x: Any, a: Any, b_: Any, value: float) -> Any:
    kind = b.out.kind
    y, z = _both(b, a, b_)
    return b.add("Add", b.cast(x, kind), b.add("Div", b.add("Mul", y, np.array(value, kind)), z))


@lowers(add.Lerp, any_batch=True)
def lerp(b: Builder, start: Value, end: Value, weight: Any) -> Any:
    """From the nearer end."""
    span = b.add("Sub", end, start)
    from_start = b.add("Add", start, b.add("Mul", b.cast(weight, b.out.kind), span))
    if not isinstance(weight, Value) and abs(weight) < 0.5:
        return from_start
    rest = b.add("Sub", np.array(1, b.out.kind), b.cast(weight, b.out.kind))
    from_end = b.add("Sub", end, b.add("Mul", span, rest))
    if not isinstance(weight, Value):
        return from_end
    return b.add("Where", b.add("Less", b.add("Abs", weight), np.array(0.5, FLOAT)), from_start, from_end)


def _curve(b: Builder, x: Value) -> Any:
    return b.add(b.op, b.cast(x, b.out.kind))


for _module in (exp, sin, pow, add):
    lowers(*(vars(_module)[name] for name in CURVES if name in vars(_module)), any_batch=True)(_curve)


@lowers(exp.Expm1, any_batch=True)
def expm1(b: Builder, x: Value) -> Any:
    """2 t / (1 - t), t = tanh(x / 2), near 0, where exp(x) - 1 would lose digits."""
    x, one = b.cast(x, FLOAT), np.array(1, FLOAT)
    t = b.add("Tanh", b.add("Mul", x, np.array(0.5, FLOAT)))
    near = b.add("Div", b.add("Mul", t, np.array(2, FLOAT)), b.add("Sub", one, t))
    return b.add("Where", b.add("Less", b.add("Abs", x), one), near, b.add("Sub", b.add("Exp", x), one))


@lowers(exp.Log1p, any_batch=True)
def log1p(b: Builder, x: Value) -> Any:
    """log(u) x / (u - 1), u = 1 + x, near 0, and x itself where u is 1."""
    x, one = b.cast(x, FLOAT), np.array(1, FLOAT)
    u = b.add("Add", x, one)
    log = b.add("Log", u)
    near = b.add("Div", b.add("Mul", log, x), b.add("Sub", u, one))
    kept = b.add("Where", b.add("Equal", u, one), x, near)
    return b.add("Where", b.add("Less", b.add("Abs", x), one), kept, log)


@lowers(exp.Exp2, any_batch=True)
def exp2(b: Builder, x: Value) -> Any:
    return b.add("Pow", np.array(2, FLOAT), b.cast(x, FLOAT))


@lowers(exp.Log2, exp.Log10, any_batch=True)
def log_of_base(b: Builder, x: Value) -> Any:
    return b.add("Mul", b.add("Log", b.cast(x, FLOAT)), np.array(1 / math.log(2 if b.op == "Log2" else 10), FLOAT))


@lowers(exp.Erfc, any_batch=True)
def erfc(b: Builder, x: Value) -> Any:
    return b.add("Sub", np.array(1, FLOAT), b.add("Erf", b.cast(x, FLOAT)))


@lowers(exp.Logit, any_batch=True)
def logit(b: Builder, x: Value, eps: float | None) -> Any:
    x = b.cast(x, FLOAT)
    if eps is not None:
        x = b.add("Clip", x, np.array(eps, FLOAT), np.array(1 - np.float32(eps), FLOAT))
    return b.add("Log", b.add("Div", x, b.add("Sub", np.array(1, FLOAT), x)))


@lowers(exp.Xlogy, any_batch=True)
def xlogy(b: Builder, x: Any, y: Any) -> Any:
    first, second = _both(b, x, y)
    zero = np.array(0, FLOAT)
    found = b.add("Where", b.add("Equal", first, zero), zero, b.add("Mul", first, b.add("Log", second)))
    return b.add("Where", b.add("IsNaN", second), second, found) if isinstance(y, Value) else found


@lowers(pow.Rsqrt, any_batch=True)
def rsqrt(b: Builder, x: Value) -> Any:
    return b.add("Reciprocal", b.add("Sqrt", b.cast(x, FLOAT)))


@lowers(pow.Pow, any_batch=True)
def power(b: Builder, base: Any, exponent: Any) -> Any:
    kind = b.out.kind
    if not isinstance(exponent, Value):
        x = b.cast(base, kind)
        if exponent in (2, 3):
            square = b.add("Mul", x, x)
            return square if exponent == 2 else b.add("Mul", square, x)
        if kind.kind == "f" and exponent in (0.5, -0.5, -1):
            root = x if exponent == -1 else b.add("Sqrt", x)
            return root if exponent == 0.5 else b.add("Reciprocal", root)
    if kind.kind != "f" and (isinstance(exponent, Value) or exponent < 0):
        raise b.refusal("a power of integers may have a constant exponent from 0 on only")
    return b.add("Pow", *_both(b, base, exponent))


@lowers(pow.Hypot, any_batch=True)
def hypot(b: Builder, a: Value, b_: Value) -> Any:
    x, y = _both(b, a, b_)
    return b.add("Sqrt", b.add("Add", b.add("Mul", x, x), b.add("Mul", y, y)))


@lowers(sin.Atan2, any_batch=True)
def atan2(b: Builder, y: Value, x: Value) -> Any:
    """The angle of y / x, half a turn further where x is negative, a quarter where it is 0."""
    rise, run = _both(b, y, x)
    zero, pi = np.array(0, FLOAT), np.array(math.pi, FLOAT)
    angle = b.add("Atan", b.add("Div", rise, run))
    left = b.add("Where", b.add("Less", rise, zero), b.add("Sub", angle, pi), b.add("Add", angle, pi))
    found = b.add("Where", b.add("Less", run, zero), left, angle)
    upright = b.add("Mul", b.add("Sign", rise), np.array(math.pi / 2, FLOAT))
    return b.add("Where", b.add("Equal", run, zero), upright, found)


@lowers(clamp.Clamp, any_batch=True)
def clamp_(b: Builder, x: Value, low: Any, high: Any) -> Any:
    kind = b.out.kind
    given = b.cast(x, kind)
    if kind.kind == "f" and not any(isinstance(bound, Value) and bound.ndim for bound in (low, high)):
        bounds = [None if bound is None else b.cast(bound, kind) for bound in (low, high)]
        if not (low is not None and high is not None and not isinstance(low, Value) and low > high):
            return b.add("Clip", given, *bounds)
    for op, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            given = b.add(op, given, b.cast(bound, kind))
    return given


@lowers(clamp.Where, any_batch=True)
def where(b: Builder, condition: Value, a: Any, b_: Any) -> Any:
    if condition.kind != np.bool_:
        raise b.refusal(f"its condition is {condition.kind}; convert it with bool()")
    kind = b.out.kind
    return b.add("Where", condition, b.cast(a, kind), b.cast(b_, kind))


@lowers(clone.ToCopy, any_batch=True)
def converted(b: Builder, x: Value) -> Any:
    return b.cast(x, b.out.kind)


@lowers(clone.Clone, Contiguous, any_batch=True)
def copied(b: Builder, x: Value) -> Value:
    return x


@lowers(BackwardHook, any_batch=True)
def handed_through(b: Builder, arrays: list[Value]) -> tuple[Value, ...]:
    return tuple(arrays)


@lowers(fill_.Copy, fill_.Fill, any_batch=True)
def filled(b: Builder, x: Value, values: Any) -> Any:
    shape = x.shape
    found = b.cast(values, b.out.kind)
    if isinstance(values, Value) and values.shape == shape and fixed(shape) == fixed(values.shape):
        return found
    return b.add("Expand", found, b.sizes(*shape)) if shape else found


def truncated(b: Builder, x: Any) -> Any:
    """Towards 0."""
    return b.add("Mul", b.add("Sign", x), b.add("Floor", b.add("Abs", x)))


@lowers(round.Floor, round.Ceil, round.Round, any_batch=True)
def rounded(b: Builder, x: Value) -> Any:
    return x if x.kind.kind != "f" else b.add(b.op, x)


@lowers(round.Trunc, any_batch=True)
def trunc(b: Builder, x: Value) -> Any:
    return x if x.kind.kind != "f" else truncated(b, x)


@lowers(round.Frac, any_batch=True)
def frac(b: Builder, x: Value) -> Any:
    return b.add("Sub", x, truncated(b, x))


@lowers(round.RoundDecimals, any_batch=True)
def round_decimals(b: Builder, x: Value, decimals: int) -> Any:
    factor = np.array(10.0 ** abs(decimals), FLOAT)
    there, back = ("Mul", "Div") if decimals > 0 else ("Div", "Mul")
    return b.add(back, b.add("Round", b.add(there, x, factor)), factor)


@lowers(div.Fmod, any_batch=True)
def fmod(b: Builder, a: Any, b_: Any) -> Any:
    return b.add("Mod", *_both(b, a, b_), fmod=1)


@lowers(div.Remainder, any_batch=True)
def remainder(b: Builder, a: Any, b_: Any) -> Any:
    x, y = _both(b, a, b_)
    return b.add("Mod", x, y, fmod=0) if b.out.kind.kind != "f" else _modulo(b, x, y)


def _modulo(b: Builder, x: Any, y: Any) -> Any:
    """The rest that has the divisor's sign."""
    rest = b.add("Mod", x, y, fmod=1)
    return b.add("Where", _other_sign(b, rest, y), b.add("Add", rest, y), rest)


def _other_sign(b: Builder, rest: Any, y: Any) -> Any:
    return b.add("Less", b.add("Mul", b.add("Sign", rest), b.add("Sign", y)), np.array(0, FLOAT))


@lowers(div.FloorDivide, any_batch=True)
def floor_divide(b: Builder, a: Any, b_: Any) -> Any:
    """(x - rest) / y, which is whole but for rounding: x / y itself may be rounded up to a whole number."""
    x, y = _both(b, a, b_)
    if b.out.kind.kind != "f":
        return b.add("Div", b.add("Sub", x, b.add("Mod", x, y, fmod=0)), y)
    whole = b.add("Round", b.add("Div", b.add("Sub", x, _modulo(b, x, y)), y))
    beside = b.add("IsNaN", whole)
    return b.add("Where", beside, b.add("Div", x, y), whole)


@lowers(div.RoundedDiv, any_batch=True)
def rounded_quotient(b: Builder, a: Any, b_: Any, down: bool) -> Any:
    if down:
        return floor_divide(b, a, b_)
    x, y = _both(b, a, b_)
    return b.add("Div", x, y) if b.out.kind.kind != "f" else truncated(b, b.add("Div", x, y))
