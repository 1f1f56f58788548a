"""Values added (multiplied, compared) at places that may repeat, as the gradient of every gather does.

Places are positions in the flattened array: NumPy's `add.at` is many times faster for one flat index than for others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.kernels.device import on_device
from lenetcli.kernels.layout import Array

REDUCTIONS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def positions_along(shape: tuple[int, ...], dim: int, index: Array) -> Array:
    """Where in a flattened array of `shape` the elements lie that `index` names along `dim`, as in gather.

    Element [i, j, k] of the result, with dim = 1, is the position of [i, index[i, j, k], k].
    """
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    positions: Array = index.astype(np.int64) * steps[dim]
    for d, step in enumerate(steps):
        if d != dim:
            ramp = np.arange(index.shape[d], like=index) * step
            positions += ramp.reshape([-1 if i == d else 1 for i in range(len(shape))])
    return positions


def add_at(x: Array, positions: Array, values: Any, how: np.ufunc = np.add) -> Array:
    """Adds values in place at positions of the flattened, C-contiguous x, once for each time a position is named.

    Args:
        x: takes the sums.
        positions: integers of any shape; negative ones count from the end.
        values: broadcast to the positions' shape.
        how: the binary function in place of addition.
    """
    assert x.flags.c_contiguous, "flat positions are positions in C order"
    flat, places, given = x.reshape(-1), positions.reshape(-1), np.broadcast_to(values, positions.shape).reshape(-1)
    if how is np.multiply and on_device(x):
        _multiply_at(flat, places, given)
    else:
        how.at(flat, places, given)
    return x


def _multiply_at(flat: Array, places: Array, values: Array) -> None:
    """`np.multiply.at` on a device, which has none: in turns, in each of which no place is named twice."""
    places = np.where(places < 0, places + flat.size, places)
    order = np.argsort(places, kind="stable")
    here = np.arange(places.size, like=places)
    turn = here - np.searchsorted(places[order], places[order])
    for number in range(int(turn.max()) + 1 if turn.size else 0):
        chosen = order[turn == number]
        flat[places[chosen]] *= values[chosen]


def scattered(shape: tuple[int, ...], positions: Array, values: Array) -> Array:
    """Zeros with values added at positions: the gradient of taking them."""
    return add_at(np.zeros_like(values, shape=shape, order="C"), positions, values)


def reduce_at(x: Array, positions: Array, values: Array, reduce: str, include: bool) -> Array:
    """A copy of x with, at each position named, the reduction of the values sent there (and of x's own, if included).

    Args:
        reduce: sum, prod, mean, amax or amin.
    """
    y = x.copy(order="C")
    flat = y.reshape(-1)
    if not include:
        flat[positions] = _neutral(reduce, x.dtype)
    add_at(y, positions, values, REDUCTIONS[reduce])
    if reduce == "mean":
        count = np.bincount(positions.reshape(-1), minlength=x.size).reshape(x.shape) + int(include)
        count = np.maximum(count, 1).astype(x.dtype)
        y = y / count if x.dtype.kind == "f" else y // count
    return y


def _neutral(reduce: str, kind: np.dtype[Any]) -> Any:
    """What changes nothing in a reduction."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if kind.kind == "b":
        return reduce == "amin"
    if kind.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    limits = np.iinfo(kind)
    return limits.min if reduce == "amax" else limits.max
