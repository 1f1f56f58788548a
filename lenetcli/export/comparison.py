"""Comparisons and logic, as ONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.autograd.dtypes import result_type
from lenetcli.export.graph import FLOAT, INDEX, TRUTH, Array, Builder, Value, lowers

COMPARED = {"eq": "Equal", "ne": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}


def _type_of(x: Any) -> Any:
    return np.empty((1,) * x.ndim, x.kind) if isinstance(x, Value) else x


@lowers(lenet.eq, lenet.ne, lenet.lt, lenet.le, lenet.gt, lenet.ge, any_batch=True)
def compared(b: Builder, input: Any, other: Any) -> Any:
    kind = result_type(_type_of(input), _type_of(other))
    if kind == np.bool_ and b.op not in ("eq", "ne"):
        kind = INDEX
    found = b.add(COMPARED[b.op], b.cast(input, kind), b.cast(other, kind))
    return b.add("Not", found) if b.op == "ne" else found


@lowers(lenet.isnan, any_batch=True)
def isnan(b: Builder, input: Value) -> Any:
    return b.add("IsNaN", b.cast(input, FLOAT))


@lowers(lenet.isinf, any_batch=True)
def isinf(b: Builder, input: Value) -> Any:
    return b.add("IsInf", b.cast(input, FLOAT))


@lowers(lenet.isfinite, any_batch=True)
def isfinite(b: Builder, input: Value) -> Any:
    x = b.cast(input, FLOAT)
    return b.add("Not", b.add("Or", b.add("IsNaN", x), b.add("IsInf", x)))


@lowers(lenet.isclose, any_batch=True)
def isclose(b: Builder, input: Value, other: Value, rtol: float, atol: float, equal_nan: bool) -> Any:
    x, y = b.cast(input, FLOAT), b.cast(other, FLOAT)
    room = b.add("Add", b.add("Mul", b.add("Abs", y), np.array(rtol, FLOAT)), np.array(atol, FLOAT))
    apart = b.add("Abs", b.add("Sub", x, y))
    near = b.add("And", b.add("LessOrEqual", apart, room), b.add("Not", b.add("IsInf", y)))
    found = b.add("Or", near, b.add("Equal", x, y))
    return b.add("Or", found, b.add("And", b.add("IsNaN", x), b.add("IsNaN", y))) if equal_nan else found


LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}


@lowers(lenet.logical_and, lenet.logical_or, lenet.logical_xor, any_batch=True)
def logical(b: Builder, input: Value, other: Value) -> Any:
    return b.add(LOGIC[b.op.removeprefix("logical_")], b.cast(input, TRUTH), b.cast(other, TRUTH))


@lowers(lenet.logical_not, any_batch=True)
def logical_not(b: Builder, input: Value) -> Any:
    return b.add("Not", b.cast(input, TRUTH))


@lowers(lenet.bitwise_and, lenet.bitwise_or, lenet.bitwise_xor, any_batch=True)
def bitwise(b: Builder, input: Any, other: Any) -> Any:
    if b.out.kind != np.bool_:
        raise b.refusal(f"{b.op} of integers; of booleans it can be")
    return b.add(LOGIC[b.op.removeprefix("bitwise_")], b.cast(input, TRUTH), b.cast(other, TRUTH))


@lowers(lenet.bitwise_not, any_batch=True)
def bitwise_not(b: Builder, input: Value) -> Any:
    if b.out.kind != np.bool_:
        raise b.refusal(f"{b.op} of integers; of booleans it can be")
    return b.add("Not", input)


@lowers(lenet.allclose, lenet.equal)
def one_answer(b: Builder) -> Array:
    raise b.refusal("it gives Python a condition")  # the trace has refused it before
