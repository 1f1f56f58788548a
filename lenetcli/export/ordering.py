"""Values in order along a dimension, and running sums, as ONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.graph import FLOAT, INDEX, Builder, Growing, Value, lowers
from lenetcli.ops.operands import axis
from lenetcli.ops.reduction.cumsum import Cumsum


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


@lowers(Cumsum, any_batch=True)
def cumsum(b: Builder, x: Value, dim: int) -> Any:
    kind = b.out.kind
    if not x.ndim:
        return b.cast(x, kind)
    if kind != FLOAT:  # readers take other types for floats
        return b.cast(b.add("CumSum", b.cast(x, FLOAT), np.array(dim, INDEX)), kind, FLOAT)
    return b.add("CumSum", b.cast(x, kind), np.array(dim, INDEX))
