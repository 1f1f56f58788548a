"""Softmax and its logarithm along every axis (native/softmax.h) against their references."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import native, softmax
from tests.kernels.comparison import ORDERS, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


@pytest.mark.parametrize("shape", [(1,), (40,), (5, 10), (64, 1), (17, 33), (3, 5, 49), (2, 19, 6, 7), (1, 3, 8, 8)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_equals_its_reference(name: str, shape: tuple[int, ...], order: str, target: str) -> None:
    x = ordered(normal(rng(*shape), *shape) * 5, order)
    for axis in range(-1, len(shape)):
        y = getattr(softmax, name)(x, axis)
        close(twin(name)(x, axis), y)
        for grad_order in ORDERS:
            grad = ordered(normal(rng(1), *shape), grad_order)
            wanted = getattr(softmax, f"{name}_backward")(grad, y, axis)
            close(twin(f"{name}_backward")(grad, y, axis), wanted)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_what_is_not_finite_stays_where_it_is(name: str, target: str) -> None:
    for axis in (0, 1):
        x = normal(rng(5), 20, 20)
        x[2, 7], x[9, 1], x[11, 4] = np.nan, np.inf, -np.inf
        x[(slice(None), 15) if axis == 0 else (15, slice(None))] = -np.inf
        with np.errstate(all="ignore"):
            close(twin(name)(x, axis), getattr(softmax, name)(x, axis))
