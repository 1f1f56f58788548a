"""The native kernels of sliding windows against their NumPy twins: any size, stride, padding, dilation and order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lenetcli.kernels import avg_pool, conv, native, pool
from lenetcli.kernels.avg_pool import window_counts
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from lenetcli.kernels.window import Pair, extent
from tests.kernels.comparison import BATCHES, ORDERS, chosen, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

Windows = tuple[Pair, Pair, Pair, Pair]  # kernel, stride, padding, dilation

HALVES: Windows = ((2, 2), (2, 2), (0, 0), (1, 1))
WINDOWS: list[Windows] = [
    HALVES,
    ((1, 1), (1, 1), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((3, 3), (1, 1), (1, 1), (1, 1)),
    ((3, 2), (1, 3), (1, 0), (2, 1)),
    ((2, 3), (3, 2), (1, 1), (1, 3)),
    ((2, 2), (4, 6), (0, 0), (2, 3)),
    ((5, 5), (3, 3), (2, 2), (1, 1)),
    ((16, 16), (1, 1), (8, 8), (1, 1)),
]
SIZES = [(1, 1), (2, 2), (5, 7), (20, 3), (6, 9)]


def outputs(image: Pair, windows: Windows, ceil_mode: bool) -> Pair:
    p, q = (extent(size, k, s, b, d, ceil_mode) for size, k, s, b, d in zip(image, *windows))
    return p, q


def images(random: np.random.Generator, n: int, size: Pair, order: str) -> np.ndarray:
    """Of many ties, infinities and NaN."""
    x = random.integers(-2, 3, (n, 3, *size)).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf):
        x[random.random(x.shape) < 0.05] = value
    return ordered(x, order)


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("n", [*BATCHES, 3, 4, 33])
def test_max_pooling_equals_its_twin(n: int, windows: Windows, target: str) -> None:
    random = rng(n, *windows[0])
    for size in SIZES:
        for ceil_mode, order in zip((False, True, False, True), ORDERS):
            if min(outputs(size, windows, ceil_mode)) < 1:
                continue
            x = images(random, n, size, order)
            y, winner = pool.max_pool2d(x, *windows, ceil_mode)
            found, found_winner = twin("max_pool2d")(x, *windows, ceil_mode)
            np.testing.assert_array_equal(found, y)
            np.testing.assert_array_equal(found_winner, winner)
            grad = ordered(normal(random, *y.shape), order)
            np.testing.assert_array_equal(
                twin("max_pool2d_backward")(grad, winner, size, *windows),
                pool.max_pool2d_backward(grad, winner, size, *windows),
            )


@pytest.mark.parametrize("windows", [w for w in WINDOWS if w[3] == (1, 1)], ids=str)
@pytest.mark.parametrize("n", [*BATCHES, 3, 4, 33])
@pytest.mark.parametrize("padding_counts", [False, True])
def test_average_pooling_equals_its_twin(n: int, windows: Windows, padding_counts: bool, target: str) -> None:
    random = rng(n, *windows[0])
    kernel, stride, padding, _ = windows
    for size in SIZES:
        for ceil_mode, order in zip((False, True, False, True), ORDERS):
            out = outputs(size, windows, ceil_mode)
            if min(out) < 1:
                continue
            counts = [window_counts(*sizes, padding_counts) for sizes in zip(size, kernel, stride, padding, out)]
            divisor = np.outer(*counts).astype(np.float32)
            x = ordered(normal(random, n, 3, *size), order)
            y = avg_pool.avg_pool2d(x, divisor, kernel, stride, padding)
            close(twin("avg_pool2d")(x, divisor, kernel, stride, padding), y, 1e-6)
            grad = ordered(normal(random, *y.shape), order)
            close(
                twin("avg_pool2d_backward")(grad, divisor, size, kernel, stride, padding),
                avg_pool.avg_pool2d_backward(grad, divisor, size, kernel, stride, padding),
                1e-6,
            )


GROUPS = [
    (1, 1, 3),
    (1, 2, 3),
    (2, 2, 2),
    (3, 4, 2),
    (4, 3, 3),
    (16, 16, 2),
    (1, 1, 20),
    (4, 4, 5),
    (8, 8, 2),
    (16, 16, 3),
]  # in, out, groups


@pytest.mark.parametrize(
    "windows", [*WINDOWS[:-1], ((7, 7), (1, 1), (3, 3), (1, 1)), ((1, 3), (1, 2), (0, 1), (1, 1))], ids=str
)
@pytest.mark.parametrize("n", [1, 3, 15, 17])
@pytest.mark.parametrize("channels", GROUPS, ids=str)
def test_convolutions_of_groups_equal_their_twins(
    channels: tuple[int, int, int], n: int, windows: Windows, each_target: Callable[[], Iterator[str]]
) -> None:
    c, o, groups = channels
    random = rng(n, c, *windows[0])
    kernel, *geometry = windows
    weight, bias = normal(random, o * groups, c, *kernel), normal(random, o * groups)
    for size, order in zip(SIZES, ["rows", *ORDERS]):
        if min(outputs(size, windows, False)) < 1:
            continue
        x = ordered(normal(random, n, c * groups, *size), order)
        y, without_bias = (conv.conv2d(x, weight, b, *geometry, groups) for b in (bias, None))
        grad = ordered(normal(random, *y.shape), order)
        cut = grad[:, :, : max(1, grad.shape[2] - 1)]  # as a transposed convolution may leave out a border
        d_weight = conv.conv2d_weight_grad(grad, x, kernel, *geometry, groups)
        d_x = conv.conv2d_input_grad(cut, weight, size, *geometry, groups)
        gradients = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry, groups)
        for _ in each_target():
            close(twin("conv2d")(x, weight, bias, *geometry, groups), y)
            close(twin("conv2d")(x, weight, None, *geometry, groups), without_bias)
            for needs in ((True, True, True), (False, True, False), (True, False, False)):
                found = twin("conv2d_backward")(grad, x, weight, needs, *geometry, groups)
                for one, other in zip(found, chosen(gradients, needs), strict=True):
                    close(one, other)
            close(twin("conv2d_weight_grad")(grad, x, kernel, *geometry, groups), d_weight)
            close(twin("conv2d_input_grad")(cut, weight, size, *geometry, groups), d_x)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    random = rng(2)
    x, weight = ordered(normal(random, 70, 12, 20, 20), "batch_last"), normal(random, 24, 1, 3, 3)
    windows: Windows = ((3, 3), (2, 2), (1, 1), (1, 1))
    before, results = get_num_threads(), []
    try:
        for count in (1, 2, 5):
            set_num_threads(count)
            y, winner = twin("max_pool2d")(x, *windows, False)
            divisor = np.full(y.shape[2:], 9, np.float32)
            mean = twin("avg_pool2d")(x, divisor, *windows[:3])
            z = twin("conv2d")(x, weight, None, *windows[1:], 12)
            results.append(
                [
                    y,
                    mean,
                    z,
                    twin("max_pool2d_backward")(y, winner, (20, 20), *windows),
                    twin("avg_pool2d_backward")(mean, divisor, (20, 20), *windows[:3]),
                    *twin("conv2d_backward")(z, x, weight, (True, True, True), *windows[1:], 12),
                ]
            )
    finally:
        set_num_threads(before)
    for others in results[1:]:
        for one, other in zip(results[0], others):
            np.testing.assert_array_equal(one, other)


def test_large_windows_and_other_types_are_the_references() -> None:
    random = rng(1)
    for x, side in ((normal(random, 2, 1, 17, 17), 17), (normal(random, 2, 1, 5, 5).astype(np.float64), 3)):
        windows = ((side, side), (1, 1), (0, 0), (1, 1))
        y, winner = pool.max_pool2d(x, *windows, False)
        found, found_winner = twin("max_pool2d")(x, *windows, False)
        np.testing.assert_array_equal(found, y)
        assert (found.dtype, found_winner.dtype) == (y.dtype, winner.dtype)
        np.testing.assert_array_equal(
            twin("max_pool2d_backward")(y, winner, x.shape[2:], *windows),
            pool.max_pool2d_backward(y, winner, x.shape[2:], *windows),
        )
