"""Whether numbers are finite, as the guard against divergence asks in every step."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels.layout import Array


def all_finite(arrays: list[Array]) -> bool:
    """Whether no array holds NaN or infinity.

    False for very large finite numbers, too, the squares of which add up to infinity: that is one pass of BLAS.
    """
    total = 0.0
    with np.errstate(all="ignore"):
        for array in arrays:
            flat = array.ravel("K")
            total += float(flat.dot(flat))
    return math.isfinite(total)
