"""The NumPy kernels of convolution and pooling against loops that follow the definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.kernels import conv
from lenetcli.kernels.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward, winner_index
from lenetcli.kernels.window import extent

Pair = tuple[int, int]


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def convolved(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """Every output and every tap in turn."""
    n, _, h, w = x.shape
    o, each, k, kl = weight.shape
    p, q = (extent(x.shape[2 + d], weight.shape[2 + d], stride[d], padding[d], dilation[d]) for d in (0, 1))
    y = np.zeros((n, o, p, q))
    for at in itertools.product(range(o), range(p), range(q), range(each), range(k), range(kl)):
        i, row, column, j, a, b = at
        r, s = row * stride[0] + a * dilation[0] - padding[0], column * stride[1] + b * dilation[1] - padding[1]
        if 0 <= r < h and 0 <= s < w:
            y[:, i, row, column] += weight[i, j, a, b] * x[:, i // (o // groups) * each + j, r, s]
    return y


@settings(max_examples=60, deadline=None)
@given(
    image=pairs(3, 8),
    kernel=pairs(1, 3),
    stride=pairs(1, 3),
    padding=pairs(0, 3),
    dilation=pairs(1, 2),
    groups=st.integers(1, 2),
    batch=st.integers(0, 3),
    cache=st.sampled_from([1, 200, 1 << 18]),
)
def test_a_convolution_is_its_definition(
    image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int, batch: int, cache: int
) -> None:
    if any((k - 1) * d + 1 > n + 2 * p for n, k, p, d in zip(image, kernel, padding, dilation)):
        return
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((batch, 2 * groups, *image)), random.standard_normal((3 * groups, 2, *kernel))
    geometry = stride, padding, dilation, groups
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "CACHE", cache)
        y = conv2d(x, weight, None, *geometry)
        np.testing.assert_allclose(y, convolved(x, weight, *geometry), atol=1e-12)
        # both gradients are the transposes of what is linear in x and in the weight
        grad = random.standard_normal(y.shape)
        d_x = conv2d_input_grad(grad, weight, image, *geometry)
        d_weight = conv2d_weight_grad(grad, x, kernel, *geometry)
    assert d_x.shape == x.shape
    assert d_weight.shape == weight.shape
    assert math.isclose(np.vdot(grad, y), np.vdot(d_x, x), abs_tol=1e-9)
    assert math.isclose(np.vdot(grad, y), np.vdot(d_weight, weight), abs_tol=1e-9)


def first_greatest(window: list[tuple[float, int]]) -> tuple[float, int]:
    """torch's rule: the first of equal values, the last NaN."""
    best, place = -math.inf, window[0][1]
    for value, at in window:
        if value > best or math.isnan(value):
            best, place = value, at
    return best, place


VALUES = [0.0, 1.0, 1.0, 2.0, -math.inf, math.nan]


@settings(max_examples=80, deadline=None)
@given(
    image=pairs(4, 8),
    kernel=pairs(1, 3),
    stride=pairs(1, 3),
    dilation=st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    padded=st.booleans(),
    ceil_mode=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_maximum_is_the_first_greatest_or_the_last_nan(
    image: Pair, kernel: Pair, stride: Pair, dilation: Pair, padded: bool, ceil_mode: bool, seed: int
) -> None:
    if any((k - 1) * d + 1 > n for n, k, d in zip(image, kernel, dilation)):
        return
    padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
    random = np.random.default_rng(seed)
    x = random.choice(VALUES, (2, 2, *image))
    best, winner = max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    place = winner_index(winner, image, kernel, stride, padding, dilation)
    grad = random.standard_normal(best.shape)
    d_x = max_pool2d_backward(grad, winner, image, kernel, stride, padding, dilation)
    expected = np.zeros_like(x)
    for n, c, p, q in np.ndindex(*best.shape):
        rows = [p * stride[0] - padding[0] + a * dilation[0] for a in range(kernel[0])]
        columns = [q * stride[1] - padding[1] + b * dilation[1] for b in range(kernel[1])]
        window = [
            (x[n, c, r, s], r * image[1] + s) for r in rows for s in columns if 0 <= r < image[0] and 0 <= s < image[1]
        ]
        value, at = first_greatest(window)
        np.testing.assert_equal(best[n, c, p, q], value)
        assert place[n, c, p, q] == at
        expected[n, c, at // image[1], at % image[1]] += grad[n, c, p, q]
    np.testing.assert_allclose(d_x, expected, atol=1e-12)


def test_an_infinite_gradient_goes_to_the_winner_only() -> None:
    x = np.arange(16.0, dtype=np.float32).reshape(1, 1, 4, 4)
    for stride in ((2, 2), (1, 1)):
        best, winner = max_pool2d(x, (2, 2), stride, (0, 0), (1, 1), False)
        grad = np.full_like(best, np.inf)
        d_x = max_pool2d_backward(grad, winner, (4, 4), (2, 2), stride, (0, 0), (1, 1))
        assert not np.isnan(d_x).any()
        assert d_x[0, 0, 0, 0] == 0
        assert d_x[0, 0, 3, 3] == np.inf


def test_windows_of_more_than_256_pixels_know_their_winner() -> None:
    x = np.zeros((1, 1, 20, 20), np.float32)
    x[0, 0, 19, 18] = 1
    best, winner = max_pool2d(x, (20, 20), (1, 1), (0, 0), (1, 1), False)
    assert best.item() == 1
    assert winner_index(winner, (20, 20), (20, 20), (1, 1), (0, 0), (1, 1)).item() == 19 * 20 + 18
