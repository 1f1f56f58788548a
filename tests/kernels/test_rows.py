"""Linear layers of many rows, which stay rows, against their references: odd sizes, memory orders, threads."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import linear, native, selection
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from tests.kernels.comparison import ORDERS, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


@pytest.mark.parametrize(("rows", "size"), [(512, (1, 3)), (515, (33, 17)), (1029, (64, 130)), (4097, (7, 96))])
@pytest.mark.parametrize("order", ORDERS)
def test_many_rows_stay_rows_in_a_linear_layer(rows: int, size: tuple[int, int], order: str, target: str) -> None:
    random, (inputs, out) = rng(rows), size
    x, weight, bias = normal(random, rows, inputs), normal(random, out, inputs), normal(random, out)
    grad, y = ordered(normal(random, rows, out), order), linear.linear(x, weight, bias)
    cut = linear.linear_relu(x, weight, bias)
    wanted = [y, cut, *linear.linear_backward(grad, x, weight, True)]
    wanted += linear.linear_relu_backward(grad, x, weight, cut, True)
    before = get_num_threads()
    first: list[np.ndarray] = []
    try:
        for count in (1, 2, 3):
            set_num_threads(count)
            found = [twin("linear")(x, weight, bias), twin("linear_relu")(x, weight, bias)]
            found += twin("linear_backward")(grad, x, weight, True)
            found += twin("linear_relu_backward")(grad, x, weight, cut, True)
            assert found[0].flags.c_contiguous
            np.testing.assert_array_equal(found[1], selection.relu(found[0]))
            close(twin("linear")(x, weight, None), linear.linear(x, weight, None))
            for one, other in zip(found, wanted, strict=True):
                close(one, other, 1e-4)
            first = first or found
            for one, other in zip(found, first, strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        set_num_threads(before)
