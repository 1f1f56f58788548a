"""Product and sum of arrays, element by element: NumPy's, which have twins only so that they can be recorded."""

from __future__ import annotations

from lenetcli.kernels.layout import Array


def times(x: Array, y: Array) -> Array:
    """x y, broadcast."""
    product: Array = x * y
    return product


def plus(x: Array, y: Array) -> Array:
    """x + y, broadcast."""
    total: Array = x + y
    return total
