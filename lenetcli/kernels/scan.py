"""Running results along an axis: the maximum, the sum of exponentials ... of the first 1, 2, 3 ... elements."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array


def running(function: np.ufunc, x: Array, axis: int) -> Array:
    """`function.accumulate(x, axis)` of an associative function.

    On a device, which has no such loop, in log2(n) passes: after each, an element stands for twice as many before it.
    """
    if type(x) is np.ndarray:
        y: Array = function.accumulate(x, axis=axis)
        return y
    y = x.copy(order="K")
    rows, reach = np.moveaxis(y, axis, 0), 1
    while reach < len(rows):
        rows[reach:] = function(rows[:-reach], rows[reach:])
        reach *= 2
    return y
