"""Resampling and adaptive means (native/resample.h) against their references."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import avg_pool, native, resize
from lenetcli.kernels.layout import is_channels_last
from tests.kernels.comparison import ORDERS, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

FLOAT = np.dtype(np.float32)


@pytest.mark.parametrize(("size", "out"), [(1, 1), (5, 10), (7, 3), (8, 8), (3, 40), (33, 5)])
def test_resampling_equals_its_reference(size: int, out: int, target: str) -> None:
    kinds = [
        resize.nearest_taps(size, out, None, False, FLOAT, 2),
        resize.linear_taps(size, out, None, False, FLOAT, 2),
        resize.linear_taps(size, out, None, True, FLOAT, 2),
        resize.cubic_taps(size, out, None, False, FLOAT, 2),
    ]
    for taps in kinds:
        for shape, axis in (((3, size, 17), 1), ((4, size), 1), ((size, 5, 3), 0), ((2, 3, size, 1), 2)):
            x = normal(rng(size, out), *shape)
            y = resize.resample(x, axis, taps)
            close(twin("resample")(x, axis, taps), y, 1e-6)
            close(twin("resample_backward")(y, axis, size, taps), resize.resample_backward(y, axis, size, taps), 2e-6)


def test_the_nearest_pixel_stays_as_it_is(target: str) -> None:
    taps = resize.nearest_taps(4, 8, None, False, FLOAT, 2)
    x = np.array([[-0.0, np.nan, np.inf, 0.0]], np.float32)
    for rows in (x, np.repeat(x[..., None], 20, axis=2)):
        y = twin("resample")(rows, 1, taps)
        np.testing.assert_array_equal(y.view(np.int32), np.repeat(rows, 2, axis=1).view(np.int32))


@pytest.mark.parametrize(
    ("image", "out"), [((5, 7), (1, 1)), ((8, 8), (4, 2)), ((9, 6), (4, 5)), ((3, 2), (5, 4)), ((70, 1), (1, 1))]
)
@pytest.mark.parametrize("n", [1, 2, 17])
def test_adaptive_means_equal_their_references(
    image: tuple[int, int], out: tuple[int, int], n: int, target: str
) -> None:
    for order in ORDERS:
        x = ordered(normal(rng(n), n, 6, *image), order)
        y = avg_pool.adaptive_avg_pool2d(x, out)
        close(twin("adaptive_avg_pool2d")(x, out), y, 2e-6)
        last = is_channels_last(x)
        d_x = twin("adaptive_avg_pool2d_backward")(ordered(y, order), image, last)
        close(d_x, avg_pool.adaptive_avg_pool2d_backward(y, image, last), 2e-6)
        assert is_channels_last(d_x) == last
