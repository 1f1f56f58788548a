"""Norms of samples, and batch norm with relu, in all memory orders (native/norm.h) against their references."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import native, norm
from lenetcli.kernels.layout import is_channels_last
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from tests.kernels.comparison import close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

IMAGES = [(1, 6, 5, 4), (2, 6, 3, 3), (5, 12, 1, 2), (17, 4, 7, 6), (16, 32, 9, 9), (3, 40, 33, 31), (70, 6, 4, 4)]
IMAGES.append((3, 530, 5, 5))  # more channels than sums that are kept at once
ORDERS = ["rows", "batch_last", "channels_last"]


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("order", ORDERS)
def test_group_norm_equals_its_reference(shape: tuple[int, ...], order: str, target: str) -> None:
    random, c = rng(*shape), shape[1]
    x = ordered(normal(random, *shape) * 3 + 100, order)
    for groups in (1, 2, c):
        for weight, bias in ((None, None), (normal(random, c), normal(random, c))):
            y, seen = twin("group_norm")(x, groups, weight, bias, 1e-5)
            wanted, wanted_seen = norm.group_norm(x, groups, weight, bias, 1e-5)
            close(y, wanted, 1e-4)
            assert is_channels_last(y) == is_channels_last(x)
            close(seen.moments.mean, wanted_seen.moments.mean, 1e-6)
            close(seen.moments.var, wanted_seen.moments.var, 1e-4)
            for grad_order in ORDERS:
                grad = ordered(normal(rng(3), *shape), grad_order)
                pairs = zip(
                    twin("sample_norm_backward")(grad, seen, weight),
                    norm.sample_norm_backward(grad, wanted_seen, weight),
                )
                for found, one in pairs:
                    close(found, one, 2e-4)


@pytest.mark.parametrize(
    "shape", [(1, 8), (5, 8), (17, 3, 20), (4, 49, 64), (16, 6, 5, 5), (70, 33), (2, 3000), (300, 65)]
)
@pytest.mark.parametrize("order", ["rows", "batch_last"])
@pytest.mark.parametrize("centred", [True, False])
def test_element_norm_equals_its_reference(shape: tuple[int, ...], order: str, centred: bool, target: str) -> None:
    random = rng(*shape)
    x = ordered(normal(random, *shape) * 3 + 10, order)
    for dims in range(1, len(shape)):
        sizes = shape[-dims:]
        for weight, bias in (
            (None, None),
            (normal(random, *sizes), normal(random, *sizes)),
            (normal(random, *sizes), None),
        ):
            y, seen = twin("element_norm")(x, dims, weight, bias, 1e-5, centred)
            wanted, wanted_seen = norm.element_norm(x, dims, weight, bias, 1e-5, centred)
            close(y, wanted, 1e-4)
            grad = ordered(normal(random, *shape), order)
            pairs = zip(
                twin("sample_norm_backward")(grad, seen, weight), norm.sample_norm_backward(grad, wanted_seen, weight)
            )
            for found, one in pairs:
                close(found, one, 2e-4)


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("order", ORDERS)
def test_batch_norm_with_relu_equals_its_reference(shape: tuple[int, ...], order: str, target: str) -> None:
    random, c = rng(*shape), shape[1]
    x = ordered(normal(random, *shape) * 3 + 100, order)
    weight, bias = normal(random, c), normal(random, c)
    moments = twin("batch_moments")(x)
    y, kept = twin("batch_norm_relu")(x, moments, weight, bias, 1e-5)
    plain, own = twin("batch_norm")(x, weight, bias, 1e-5)
    for one, other in zip((twin("by_moments")(x, moments, weight, bias, 1e-5), *moments), (plain, *own), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(y, norm.relu(plain))
    close(norm.batch_norm_relu(x, norm.batch_moments(x), weight, bias, 1e-5)[0], y, 1e-4)
    assert is_channels_last(y) == is_channels_last(x)
    np.testing.assert_array_equal(kept, bias)
    grad = ordered(normal(random, *shape), order)
    masked = norm.relu_backward(grad, y)  # by y as it is: elements near 0 may fall either way
    found = twin("batch_norm_relu_backward")(grad, x, weight, bias, moments, 1e-5)
    for one, other in zip(found, norm.batch_norm_backward(masked, x, weight, moments, 1e-5)):
        close(one, other, 2e-4)
    mean, var = moments.mean.astype(np.float32), moments.var.astype(np.float32)
    evaluated = twin("channel_norm_relu")(x, mean, var, weight, bias, 1e-5)
    close(evaluated, norm.channel_norm_relu(x, mean, var, weight, bias, 1e-5), 1e-4)


def test_norms_keep_nan_and_infinity_where_they_are(target: str) -> None:
    x = normal(rng(1), 4, 6, 5, 5)
    x[1, 2, 0, 0], x[3, 5, 1, 1] = np.nan, np.inf
    for order in ORDERS:
        y = twin("group_norm")(ordered(x, order), 3, None, None, 1e-5)[0]
        lost = np.isnan(y).any(axis=(2, 3))
        wanted = np.zeros((4, 6), bool)
        wanted[1, 2:4] = wanted[3, 4:] = True
        np.testing.assert_array_equal(lost, wanted)


def test_norms_have_the_same_bits_with_any_number_of_threads(target: str) -> None:
    before = get_num_threads()
    x, grad = normal(rng(2), 33, 24, 20, 20), normal(rng(3), 33, 24, 20, 20)
    weight, bias = normal(rng(4), 24), normal(rng(5), 24)
    try:
        for order in ORDERS[1:]:
            first: list[np.ndarray] | None = None
            for threads in (1, 2, 3):
                set_num_threads(threads)
                own, d_y = ordered(x, order), ordered(grad, order)
                y, seen = twin("group_norm")(own, 4, weight, bias, 1e-5)
                moments = twin("batch_moments")(own)
                z, kept = twin("batch_norm_relu")(own, moments, weight, bias, 1e-5)
                made = [
                    y, z, *twin("sample_norm_backward")(d_y, seen, weight),
                    *twin("batch_norm_relu_backward")(d_y, own, weight, kept, moments, 1e-5),
                ]  # fmt: skip
                first = first or made
                for one, other in zip(made, first):
                    np.testing.assert_array_equal(one, other)
    finally:
        set_num_threads(before)
