"""The product of arrays, element by element: NumPy's, which has a twin only so that it can be recorded."""

from __future__ import annotations

from lenetcli.kernels.layout import Array


def times(x: Array, y: Array) -> Array:
    """x y, broadcast."""
    product: Array = x * y
    return product
