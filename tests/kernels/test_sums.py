"""Sums are right over all axes and in every memory order, however many numbers there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import SHORT, mean_over, running_product, running_sum, sum_over

HALF_ULP = 2.0**-24  # relative, of float32
MOST = 16  # half units in the last place; torch has up to 10, NumPy 160,000

SHAPES = [(3000, 3), (3, 3000), (100, 30, 7), (7, 100, 30), (40, 40, 40), (33, 1, 200, 2), (33, 3, 3, 33)]


def orders(shape: tuple[int, ...], make: Any) -> Iterator[Array]:
    """An array of a shape in every memory order, whole and as views of others."""
    for order in list(itertools.permutations(range(len(shape))))[:: 5 if len(shape) > 3 else 1]:
        x = make([shape[d] for d in order]).transpose(np.argsort(order))
        yield x
        yield x[::2]
        yield x[..., ::-1]
        yield x[::-1, ..., 1:]
        yield np.broadcast_to(x, (40, *shape))
        yield np.broadcast_to(x[..., :1], shape)


def some_axes(ndim: int) -> Iterator[tuple[int, ...]]:
    for count in range(1, ndim + 1):
        yield from itertools.combinations(range(ndim), count)


def half_ulps(found: Any, truth: Any) -> float:
    return float(np.max(np.abs(found - truth) / np.abs(truth), initial=0)) / HALF_ULP


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["equal", "random"])
def test_every_axis_and_memory_order_has_the_error_of_a_cascade(shape: tuple[int, ...], kind: str) -> None:
    random = np.random.default_rng(0)

    def make(sizes: Any) -> Array:
        return np.full(sizes, 0.1, np.float32) if kind == "equal" else random.random(sizes, np.float32)

    for x in orders(shape, make):
        for axes in some_axes(x.ndim):
            truth = x.sum(axis=axes, keepdims=True, dtype=np.float64)
            found = sum_over(x, axes, keepdims=True)
            assert found.dtype == np.float32
            assert found.shape == truth.shape
            assert half_ulps(found, truth) <= MOST, (x.strides, axes)
            np.testing.assert_array_equal(sum_over(x, axes), found.reshape(np.squeeze(truth, axes).shape))


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "columns"), [(10_000_000, 3), (10_000_000, 1), (3, 10_000_000), (100_000, 100)])
def test_ten_million_numbers(rows: int, columns: int) -> None:
    for x in (np.full((rows, columns), 0.1, np.float32), np.random.default_rng(0).random((rows, columns), np.float32)):
        for axes in some_axes(2):
            for seen in (x, np.asfortranarray(x)):
                assert half_ulps(sum_over(seen, axes), seen.sum(axis=axes, dtype=np.float64)) <= 2 * MOST


def test_the_exact_sum_of_numbers_of_both_signs_is_missed_by_little() -> None:
    x = np.random.default_rng(0).standard_normal((50_000, 2)).astype(np.float32)
    exact = [math.fsum(column) for column in x.T.tolist()]
    size = np.abs(x).sum(axis=0, dtype=np.float64)
    assert (np.abs(sum_over(x, 0) - exact) <= 2 * HALF_ULP * size).all()


def test_a_sum_does_not_stop_where_a_term_is_less_than_a_unit_of_it() -> None:
    x = np.ones((20_001, 3), np.float32)
    x[0] = 1 << 24  # and 1 is 1 << 24 again
    assert x.sum(axis=0).tolist() == [1 << 24] * 3
    assert sum_over(x, 0).min() >= (1 << 24) + 19_900


def test_a_broadcast_axis_is_multiplied() -> None:
    x = np.broadcast_to(np.float32(0.5), (1 << 25, 3))
    assert sum_over(x, 0).tolist() == [1 << 24] * 3
    assert mean_over(x, 0).tolist() == [0.5] * 3


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_types_stay_and_half_precision_is_added_in_float32(kind: str) -> None:
    x = np.ones((5000, 3), kind)
    assert sum_over(x, 0).dtype == mean_over(x, 0).dtype == x.dtype
    assert sum_over(x, 0).tolist() == [5000] * 3
    assert mean_over(np.full((100_000, 2), 4, kind), 0).tolist() == [4, 4]


def test_integers_and_short_sums_are_numpys() -> None:
    whole = np.arange(6000).reshape(2000, 3)
    np.testing.assert_array_equal(sum_over(whole, 0), whole.sum(axis=0))
    x = np.random.default_rng(0).random((SHORT, 1000), np.float32)
    np.testing.assert_array_equal(sum_over(x, 0), x.sum(axis=0))
    assert sum_over(np.ones((), np.float32)).shape == ()
    assert sum_over(np.ones((3, 0), np.float32), 1).tolist() == [0, 0, 0]


def test_a_result_is_an_array_and_lies_as_numpy_would_lay_it() -> None:
    x = np.random.default_rng(0).random((20, 30, 40, 5), np.float32).transpose(3, 0, 1, 2)  # batch-last
    assert type(sum_over(x)) is np.ndarray
    assert type(mean_over(x, (0, 1, 2, 3))) is np.ndarray
    for axes in some_axes(4):
        assert sum_over(x, axes).strides == np.asarray(x.sum(axis=axes)).strides


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_comes_through(value: float) -> None:
    x = np.ones((5000, 3), np.float32)
    x[7, 1] = x[9, 1] = value
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(sum_over(x, 0), [5000, np.float32(value) * 2, 5000])


def test_running_sums_and_products_are_made_in_double_precision() -> None:
    x = np.full((200_000, 2), 0.1, np.float32)
    truth = np.arange(1, 200_001) * np.float64(np.float32(0.1))
    np.testing.assert_allclose(running_sum(x, 0)[:, 1], truth, rtol=HALF_ULP)
    factors = np.full(200_000, 1.00001, np.float32)
    np.testing.assert_allclose(running_product(factors, 0)[-1], math.pow(float(factors[0]), 200_000), rtol=HALF_ULP)
    assert running_sum(np.arange(3), 0).tolist() == [0, 1, 3]
