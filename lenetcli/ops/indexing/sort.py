"""Elements in order along a dimension, and those at a rank: sort, topk, kthvalue, mode, quantiles.

NaN counts as greater than every number, as in torch. Among equal elements the first ones come first (torch promises
that of stable sorts only), but for `kthvalue`, which takes the one that torch takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import like
from lenetcli.kernels.device import on_device
from lenetcli.kernels.layout import Array
from lenetcli.kernels.quickselect import kth_place
from lenetcli.kernels.scan import running
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, wanted_tensors
from lenetcli.ops.reduction.max import Pick, refuse_empty
from lenetcli.ops.return_types import values_and_indices

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

SortResult = values_and_indices("sort")
TopkResult = values_and_indices("topk")
KthvalueResult = values_and_indices("kthvalue")
ModeResult = values_and_indices("mode")


class Sort(Pick):
    formula = "y = the elements of x in order along dimension {dim}"
    gradient = ("d_x = grad back at the place each element came from",)


class Topk(Pick):
    formula = "y = the elements at one end of the order of x along dimension {dim}"
    gradient = ("d_x = grad at the elements taken, else 0",)


class Kthvalue(Pick):
    formula = "y = the element of x at its place in order along dimension {dim}"
    gradient = ("d_x = grad at that element, else 0",)


class Mode(Pick):
    formula = "y = the most frequent value of x along dimension {dim}"
    gradient = ("d_x = grad at the element whose index was given, else 0",)


def order(x: Array, dim: int, descending: bool = False) -> Array:
    """Indices that sort x along an axis; equal elements stay in their order."""
    if not x.ndim:
        return np.zeros((), np.int64, like=x)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable").astype(np.int64, copy=False)
    backwards = np.argsort(np.flip(x, dim), axis=dim, kind="stable").astype(np.int64, copy=False)
    return x.shape[dim] - 1 - np.flip(backwards, dim)


@method
@whole
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along a dimension, as (values, indices).

    Args:
        stable: equal elements stay in their order; they do so anyway.

    Gradient:
        To the element that went to each place.

    Raises:
        IndexError: dim out of range.

    Source: torch.sort.

    Example:
        >>> import lenetcli as lenet
        >>> values, indices = lenet.sort(lenet.tensor([3.0, 1.0, 2.0]))
        >>> values, indices
        (tensor([1., 2., 3.]), tensor([1, 2, 0]))
    """
    wanted_tensors("sort", input)
    along = axis(dim, input.array.ndim)
    return SortResult(*Sort.apply(input, at=order(input.array, along, descending), dim=along, keepdim=True))


@method
@whole
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Indices that put the elements in order along a dimension: those of `sort`. Source: torch.argsort.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.argsort(lenet.tensor([3.0, 1.0, 2.0]), descending=True)
        tensor([0, 2, 1])
    """
    wanted_tensors("argsort", input)
    return like(input, order(input.array, axis(dim, input.array.ndim), descending))


@method
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension: `sort(input, 0).values`. Source: torch.msort.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.msort(lenet.tensor([[3.0, 1.0], [2.0, 4.0]]))
        tensor([[2., 1.],
                [3., 4.]])
    """
    return sort(input, 0)[0]


@method
@whole
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k greatest (or smallest) elements along a dimension, as (values, indices), in order.

    Args:
        k: how many.
        largest: False for the smallest.
        sorted: they are in order anyway.

    Gradient:
        To the elements taken.

    Raises:
        RuntimeError: k is negative or more than there are.

    Source: torch.topk. Of equal elements the first ones are taken; torch may take others.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.topk(lenet.tensor([1.0, 4.0, 2.0, 3.0]), 2).values
        tensor([4., 3.])
    """
    wanted_tensors("topk", input)
    x = input.array
    along = axis(dim, x.ndim)
    if not 0 <= k <= (x.shape[along] if x.ndim else 1):
        raise RuntimeError(f"topk(): selected index k out of range: {k} of shape {list(x.shape)} along {along}")
    at = order(x, along, largest)
    if x.ndim:
        at = at[(slice(None),) * along + (slice(k),)]
    return TopkResult(*Topk.apply(input, at=at, dim=along, keepdim=True))


@method
@whole
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along a dimension, counted from 1, as (values, indices).

    Gradient:
        To that element.

    Raises:
        RuntimeError: k is below 1 or more than there are.
        IndexError: a dimension of size 0.

    Source: torch.kthvalue, whose choice among equal elements depends on its way to select; it is made here, too.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.kthvalue(lenet.tensor([3.0, 1.0, 2.0]), 2).values
        tensor(2.)
    """
    wanted_tensors("kthvalue", input)
    x = input.array
    along = axis(dim, x.ndim)
    refuse_empty("kthvalue", x.shape, (along,))
    if not 1 <= k <= (x.shape[along] if x.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {along}: {k}")
    at = order(x, along)
    if x.ndim:
        at = _of_equals(x, at, k - 1, along)
    return KthvalueResult(*Kthvalue.apply(input, at=at, dim=along, keepdim=keepdim))


def _of_equals(x: Array, sorted_at: Array, k: int, dim: int) -> Array:
    """Indices of the k-th smallest along a dimension (kept as 1), given those that sort it; see kernels/quickselect."""
    rows, places = np.moveaxis(x, dim, -1), np.moveaxis(sorted_at, dim, -1)
    at = places[..., k].copy()
    if not on_device(x):
        ordered = np.take_along_axis(rows, places, -1)
        before, after = ordered[..., :-1], ordered[..., 1:]
        rises = (before != after) & (before == before)  # a NaN is as great as another
        around = rises[..., max(k - 1, 0) : k + 1]
        for row in map(tuple, np.argwhere(~around.all(axis=-1))):
            rank = np.zeros(rows.shape[-1], np.int64)
            rank[places[row][1:]] = rises[row].cumsum()
            at[row] = kth_place(rank.tolist(), k)
    return np.expand_dims(at, dim)


@method
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along a dimension, the smallest of several, as (values, indices).

    The index is that of its last occurrence. Every NaN counts as a value of its own (torch's result then depends on
    where the NaN stands).

    Gradient:
        To the element at the index.

    Raises:
        IndexError: a dimension of size 0.

    Source: torch.mode.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.mode(lenet.tensor([2.0, 1.0, 2.0, 3.0])).values
        tensor(2.)
    """
    wanted_tensors("mode", input)
    x = input.array
    along = axis(dim, x.ndim)
    refuse_empty("mode", x.shape, (along,))
    at = order(x, along)
    if x.ndim:
        ends = _run_lengths(np.take_along_axis(x, at, along), along).argmax(axis=along, keepdims=True)
        at = np.take_along_axis(at, ends, along)
    return ModeResult(*Mode.apply(input, at=at, dim=along, keepdim=keepdim))


def _run_lengths(x: Array, dim: int) -> Array:
    """For each element of a sorted array, how many equal ones there are up to here along an axis."""
    rows = np.moveaxis(x, dim, -1)
    here = np.arange(1, rows.shape[-1] + 1, like=x)
    starts = np.concatenate([np.ones_like(rows[..., :1], np.bool_), rows[..., 1:] != rows[..., :-1]], axis=-1)
    return np.moveaxis(here - running(np.maximum, np.where(starts, here - 1, 0), -1), -1, dim)
