"""Relu and its gradient."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import zeroed


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays."""
    return np.maximum(x, x.dtype.type(0))


def relu_backward(grad: Array, y: Array) -> Array:
    """grad where y = relu(x) is above zero (or NaN), else 0."""
    return zeroed(grad, y <= 0)
