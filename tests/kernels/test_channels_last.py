"""Convolutions in channels-last memory against their NumPy twins: random shapes, threads, vectors, special values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import conv, fused, native
from lenetcli.kernels.layout import images, is_channels_last, logical, pixels, stored
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from tests.kernels.comparison import close, normal, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

ORDERS: list[Callable[[np.ndarray], np.ndarray]] = [
    np.ascontiguousarray,
    lambda x: logical(stored(x)),
    lambda x: images(pixels(x)),
    lambda x: np.repeat(x, 2, 3)[..., ::2],
]


def random_case(seed: int) -> tuple[Any, ...]:
    """x, weight, bias, geometry of a convolution that may be made channels-last, and a memory order."""
    random = rng(19, seed)

    def two(low: int, high: int) -> tuple[int, int]:
        a, b = random.integers(low, high, 2)
        return int(a), int(b)

    batch = int(random.choice([1, 2, 3, 5, 8, 17, 70]))
    c, o = int(random.choice([1, 2, 3, 8, 9, 16, 17, 24, 33, 40])), int(random.choice([16, 17, 24, 32, 33, 48, 70]))
    wide = random.random() < 0.6
    kernel, padding = (3, 3) if wide else two(1, 6), two(0, 3)
    stride, dilation = (1, 1) if wide else two(1, 4), (1, 1) if wide else two(1, 3)
    smallest = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(dilation, kernel, padding)]
    h, w = (max(1, least) + int(random.integers(0, 12)) for least in smallest)
    order = ORDERS[seed % len(ORDERS)]
    x, weight = order(normal(random, batch, c, h, w)), normal(random, o, c, *kernel)
    return order, x, weight, normal(random, o), (stride, padding, dilation, 1)


@pytest.mark.parametrize("seed", range(40))
def test_random_convolutions_equal_their_twins(seed: int, each_target: Callable[[], Iterator[str]]) -> None:
    order, x, weight, bias, geometry = random_case(seed)
    y = conv.conv2d(x, weight, bias, *geometry)
    grad = order(normal(rng(seed), *y.shape))
    wanted = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
    for _ in each_target():
        close(twin("conv2d")(x, weight, bias, *geometry), y)
        found = twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)


KINDS = ("large kernel", "dilation", "few out-channels", "groups", "groups of lanes")


def other_case(kind: str, seed: int) -> tuple[Any, ...]:
    """Channels-last x, weight, bias and geometry of a convolution that is made as another one, or in parts."""
    random = rng(20, KINDS.index(kind), seed)

    def some(*values: int) -> int:
        return int(random.choice(values))

    kernel, stride, padding, dilation, groups = (3, 3), (1, 1), (1, 1), (1, 1), 1
    c, o = some(8, 16, 17, 32), some(16, 24, 33)
    if kind == "large kernel":
        kernel, c = (some(5, 6, 7), some(3, 5, 7)), some(16, 32)
        padding = some(0, 1, kernel[0] - 1), some(0, 2)
    elif kind == "dilation":
        dilation = some(2, 3, 4), some(1, 2)
        padding = dilation[0] * some(0, 1, 2), dilation[1]
    elif kind == "few out-channels":
        kernel, o = (some(1, 3, 5), some(2, 3)), some(1, 2, 3, 4)
        padding = some(0, kernel[0] - 1), 1
    else:
        groups = some(2, 3, 4)
        size = some(2, 4, 8, 16, 32)
        c, o = (
            (groups * some(3, 8, 16), groups * some(5, 8, 16)) if kind == "groups" else (groups * size, groups * size)
        )
        stride = some(1, 2), 1
    smallest = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(dilation, kernel, padding)]
    h, w = (-(-(max(1, least) + some(0, 3, 8)) // d) * d for least, d in zip(smallest, dilation))
    x, weight = images(pixels(normal(random, some(1, 2, 17), c, h, w))), normal(random, o, c // groups, *kernel)
    return x, weight, normal(random, o), (stride, padding, dilation, groups)


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions_made_as_others_equal_their_twins_with_any_number_of_threads(
    kind: str, each_target: Callable[[], Iterator[str]]
) -> None:
    before = get_num_threads()
    for seed in range(8):
        x, weight, bias, geometry = other_case(kind, seed)
        y = conv.conv2d(x, weight, bias, *geometry)
        grad = images(pixels(normal(rng(seed), *y.shape)))
        wanted = [y, *conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)]
        try:
            for _ in each_target():
                first: list[np.ndarray] | None = None
                for threads in (1, 2, 3):
                    set_num_threads(threads)
                    found = [twin("conv2d")(x, weight, bias, *geometry)]
                    found += twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry)
                    for one, other in zip(found, wanted, strict=True):
                        close(one, other)
                    first = first or found
                    for one, other in zip(found, first, strict=True):
                        np.testing.assert_array_equal(one, other)
        finally:
            set_num_threads(before)


@np.errstate(all="ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_finite_stays_where_it_belongs_in_convolutions_made_as_others(kind: str, target: str) -> None:
    for seed, value in enumerate((np.nan, np.inf, -np.inf)):
        for where in ("x", "weight"):
            x, weight, bias, geometry = other_case(kind, seed)
            (x if where == "x" else weight)[-1, -1, -1, -1] = value
            y = conv.conv2d(x, weight, bias, *geometry)
            if where == "x":
                close(twin("conv2d")(x, weight, bias, *geometry), y)
            grad = images(pixels(normal(rng(seed), *y.shape)))
            wanted = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
            for one, other in zip(twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry), wanted):
                close(one, other)


def test_an_images_bits_do_not_depend_on_its_place_in_the_batch(target: str) -> None:
    for kind in KINDS:
        x, weight, bias, geometry = other_case(kind, 1)
        one = images(pixels(x[-1:]))
        several = images(pixels(np.concatenate([one, x, one, one])))
        y, alone = twin("conv2d")(several, weight, bias, *geometry), twin("conv2d")(one, weight, bias, *geometry)
        for at in (0, -2, -1):
            np.testing.assert_array_equal(y[at], alone[0])


def test_wide_convolutions_choose_channels_last_and_thin_ones_do_not() -> None:
    random = rng(1)
    wide, thin = normal(random, 16, 3, 3, 3), normal(random, 6, 3, 3, 3)
    x = logical(stored(normal(random, 4, 3, 8, 8)))
    geometry = (1, 1), (1, 1), (1, 1), 1
    y = twin("conv2d")(x, wide, None, *geometry)
    assert is_channels_last(y)
    assert not is_channels_last(twin("conv2d")(x, thin, None, *geometry))
    following = normal(random, 5, 16, 3, 3)
    assert is_channels_last(twin("conv2d")(y, following, None, *geometry))
    d_x, _, _ = twin("conv2d_backward")(y, y, normal(random, 16, 16, 3, 3), (True, True, True), *geometry)
    assert is_channels_last(d_x)


def test_bits_are_those_of_any_number_of_threads_and_any_vectors(each_target: Callable[[], Iterator[str]]) -> None:
    """But for targets without fused multiply-adds."""
    before = get_num_threads()
    for n, c, o, side, kernel, stride in (
        (5, 33, 48, 19, 3, 1), (1, 64, 96, 8, 3, 1), (40, 16, 32, 16, 3, 1), (9, 3, 32, 20, 3, 1),
        (6, 24, 40, 17, 3, 2), (9, 40, 70, 9, 1, 1),
    ):  # fmt: skip
        random = rng(n, c)
        x, weight = images(pixels(normal(random, n, c, side, side))), normal(random, o, c, kernel, kernel)
        bias, geometry = normal(random, o), ((stride, stride), (kernel // 2, kernel // 2), (1, 1), 1)
        grad = images(pixels(normal(random, *conv.conv2d(x, weight, bias, *geometry).shape)))
        results: list[list[np.ndarray]] = []
        try:
            for name in each_target():
                for count in (1, 2, 3) if name != "v2" else ():
                    set_num_threads(count)
                    y = twin("conv2d")(x, weight, bias, *geometry)
                    gradients = twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry)
                    results.append([y.copy(), *(g.copy() for g in gradients)])
        finally:
            set_num_threads(before)
        for result in results[1:]:
            for one, other in zip(result, results[0], strict=True):
                np.testing.assert_array_equal(one, other)


@np.errstate(all="ignore")
@pytest.mark.parametrize("where", ["x", "weight", "grad"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_what_is_not_finite_stays_where_it_belongs(value: float, where: str, target: str) -> None:
    random = rng(7)
    arrays = {"x": normal(random, 2, 17, 9, 10) / 64, "weight": normal(random, 20, 17, 3, 3) / 64}
    arrays["grad"] = normal(random, 2, 20, 9, 10) / 64
    arrays[where][1, 16, 2, 2] = value
    x, weight, grad = images(pixels(arrays["x"])), arrays["weight"], images(pixels(arrays["grad"]))
    geometry = (1, 1), (1, 1), (1, 1), 1
    close(twin("conv2d")(x, weight, None, *geometry), conv.conv2d(x, weight, None, *geometry))
    wanted = conv.conv2d_backward(grad, x, weight, (True, True, True), *geometry)
    for one, other in zip(twin("conv2d_backward")(grad, x, weight, (True, True, True), *geometry), wanted):
        close(one, other)
    if where != "grad":
        close(twin("conv_relu_pool")(x, weight, None, (1, 1))[0], fused.conv_relu_pool(x, weight, None, (1, 1))[0])


def test_winograds_error_is_that_of_products_of_floats(target: str) -> None:
    """The largest beside the largest value: torch's own is up to 1.2e-6, of a weight's gradient 1.2e-5."""
    random = rng(3)
    x, weight = images(pixels(normal(random, 8, 64, 17, 16))), normal(random, 64, 64, 3, 3)
    geometry = (1, 1), (1, 1), (1, 1), 1
    grad = images(pixels(normal(random, 8, 64, 17, 16)))
    exact = [a.astype(np.float64) for a in (x, weight, grad)]
    y = conv.conv2d(exact[0], exact[1], None, *geometry)
    d_x, d_weight, _ = conv.conv2d_backward(exact[2], exact[0], exact[1], (True, True, False), *geometry)
    found = [twin("conv2d")(x, weight, None, *geometry)]
    found += twin("conv2d_backward")(grad, x, weight, (True, True, False), *geometry)[:2]
    for one, other, bound in zip(found, (y, d_x, d_weight), (3e-6, 3e-6, 1.2e-5), strict=True):
        assert np.abs(one - other).max() <= bound * np.abs(other).max()
