"""Relu and its gradient."""

from __future__ import annotations

from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger, zeroed


def relu(x: Array) -> Array:
    """max(x, 0); NaN and -0 stay."""
    return larger(0, x)


def relu_backward(grad: Array, y: Array) -> Array:
    """grad where y = relu(x) is above zero (or NaN), else 0."""
    return zeroed(grad, y <= 0)
