"""Pictures in another size, to the bit the same on every machine.

A matrix product would be BLAS's, which adds in another order for each kind of processor: a pixel that lies half-way
between two grey levels would then go up on one machine and down on another. Here each new pixel is a weighted sum of
few old ones, added in the order of their places by NumPy's own `*` and `+`, which round alike everywhere.

An exported Python file holds these functions as they stand here: they use NumPy, math and `Array` only.
"""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels.layout import Array


def pixel_weights(size: int, out: int, width: float) -> tuple[Array, Array]:
    """Places and weights, (K, out) each, of the old pixels up to `width` from the centre of each new one.

    A width of 1 is bilinear interpolation; the size of a new pixel, size / out, makes it a mean of all that it covers.

    Example:
        >>> from lenetcli.kernels.rescale import pixel_weights
        >>> pixel_weights(2, 4, 1)[1]
        array([[1.  , 0.75, 0.25, 1.  ],
               [0.  , 0.25, 0.75, 0.  ]], dtype=float32)
    """
    centre = (np.arange(out) + 0.5) * (size / out) - 0.5
    if width == 1:
        centre = np.clip(centre, 0, size - 1)
    places = np.floor(centre - width).astype(np.int64) + 1 + np.arange(math.ceil(2 * width))[:, None]
    weights = np.clip(1 - np.abs(places - centre) / width, 0, None) * ((places >= 0) & (places < size))
    total = weights[0].copy()
    for more in weights[1:]:
        total += more
    return np.clip(places, 0, size - 1), (weights / total).astype(np.float32)


def rescaled(x: Array, axis: int, places: Array, weights: Array) -> Array:
    """One axis in another size, from `pixel_weights`: y[j] = sum over k of weights[k, j] x[places[k, j]]."""
    column = (-1, *(1,) * (x.ndim - 1 - axis))
    y = np.take(x, places[0], axis) * weights[0].reshape(column)
    for place, weight in zip(places[1:], weights[1:]):
        y += np.take(x, place, axis) * weight.reshape(column)
    return y
