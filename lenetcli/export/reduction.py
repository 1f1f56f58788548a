"""Reductions over dimensions, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.graph import FLOAT, INDEX, TRUTH, Builder, Value, fixed, lowers
from lenetcli.ops.operands import axes
from lenetcli.ops.reduction import max as extremes
from lenetcli.ops.reduction import norm, sum, var

Over = tuple[int, ...]


def reduced(b: Builder, op: str, x: Any, over: Over, keepdim: bool) -> Any:
    """One of ONNX's reductions; of no dimension the value itself."""
    return b.add(op, x, np.array(over, INDEX), keepdims=int(keepdim)) if over else x


@lowers(sum.Sum, any_batch=True)
def sum_(b: Builder, x: Value, over: Over, keepdim: bool) -> Any:
    return reduced(b, "ReduceSum", b.cast(x, b.out.kind), over, keepdim)


@lowers(lenet.nansum, any_batch=True)
def nansum(b: Builder, input: Value, dim: Any, keepdim: bool) -> Any:
    x, kind = b.cast(input, b.out.kind), b.out.kind
    if kind.kind == "f":
        x = b.add("Where", b.add("IsNaN", x), np.array(0, kind), x)
    return reduced(b, "ReduceSum", x, axes(dim, input.ndim), keepdim)


@lowers(sum.Mean, any_batch=True)
def mean(b: Builder, x: Value, over: Over, keepdim: bool) -> Any:
    """The mean of whole images has an operator of its own."""
    if keepdim and x.ndim > 2 and over == tuple(range(2, x.ndim)) and fixed(x.shape[1:]):
        return b.add("GlobalAveragePool", x)
    return reduced(b, "ReduceMean", x, over, keepdim)


@lowers(sum.Prod, any_batch=True)
def prod(b: Builder, x: Value, dim: int | None, keepdim: bool) -> Any:
    over = tuple(range(x.ndim)) if dim is None else (dim,)
    return reduced(b, "ReduceProd", b.cast(x, b.out.kind), over if x.ndim else (), keepdim)


@lowers(sum.Logsumexp, any_batch=True)
def logsumexp(b: Builder, x: Value, over: Over, keepdim: bool) -> Any:
    """From the largest, as the engine: not every runtime's own keeps large values finite."""
    given = b.cast(x, FLOAT)
    top = reduced(b, "ReduceMax", given, over, True)
    endless = b.add("IsInf", top)
    top = b.add("Where", endless, np.array(0, FLOAT), top)
    total = reduced(b, "ReduceSum", b.add("Exp", b.add("Sub", given, top)), over, True)
    return flattened(b, b.add("Add", b.add("Log", total), top), keepdim)


def flattened(b: Builder, name: Any, keepdim: bool) -> Any:
    """Without the dimensions of size 1 that were kept."""
    return name if keepdim else b.add("Reshape", name, b.sizes(*b.out.shape))


def _choice(op: str) -> Any:
    def lower(b: Builder, x: Value, over: Over, keepdim: bool) -> Any:
        if x.kind == np.bool_:
            return b.cast(reduced(b, op, b.cast(x, INDEX), over, keepdim), TRUTH, INDEX)
        return reduced(b, op, x, over, keepdim)

    return lower


lowers(extremes.Amax, extremes.MaxAll, any_batch=True)(_choice("ReduceMax"))
lowers(extremes.Amin, extremes.MinAll, any_batch=True)(_choice("ReduceMin"))


@lowers(extremes.Max, extremes.Min, any_batch=True)
def picked(b: Builder, x: Value, dim: int, keepdim: bool) -> Any:
    """The greatest along a dimension, and where it is."""
    given = b.cast(x, INDEX) if x.kind == np.bool_ else x
    over = (dim,) if x.ndim else ()
    value = reduced(b, f"Reduce{b.op}", given, over, keepdim)
    if not over:
        return value, np_index(b)
    at = b.add(f"Arg{b.op}", given, axis=dim, keepdims=int(keepdim))
    return b.cast(value, x.kind, INDEX) if x.kind == np.bool_ else value, at


def np_index(b: Builder) -> Value:
    """The place of a number without dimensions."""
    return Value("", (), INDEX, np.array(0, INDEX))


@lowers(extremes.Aminmax, any_batch=True)
def aminmax(b: Builder, x: Value, over: Over, keepdim: bool) -> Any:
    return reduced(b, "ReduceMin", x, over, keepdim), reduced(b, "ReduceMax", x, over, keepdim)


@lowers(lenet.argmax, lenet.argmin, any_batch=True)
def argmax(b: Builder, input: Value, dim: int | None, keepdim: bool) -> Any:
    x: Any = b.cast(input, INDEX) if input.kind == np.bool_ else input
    op = "ArgMax" if b.op == "argmax" else "ArgMin"
    if dim is not None and input.ndim:
        return b.add(op, x, axis=dim % input.ndim, keepdims=int(keepdim))
    found = b.add(op, b.add("Reshape", x, np.array([-1], INDEX)), axis=0, keepdims=0)
    return b.add("Reshape", found, b.sizes(*b.out.shape)) if b.out.shape else found


@lowers(lenet.any, lenet.all, any_batch=True)
def truth(b: Builder, input: Value, dim: Any, keepdim: bool) -> Any:
    over = axes(dim, input.ndim)
    numbers = b.cast(b.cast(input, TRUTH), INDEX, TRUTH)
    found = reduced(b, "ReduceMax" if b.op == "any" else "ReduceMin", numbers, over, keepdim)
    return b.cast(found, b.out.kind, INDEX)


@lowers(lenet.count_nonzero, any_batch=True)
def count_nonzero(b: Builder, input: Value, dim: Any) -> Any:
    numbers = b.cast(b.cast(input, TRUTH), INDEX, TRUTH)
    return reduced(b, "ReduceSum", numbers, axes(dim, input.ndim), False)


@lowers(var.Var, var.Std, var.VarMean, var.StdMean, any_batch=True)
def spread(b: Builder, x: Value, over: Over, correction: float, keepdim: bool) -> Any:
    if not over or not fixed([x.shape[i] for i in over]):
        raise b.refusal("the number of values that it runs over has to be known; give that of samples with --batch")
    count = math.prod(x.shape[i] for i in over)
    mean = reduced(b, "ReduceMean", x, over, True)
    beside = b.add("Sub", x, mean)
    total = reduced(b, "ReduceSum", b.add("Mul", beside, beside), over, keepdim)
    with np.errstate(divide="ignore"):
        share = np.float32(1) / np.float32(max(count - correction, 0))
    found = b.add("Mul", total, np.array(share, FLOAT))
    if b.op.startswith("Std"):
        found = b.add("Sqrt", found)
    return (found, reduced(b, "ReduceMean", x, over, keepdim)) if b.op.endswith("Mean") else found


@lowers(norm.LinalgVectorNorm, any_batch=True)
def vector_norm(b: Builder, x: Value, order: float, over: Over, keepdim: bool) -> Any:
    size = b.add("Abs", x)
    if order == 2:
        return b.add("Sqrt", reduced(b, "ReduceSum", b.add("Mul", x, x), over, keepdim))
    if math.isinf(order):
        return reduced(b, "ReduceMax" if order > 0 else "ReduceMin", size, over, keepdim)
    if order == 0:
        present = b.cast(b.cast(x, TRUTH), FLOAT, TRUTH)
        return reduced(b, "ReduceSum", present, over, keepdim)
    if order == 1:
        return reduced(b, "ReduceSum", size, over, keepdim)
    total = reduced(b, "ReduceSum", b.add("Pow", size, np.array(order, FLOAT)), over, keepdim)
    return b.add("Pow", total, np.array(1 / order, FLOAT))
