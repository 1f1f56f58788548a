"""Products of vectors and matrices, as ONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.graph import FLOAT, INDEX, Builder, Value, lowers
from lenetcli.nn import functional as F
from lenetcli.ops.linalg import bmm, dot, mm
from lenetcli.ops.nn.distance import CosineSimilarity
from lenetcli.ops.nn.linear import Trilinear


@lowers(F.linear, any_batch=True)
def linear(b: Builder, input: Value, weight: Value, bias: Value | None) -> Any:
    """Gemm of rows; a product with the turned weight of more dimensions."""
    if input.ndim == 2 and weight.ndim == 2 and (bias is None or bias.kind == FLOAT):
        return b.add("Gemm", input, weight, bias, transB=1)
    name = b.add("MatMul", input, turned(b, weight))
    return name if bias is None else b.add("Add", name, bias)


def turned(b: Builder, x: Value) -> Any:
    """The transpose of a matrix."""
    if x.ndim < 2:
        return x
    if x.array is None:
        return b.add("Transpose", x, perm=(1, 0))
    b.check_type(x)
    return b.constant(x.array.T)


@lowers(lenet.matmul, any_batch=True)
def matmul(b: Builder, input: Value, other: Value) -> Any:
    return b.add("MatMul", input, other)


@lowers(mm.Mm, bmm.Bmm, dot.Dot, dot.Vdot, dot.Mv, any_batch=True)
def product(b: Builder, a: Value, b_: Value) -> Any:
    return b.add("MatMul", a, b_)


@lowers(mm.Addmm, any_batch=True)
def addmm(b: Builder, c: Any, a: Value, b_: Value, beta: float, alpha: float) -> Any:
    """Gemm, of floats; the weight of a layer as it stands, where it came turned."""
    if b.out.kind != FLOAT:
        return _added(b, c, b.add("MatMul", a, b_), beta, alpha)
    factors = {"alpha": float(alpha)} if alpha != 1 else {}
    factors |= {"beta": float(beta)} if beta != 1 else {}
    if beta == 0:
        c, factors = None, {name: value for name, value in factors.items() if name != "beta"}
    if b_.array is not None and b.constant(b_.array.T).name:
        return b.add("Gemm", a, b.constant(b_.array.T), c, transB=1, **factors)
    return b.add("Gemm", a, b_, c, transB=0, **factors)


@lowers(bmm.Baddbmm, dot.Addmv, any_batch=True)
def added_product(b: Builder, c: Value, a: Value, b_: Value, beta: float, alpha: float) -> Any:
    return _added(b, c, b.add("MatMul", a, b_), beta, alpha)


@lowers(bmm.Addbmm, any_batch=True)
def addbmm(b: Builder, c: Value, a: Value, b_: Value, beta: float, alpha: float) -> Any:
    total = b.add("ReduceSum", b.add("MatMul", a, b_), np.array([0], INDEX), keepdims=0)
    return _added(b, c, total, beta, alpha)


@lowers(dot.Addr, any_batch=True)
def addr(b: Builder, c: Value, a: Value, b_: Value, beta: float, alpha: float) -> Any:
    kind = b.out.kind
    column = b.add("Reshape", b.cast(a, kind), b.sizes(a.shape[0], 1))
    return _added(b, b.cast(c, kind), b.add("Mul", column, b.cast(b_, kind)), beta, alpha)


def _added(b: Builder, c: Any, y: str, beta: float, alpha: float) -> Any:
    if alpha != 1:
        y = b.add("Mul", y, np.array(alpha, b.out.kind))
    if beta == 0:
        return y
    return b.add("Add", y, c if beta == 1 else b.add("Mul", c, np.array(beta, b.out.kind)))


@lowers(Trilinear)
def trilinear(b: Builder, x1: Value, weight: Value, x2: Value) -> Any:
    """(N, I), (O, I, J), (N, J) -> (N, O)."""
    o, i, j = weight.shape
    if weight.array is None:
        raise b.refusal("its weight depends on the input")
    rows = b.add("MatMul", x1, np.ascontiguousarray(weight.array.transpose(1, 0, 2).reshape(i, o * j)))
    half = b.add("Reshape", rows, np.array([0, o, j]))
    beside = b.add("Reshape", x2, np.array([0, 1, j]))
    return b.add("ReduceSum", b.add("Mul", half, beside), np.array([2]), keepdims=0)


@lowers(CosineSimilarity, any_batch=True)
def cosine_similarity(b: Builder, a: Value, b_: Value, dim: int, eps: float) -> Any:
    """The product of both, each divided by its length."""
    ndim = max(a.ndim, b_.ndim)
    axes = np.array([dim % max(ndim, 1)], INDEX)
    if not ndim or a.ndim != b_.ndim:
        raise b.refusal("its operands have different numbers of dimensions")
    units = []
    longest = max(a.shape[axes[0]], b_.shape[axes[0]])
    for given in (a, b_):
        x: Any = given
        if given.shape[axes[0]] != longest:
            x = b.add("Expand", given, b.sizes(*given.shape[: axes[0]], longest, *given.shape[axes[0] + 1 :]))
        length = b.add("Sqrt", b.add("ReduceSum", b.add("Mul", x, x), axes, keepdims=1))
        units.append(b.add("Div", x, b.add("Max", length, np.array(eps, FLOAT))))
    return b.add("ReduceSum", b.add("Mul", *units), axes, keepdims=0)
