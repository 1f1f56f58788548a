"""Every native convolution against its NumPy twin, over odd sizes, orders, instruction sets and special values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import conv, fused, native
from lenetcli.kernels.layout import stored
from tests.kernels.comparison import BATCHES, ORDERS, chosen, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

ONE = (1, 1)


def images_of(winner: np.ndarray, n: int) -> np.ndarray:
    """Winners without those that fill up the last group of images."""
    return winner.transpose(0, 4, 1, 2, 3).reshape(-1, *winner.shape[1:4])[:n]


CONVOLUTIONS = [  # batch, in-channels, out-channels, kernel, rows, columns, padding
    *((n, 2, 5, 3, 9, 8, (0, 0)) for n in BATCHES),
    *((n, 3, 3, 3, 6, 7, (1, 1)) for n in BATCHES),
    *((17, 1, o, 3, 5, 5, (1, 0)) for o in (1, 2, 3, 4, 6, 7, 33)),
    *((16, c, 4, 3, 4, 4, (1, 1)) for c in (1, 2, 7, 33)),
    *((18, 2, 3, k, 8, 9, (k // 2, k // 3)) for k in (1, 2, 3, 4, 5, 6, 7)),
    *((n, 2, 3, k, 9, 10, (k - 1, k // 2)) for n, k in enumerate((7, 5, 3, 4, 2, 1, 6, 3), 1)),  # few images
    *((n, 6, 9, k, 33, 30, (1, k)) for n, k in ((1, 5), (5, 3), (6, 4))),  # whose rows are cut
    *(
        (n, c, 5, k, 9, 12, (p, 1))  # gradients winner by winner
        for n, c, k, p in (
            (1, 6, 3, 0),
            (3, 5, 5, 2),
            (4, 8, 3, 1),
            (7, 9, 5, 0),
            (17, 6, 3, 2),
            (33, 20, 5, 4),
            (20, 7, 3, 3),
        )
    ),
    *((n, 2, 2, 3, 3, 3, (0, 0)) for n in (1, 16, 17)),  # one pixel out
    *((n, 16, 17, 3, 9, 8, (1, 1)) for n in BATCHES),  # of many channels: Winograd's method
    *((18, c, o, 3, 7, 10, (0, 2)) for c, o in ((33, 16), (16, 40))),
    (1, 17, 16, 3, 21, 22, (1, 1)),
    (3, 33, 35, 3, 7, 8, (1, 1)),  # small images of many channels
    (2, 16, 16, 3, 17, 18, (3, 0)),
    (3, 1, 1, 1, 1, 1, (0, 0)),
    (2, 1, 6, 5, 32, 30, (2, 2)),
    (1, 3, 4, 3, 40, 41, (1, 1)),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution_equals_its_twin(case: Any, order: str, each_target: Callable[[], Iterator[str]]) -> None:
    n, c, o, k, h, w, padding = case
    random = rng(n, c, o, k)
    x, weight, bias = ordered(normal(random, n, c, h, w), order), normal(random, o, c, k, k), normal(random, o)
    geometry = ONE, padding, ONE, 1
    y, without_bias = (conv.conv2d(x, weight, b, *geometry) for b in (bias, None))
    grad = ordered(normal(random, *y.shape), order)
    d_weight = conv.conv2d_weight_grad(grad, x, (k, k), *geometry)
    d_x = conv.conv2d_input_grad(grad, weight, (h, w), *geometry)
    gradients = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
    for _ in each_target():
        close(twin("conv2d")(x, weight, bias, *geometry), y)
        close(twin("conv2d")(x, weight, None, *geometry), without_bias)
        close(twin("conv2d_weight_grad")(grad, x, (k, k), *geometry), d_weight)
        close(twin("conv2d_input_grad")(grad, weight, (h, w), *geometry), d_x)
        for needs in ((True, True, True), (False, True, True), (True, False, False), (False, False, True)):
            found = twin("conv2d_backward")(grad, x, weight, needs, *geometry)
            for one, other in zip(found, chosen(gradients, needs), strict=True):
                close(one, other)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "case", [c for c in CONVOLUTIONS if min(c[4] + 2 * c[6][0], c[5] + 2 * c[6][1]) > c[3]], ids=str
)
def test_fused_convolution_equals_its_twin(case: Any, order: str, each_target: Callable[[], Iterator[str]]) -> None:
    n, c, o, k, h, w, padding = case
    random = rng(n, c, o, k, 1)
    x, weight, bias = ordered(normal(random, n, c, h, w), order), normal(random, o, c, k, k), normal(random, o)
    y, winner = fused.conv_relu_pool(x, weight, bias, padding)
    grad = ordered(normal(random, *y.shape), order)
    wanted = [fused.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x) for need_x in (True, False)]
    in_one_group = stored(images_of(winner, n))[None]
    others = ordered(normal(random, n, c, h, w), order)
    at_winners = [fused.conv_at_winners(others, weight, b, winner, padding) for b in (bias, None)]
    for name in each_target():
        for winners in (winner, in_one_group):
            for b, y_there in zip((bias, None), at_winners):
                close(twin("conv_at_winners")(others, weight, b, winners, padding), y_there)
            alone = twin("conv_relu_pool_backward")(grad, x, weight, winners, padding, True, False)
            close(alone[0], wanted[0][0])
            assert alone[1:] == (None, None)
        found, found_winner = twin("conv_relu_pool")(x, weight, bias, padding)
        close(found, y)
        same = images_of(found_winner, n) == images_of(winner, n)
        assert np.mean(same) > 0.999, name  # rounding may decide between nearly equal values
        for need_x, gradients in zip((True, False), wanted):
            for winners in (winner, in_one_group):
                found = twin("conv_relu_pool_backward")(grad, x, weight, winners, padding, need_x)
                for one, other in zip(found, gradients, strict=True):
                    close(one, other)


@np.errstate(all="ignore")
@pytest.mark.parametrize(
    "case",
    [(17, 2, 3, 3, 7, 6), (2, 2, 3, 3, 9, 9), (16, 1, 2, 2, 6, 6), (17, 16, 16, 3, 8, 9), (5, 6, 3, 5, 9, 10)],
    ids=str,
)
def test_nan_infinity_and_ties_in_convolutions(case: Any, target: str) -> None:
    n, c, o, k, h, w = case
    random = rng(n, c)
    weight, bias = normal(random, o, c, k, k), normal(random, o)
    for value in (np.nan, np.inf, -np.inf):
        for place in ((0, 0, 0, 0), (n - 1, c - 1, h - 1, w - 1), (n // 2, 0, h // 2, w // 2)):
            x = ordered(normal(random, n, c, h, w), "batch_last")
            x[place] = value
            y, winner = fused.conv_relu_pool(x, weight, bias, (0, 0))
            found, found_winner = twin("conv_relu_pool")(x, weight, bias, (0, 0))
            close(found, y)
            np.testing.assert_array_equal(images_of(found_winner, n), images_of(winner, n))
            grad = normal(random, *y.shape)
            wanted = fused.conv_relu_pool_backward(grad, x, weight, winner, (0, 0), True)
            for one, other in zip(twin("conv_relu_pool_backward")(grad, x, weight, winner, (0, 0), True), wanted):
                close(one, other)
    x = np.ones((n, c, h, w), np.float32)  # all outputs of a channel are equal
    y, winner = fused.conv_relu_pool(x, weight, bias, (0, 0))
    found, found_winner = twin("conv_relu_pool")(x, weight, bias, (0, 0))
    close(found, y)
    if min(c, o) < 16:  # Winograd's method sums each of the four in another order
        np.testing.assert_array_equal(images_of(found_winner, n), images_of(winner, n))


@np.errstate(all="ignore")
@pytest.mark.parametrize("place", ["x", "weight", "grad"])
@pytest.mark.parametrize("value", [1e38, np.inf, np.nan])
def test_huge_numbers_in_wide_convolutions(value: float, place: str, target: str) -> None:
    random = rng(11)
    arrays = {"x": normal(random, 20, 16, 8, 8) / 64, "weight": normal(random, 16, 16, 3, 3) / 64}
    arrays["grad"] = normal(random, 20, 16, 8, 8) / 64
    arrays[place][3, 2, 1, 1] = value
    x, weight, grad = arrays.values()
    geometry = ONE, ONE, ONE, 1
    close(twin("conv2d")(x, weight, None, *geometry), conv.conv2d(x, weight, None, *geometry))
    wanted = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
    for one, other in zip(twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry), wanted):
        close(one, other)


GEOMETRIES = [  # kernel, stride, padding, dilation, groups
    ((3, 3), ONE, (2, 1), ONE, 1),
    ((3, 3), (2, 2), ONE, ONE, 1),
    ((3, 3), ONE, ONE, (2, 1), 1),
    ((5, 5), (2, 1), (2, 2), ONE, 1),
    ((1, 1), (2, 2), (0, 0), ONE, 1),
    ((1, 1), ONE, ONE, ONE, 1),
    ((2, 3), (3, 2), (0, 1), ONE, 1),
    ((8, 8), ONE, (0, 0), ONE, 1),
    ((3, 3), ONE, ONE, ONE, 2),
]


@pytest.mark.parametrize("n", [1, 5, 17])
@pytest.mark.parametrize("o", [6, 10])
@pytest.mark.parametrize("case", GEOMETRIES, ids=str)
def test_other_geometries_equal_their_twins(case: Any, o: int, n: int) -> None:
    kernel, *geometry = case
    random = rng(n, o)
    x, weight, bias = normal(random, n, 4, 9, 9), normal(random, o, 4 // geometry[3], *kernel), normal(random, o)
    y = conv.conv2d(x, weight, bias, *geometry)
    close(twin("conv2d")(x, weight, bias, *geometry), y)
    double = twin("conv2d")(x.astype(float), weight.astype(float), None, *geometry)
    assert double.dtype == float
    grad = normal(random, *y.shape)
    close(twin("conv2d_weight_grad")(grad, x, kernel, *geometry), conv.conv2d_weight_grad(grad, x, kernel, *geometry))
    image = (9, 9)
    close(
        twin("conv2d_input_grad")(grad, weight, image, *geometry),
        conv.conv2d_input_grad(grad, weight, image, *geometry),
    )
    wanted = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
    for one, other in zip(twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry), wanted):
        close(one, other)


def test_unaligned_and_empty_images_go_to_the_reference() -> None:
    packed = np.zeros(3 * 2 * 5 * 5, np.dtype([("skip", "u1"), ("value", "f4")]))
    packed["value"] = normal(rng(2), packed.size)
    x = packed["value"].reshape(3, 2, 5, 5)
    weight = normal(rng(3), 4, 2, 3, 3)
    geometry = ONE, ONE, ONE, 1
    close(twin("conv2d")(x, weight, None, *geometry), conv.conv2d(x, weight, None, *geometry))
    assert twin("conv2d")(x[:0], weight, None, *geometry).shape == (0, 4, 5, 5)
