"""The error function and its complement, to the last bits of float32 and float64.

Coefficients were fitted to 40-digit values: Chebyshev interpolation for float64, iterated least squares for float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels.layout import Array

# float32: erf(x) = x P(x^2) / Q(x^2) for |x| < 3.93, relative error 2e-8; beyond, erf rounds to 1 and the quotient is
# above it, at 4 by 1.1e-7. In float64: float32 loses 6 units of the last place, which 1 + erf(x) of gelu shows at -5
_P = (1.128379144885496, 0.19103611124522277, 0.05281796973614249, 0.003788933706562432, 0.00028475302681973513,
      2.0364750171314165e-06)  # fmt: skip
_Q = (1.0, 0.5026340519664634, 0.11435664499732011, 0.01501625148853213, 0.0011669851666491074, 3.794444667505758e-05)

# float64, |x| < 1: erf(x) = x S(x^2), relative error 1e-17
_S = (
    1.12837916709551257, -0.376126389031837481, 0.112837916709548816, -0.0268661706450773342, 0.00522397762482322257,
    -0.0008548326981129666, 0.000120553311222992653, -0.0000149255955195060435, 1.64610044809620347e-6,
    -1.63503544619596556e-7, 1.46600519983948477e-8, -1.13739022964309116e-9, 5.95893074313494122e-11,
)  # fmt: skip
# float64, x >= 1: erfc(x) = exp(-x^2) / x L(t), t = (x - 4) / (x + 2), relative error 1e-16
_L = (
    0.547997830500245558, 0.0447925994698535154, -0.0459912326744363488, 0.0232172017873454097, -0.00648686933479370143,
    0.00036676765483436002, 0.000394479884354411148, -0.000082207873913710201, -0.000030743255989007267,
    9.57004596514906027e-6, 3.58758177494295959e-6, -1.00541810509619194e-6, -5.52348569057688411e-7,
    7.70680647553940451e-8, 9.20808247179530071e-8, 3.64263784362982049e-9, -1.41668285402504546e-8,
    -3.40634871846012749e-9, 1.70014084061772824e-9, 8.14605734995478916e-10, -1.14942169185229371e-10,
    -8.89646058625211836e-11,
)  # fmt: skip


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    y = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        y *= x
        y += c
    return y


def erf(x: Array) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    if x.dtype == np.float32:
        near = np.clip(x, -4, 4).astype(np.float64)
        square = near * near
        y = _polynomial(_P, square)
        y *= near
        y /= _polynomial(_Q, square)
        return np.clip(y, -1, 1).astype(np.float32)
    if x.dtype == np.float16:
        return erf(x.astype(np.float32)).astype(np.float16)
    y = np.empty_like(x)
    far = np.abs(x) >= 1
    y[~far] = _centre(x[~far])
    y[far] = np.copysign(1 - _tail(np.abs(x[far])), x[far])
    return y


def erfc(x: Array) -> Array:
    """1 - erf(x), with its own precision where that is close to 0."""
    if x.dtype != np.float64:
        return erfc(x.astype(np.float64)).astype(x.dtype)
    y = np.empty_like(x)
    far = np.abs(x) >= 1
    y[~far] = 1 - _centre(x[~far])
    tail = _tail(np.abs(x[far]))
    y[far] = np.where(x[far] > 0, tail, 2 - tail)
    return y


def _centre(x: Array) -> Array:
    return x * _polynomial(_S, x * x)


def _tail(x: Array) -> Array:
    """erfc(x) for x >= 1. The square is split in two, for exp would magnify its rounding error."""
    x = np.minimum(x, 30.0)  # erfc is 0 from 27.3 on
    high = x.astype(np.float32).astype(np.float64)
    power = np.exp(-high * high) * np.exp((high - x) * (high + x))
    return power / x * _polynomial(_L, (x - 4) / (x + 2))
