"""Choosing between numbers: by a condition, on their bits, and the greater or smaller of two; relu, which does both.

`zeroed` and `select` are exact as np.where, which takes two to six times as long. `larger` and `smaller` say which of
two equal numbers they give, for 0 and -0 are equal: NumPy's maximum gives the second one on x86, 0 on other machines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array

_BITS: dict[int, Any] = {2: np.int16, 4: np.int32, 8: np.int64}  # integers by the size of a float


def zeroed(x: Array, where: Array) -> Array:
    """0 where the condition holds, x elsewhere (also where x is infinite or NaN)."""
    bits = _BITS[x.dtype.itemsize]
    mask = as_array(np.subtract(where, 1, dtype=bits, casting="unsafe"))  # no bits where it holds, else all
    return np.bitwise_and(x.view(bits), mask, out=mask).view(x.dtype)


def select(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b: arrays of one type and one shape."""
    bits = _BITS[a.dtype.itemsize]
    mask = as_array(np.negative(condition, dtype=bits, casting="unsafe"))  # all bits where it holds, else none
    other = b.view(bits)
    mask &= a.view(bits) ^ other
    mask ^= other
    return mask.view(a.dtype)


_ZEROS = np.zeros(64, np.float32)
_ON_X86 = np.signbit(np.maximum(_ZEROS, -_ZEROS)).all() and not np.signbit(np.minimum(-_ZEROS, _ZEROS)).any()
_UNSURE = "e" if _ON_X86 else "efd"  # types of which NumPy may take the first of equal ones


def larger(a: Any, b: Array, out: Array | None = None) -> Array:
    """The greater of two, of equal ones `b`; NaN where one is NaN."""
    y = np.maximum(a, b, out=out)
    return y if type(b) is np.ndarray and b.dtype.char not in _UNSURE else as_array(np.where(b == a, b, y))


def smaller(a: Any, b: Array, out: Array | None = None) -> Array:
    """The smaller of two, of equal ones `b`; NaN where one is NaN."""
    y = np.minimum(a, b, out=out)
    return y if type(b) is np.ndarray and b.dtype.char not in _UNSURE else as_array(np.where(b == a, b, y))


def relu(x: Array) -> Array:
    """max(x, 0); NaN and -0 stay."""
    return larger(0, x)


def relu_backward(grad: Array, y: Array) -> Array:
    """grad where y = relu(x) is above zero (or NaN), else 0."""
    return zeroed(grad, y <= 0)
