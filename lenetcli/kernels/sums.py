"""Sums of floating-point numbers that stay right, however many are added, along any axes and in any memory order.

Adding n numbers one after the other loses up to n / 2 units in the last place, and stops altogether once a term is less
than half a unit of the sum: 0.5 added to itself stays at 2^23 in float32. A sum of sums loses log n. NumPy adds that
way (pairwise) only along the axis that lies densest in memory; along all others it adds one by one. Here every axis is
summed in a cascade: blocks of 16, then the sums of those in blocks of 16, and so on, as torch does it.

    (N, M) -> (N / 16, 16, M) -> (N / 16, M) -> ... -> (M,)

The order of the additions follows from shape and memory order alone, never from the number of threads. Half precision
is added up in float32.

Source: N. Higham, The accuracy of floating point summation, 1993 (pairwise and insertion adding).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array

Axes = int | tuple[int, ...] | None

BLOCK = 16  # terms that are added one after the other
SHORT = 2 * BLOCK  # up to so many are not worth a cascade
LINE = 4096  # elements that one addition takes: rows that lie side by side are added as one; 16 KiB stay in the cache

_reduce: Any = np.add.reduce  # its overloads want keepdims literally
_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def sum_over(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """The sum over axes, in the type of a floating-point x (integers as NumPy adds them).

    Args:
        axes: None means all.

    Example:
        >>> import numpy as np
        >>> from lenetcli.kernels.sums import sum_over
        >>> x = np.full((100_000, 2), 0.1, np.float32)
        >>> x.sum(axis=0).round(), sum_over(x, 0).round()
        (array([9999., 9999.], dtype=float32), array([10000., 10000.], dtype=float32))
    """
    if type(x) is not np.ndarray:  # a device sums in trees of its own
        return as_array(np.sum(x, axis=axes, keepdims=keepdims))
    if x.dtype is _HALF:
        return as_array(sum_over(x.astype(_SINGLE), axes, keepdims).astype(_HALF))
    if x.size <= SHORT or x.dtype.kind != "f":
        return as_array(_reduce(x, axis=axes, keepdims=keepdims))
    over = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else axes
    if len(over) == x.ndim and x.flags.forc:  # one run of memory, which NumPy adds pairwise
        return as_array(_reduce(x, axis=None, keepdims=keepdims))
    count = math.prod([x.shape[d] for d in over])
    if count <= SHORT:
        return as_array(_reduce(x, axis=over, keepdims=keepdims))
    if x.flags.c_contiguous and over[-1] == len(over) - 1:  # the first axes: the sums of a batch
        tail = x.shape[len(over) :]
        y = _cascade(x.reshape(count, *tail), 0)
        return y.reshape(*(1,) * len(over), *tail) if keepdims else y
    return _summed(x, over, keepdims, count)


def mean_over(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """The mean over axes of a floating-point x, in its type; NaN where there is nothing. Arguments as `sum_over`."""
    if x.dtype is _HALF:  # the sum may be larger than the type holds
        return as_array(mean_over(x.astype(_SINGLE), axes, keepdims).astype(_HALF))
    over = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    return as_array(sum_over(x, axes, keepdims) / x.dtype.type(math.prod([x.shape[d] for d in over])))


def running_sum(x: Array, axis: int) -> Array:
    """The sums of the first 1, 2, 3 ... elements along an axis, added in double precision, in the type of x."""
    return _accumulated(np.cumsum, x, axis)


def running_product(x: Array, axis: int) -> Array:
    """The products of the first 1, 2, 3 ... elements along an axis, multiplied in double precision."""
    return _accumulated(np.cumprod, x, axis)


def _accumulated(function: Any, x: Array, axis: int) -> Array:
    if x.dtype.kind != "f":
        return as_array(function(x, axis=axis, dtype=x.dtype))
    return as_array(function(x, axis=axis, dtype=np.float64).astype(x.dtype, copy=False))


def _summed(x: Array, over: tuple[int, ...], keepdims: bool, count: int) -> Array:
    """`sum_over` of more than SHORT terms."""
    over = tuple(d % x.ndim for d in over)
    repeated = [d for d in over if x.strides[d] == 0 and x.shape[d] > 1]
    if repeated:  # a broadcast axis: each term counts as often as it is there
        once = x[tuple(slice(1) if d in repeated else slice(None) for d in range(x.ndim))]
        return as_array(sum_over(once, over, keepdims) * x.dtype.type(math.prod([x.shape[d] for d in repeated])))
    order = sorted(range(x.ndim), key=lambda d: -abs(x.strides[d]))
    sizes, summed = _runs(x, order, over)
    if count <= SHORT * (sizes[-1] if summed[-1] else 1):  # nearly all of it is in the run that NumPy adds pairwise
        return as_array(_reduce(x, axis=over, keepdims=keepdims))
    y: Any = x.transpose(order).reshape(sizes)
    if summed[-1] and sizes[-1] > BLOCK:
        y = _reduce(y, axis=-1)
        del summed[-1]
    axis = 0
    for is_summed in summed:
        if is_summed:
            y = _cascade(y, axis)
        else:
            axis += 1
    kept = [d for d in order if d not in over]
    y = np.asarray(y).reshape([x.shape[d] for d in kept])
    y = y.transpose([kept.index(d) for d in sorted(kept)])
    return y.reshape([1 if d in over else n for d, n in enumerate(x.shape)]) if keepdims else y


def _runs(x: Array, order: list[int], over: tuple[int, ...]) -> tuple[list[int], list[bool]]:
    """Axes that are one in memory and all summed, or all kept, as one: their sizes and whether they are summed."""
    sizes: list[int] = []
    summed: list[bool] = []
    step = 0
    for d in order:
        size, stride = x.shape[d], x.strides[d]
        if size == 1:
            continue
        if sizes and summed[-1] == (d in over) and step == stride * size:
            sizes[-1] *= size
        else:
            sizes.append(size)
            summed.append(d in over)
        step = stride
    return sizes, summed


def _cascade(x: Array, axis: int) -> Array:
    """The sum over one axis of an array whose axes lie in C order, each addition along those that follow."""
    before = (slice(None),) * axis
    while (n := x.shape[axis]) > SHORT:
        head, tail = x.shape[:axis], x.shape[axis + 1 :]
        beside = min(max(1, LINE // math.prod(tail)), n // BLOCK) if x.flags.c_contiguous else 1  # rows in a line
        lines = n // (BLOCK * beside)
        whole = lines * BLOCK * beside
        blocks = x[(*before, slice(whole))].reshape(*head, lines, BLOCK, beside, *tail)
        sums = _reduce(blocks, axis=axis + 1).reshape(*head, lines * beside, *tail)
        x = sums if whole == n else np.concatenate((sums, x[(*before, slice(whole, None))]), axis=axis)
    return as_array(_reduce(x, axis=axis))
