"""Values in order along a dimension, and running sums, as ONNX's operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.graph import FLOAT, INDEX, Builder, Growing, Value, fixed, lowers
from lenetcli.ops.operands import axis
from lenetcli.ops.reduction.cumsum import Cumsum
from lenetcli.ops.reduction.max import Median, MedianAll


def _ordered(b: Builder, x: Value, dim: int, count: int, descending: bool) -> Any:
    """The first ones and where they are; among equals the first come first."""
    if isinstance(count, Growing):
        raise b.refusal("it puts samples in order; give their number with --batch")
    if x.kind == np.bool_:
        raise b.refusal("it puts booleans in order; convert them first")
    return b.add(
        "TopK", x, np.array([count], INDEX), outputs=2, axis=axis(dim, x.ndim), largest=int(descending), sorted=1
    )


def _check(b: Builder, x: Value) -> None:
    if not x.ndim:
        raise b.refusal("it is of a number without dimensions")


@lowers(lenet.sort, any_batch=True)
def sort(b: Builder, input: Value, dim: int, descending: bool) -> Any:
    _check(b, input)
    return _ordered(b, input, dim, input.shape[axis(dim, input.ndim)], descending)


@lowers(lenet.argsort, any_batch=True)
def argsort(b: Builder, input: Value, dim: int, descending: bool) -> Any:
    _check(b, input)
    return _ordered(b, input, dim, input.shape[axis(dim, input.ndim)], descending)[1]


@lowers(lenet.topk, any_batch=True)
def topk(b: Builder, input: Value, k: int, dim: int, largest: bool) -> Any:
    _check(b, input)
    return _ordered(b, input, dim, k, largest)


@lowers(lenet.kthvalue, any_batch=True)
def kthvalue(b: Builder, input: Value, k: int, dim: int, keepdim: bool) -> Any:
    return _ranked(b, input, dim, k - 1, keepdim)


@lowers(Median, any_batch=True)
def median(b: Builder, x: Value, dim: int, keepdim: bool) -> Any:
    _check(b, x)
    size = x.shape[dim]
    if isinstance(size, Growing):
        raise b.refusal("it puts samples in order; give their number with --batch")
    rank = (size - 1) // 2
    place = np.array([rank] if keepdim else rank, INDEX)
    return tuple(b.add("Gather", part, place, axis=dim) for part in _ordered(b, x, dim, size, False))


@lowers(MedianAll, any_batch=True)
def median_of_all(b: Builder, x: Value) -> Any:
    _check(b, x)
    size = math.prod(x.shape)
    if not fixed(x.shape):
        raise b.refusal("it puts samples in order; give their number with --batch")
    flat = Value(b.add("Reshape", x, np.array([-1], INDEX)), (size,), x.kind)
    return b.add("Gather", _ordered(b, flat, 0, size, False)[0], np.array((size - 1) // 2, INDEX), axis=0)


def _ranked(b: Builder, x: Value, dim: int, rank: int, keepdim: bool) -> Any:
    """The value of a rank; where it is, is not said: of equals others may be named."""
    _check(b, x)
    along = axis(dim, x.ndim)
    if isinstance(x.shape[along], Growing):
        raise b.refusal("it puts samples in order; give their number with --batch")
    first = _ordered(b, x, along, rank + 1, False)[0]
    return b.add("Gather", first, np.array([rank] if keepdim else rank, INDEX), axis=along), None


@lowers(Cumsum, any_batch=True)
def cumsum(b: Builder, x: Value, dim: int) -> Any:
    kind = b.out.kind
    if not x.ndim:
        return b.cast(x, kind)
    if kind != FLOAT:  # readers take other types for floats
        return b.cast(b.add("CumSum", b.cast(x, FLOAT), np.array(dim, INDEX)), kind, FLOAT)
    return b.add("CumSum", b.cast(x, kind), np.array(dim, INDEX))
