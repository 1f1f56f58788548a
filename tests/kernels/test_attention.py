"""Attention of several heads: the native kernels beside the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.kernels import attention, native
from tests.kernels.comparison import twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

SIZES = [(2, 3, 5, 7, 4, 6), (1, 1, 1, 1, 1, 1), (3, 2, 17, 17, 8, 8), (2, 1, 33, 20, 16, 5), (1, 2, 4, 600, 3, 2)]
ORDERS = [(0, 1, 2, 3), (0, 2, 1, 3), (3, 1, 0, 2), (1, 3, 0, 2)]  # how (N, H, rows, columns) lie in memory


def laid(x: Any, order: tuple[int, ...]) -> Any:
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


def given(sizes: tuple[int, ...], order: tuple[int, ...]) -> list[Any]:
    n, h, rows, keys, width, value = sizes
    random = np.random.default_rng(sum(sizes))
    shapes = (n, h, rows, width), (n, h, keys, width), (n, h, keys, value), (n, h, rows, value)
    return [laid(random.standard_normal(shape).astype(np.float32), order) for shape in shapes]


def reference(name: str) -> Any:
    return getattr(attention, name)


def both(kernels: Any, arrays: list[Any], mask: Any, scale: float = 0.4) -> list[Any]:
    """The weights, the result, and the three gradients."""
    q, k, v, grad = arrays
    weights, y = np.empty((*q.shape[:3], k.shape[2]), q.dtype), np.empty_like(grad)
    found = [np.empty_like(x) for x in (q, k, v)]
    with np.errstate(all="ignore"):
        kernels("attention")(q, k, v, mask, scale, weights, y)
        kernels("attention_backward")(grad, q, k, v, weights, scale, *found)
    return [weights, y, *found]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sizes", SIZES)
def test_native_is_as_the_reference(sizes: tuple[int, ...], order: tuple[int, ...], target: str) -> None:
    arrays = given(sizes, order)
    n, h, rows, keys = *sizes[:2], arrays[0].shape[2], arrays[1].shape[2]
    some = np.where(np.random.default_rng(1).random((n, 1, rows, keys)) < 0.3, -np.inf, 0.5).astype(np.float32)
    some[0, 0, 0] = -np.inf  # a query that nothing counts for
    for mask in (None, some, np.zeros((1, 1, 1, keys), np.float32), np.ones((1, h, rows, 1), np.float32)):
        for found, wanted in zip(both(twin, arrays, mask), both(reference, arrays, mask)):
            np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6 * max(1, np.abs(wanted).max()))


def test_numbers_that_are_not_finite_come_out_as_in_the_reference(target: str) -> None:
    arrays = given((1, 2, 4, 20, 3, 5), (0, 1, 2, 3))
    arrays[0][0, 0, 1] = np.nan
    arrays[2][0, 1, 2] = np.inf
    for found, wanted in zip(both(twin, arrays, None), both(reference, arrays, None)):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))


def test_bits_do_not_depend_on_threads(target: str) -> None:
    arrays = given((16, 4, 17, 17, 8, 8), (0, 1, 2, 3))
    before, found = lenet.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            lenet.set_num_threads(threads)
            found.append(both(twin, arrays, None))
    finally:
        lenet.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)
