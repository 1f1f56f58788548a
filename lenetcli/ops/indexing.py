"""Reading and writing parts of a tensor: x[...] and x[...] = y."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.variable import Variable
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


def plain(index: Any) -> Any:
    """An index as NumPy takes it: tensors become arrays, lists become arrays."""
    if isinstance(index, tuple):
        return tuple(plain(i) for i in index)
    if isinstance(index, Variable):
        return index.array
    return np.asarray(index) if isinstance(index, list) else index


def is_basic(index: Any) -> bool:
    """True for integers, slices, None and ...: NumPy and torch give a view for these."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or isinstance(p, slice)
        or (isinstance(p, (int, np.integer)) and p is not True and p is not False)
        for p in parts
    )


class Slice(Op):
    is_view = True

    @staticmethod
    def forward(ctx: Any, x: Array, *, at: Any) -> Array:
        ctx.at, ctx.x = at, np.broadcast_to(x.dtype.type(0), x.shape)
        return x[at]

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros_like(grad, shape=ctx.x.shape)
        d_x[ctx.at] = grad
        return d_x


class Index(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, *, at: Any) -> Array:
        ctx.at, ctx.shape = at, x.shape
        return np.asarray(x[at])

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        d_x = np.zeros_like(grad, shape=ctx.shape)
        np.add.at(d_x, ctx.at, grad)
        return d_x


@method
def index(input: Tensor, at: Any) -> Tensor:
    """What `x[at]` gives: a view for integers, slices, None and `...`; a copy for tensors, lists and masks."""
    at = plain(at)
    return (Slice if is_basic(at) else Index).apply(input, at=at)


class IndexPut(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, value: Any, *, at: Any) -> Array:
        ctx.at = at
        y = x.copy(order="K")
        y[at] = value
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        d_x = grad.copy(order="K")
        d_x[ctx.at] = 0
        return d_x, grad[ctx.at]


def index_put(input: Tensor, at: Any, value: Any) -> Tensor:
    """A copy of `input` with `value` at an index; `x[at] = value` writes it back into `x`."""
    return IndexPut.apply(input, value, at=plain(at))
