"""Of 0 and -0 a kernel gives the one that torch gives: relu leaves -0, a window gives the first of equal ones."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import dispatch, native, selection

pytestmark = pytest.mark.parametrize("twin", ["numpy", *(["native"] if native.absent is None else [])])
SIZES = [1, 3, 17, 1024, 3001]


def zeros(*shape: int) -> np.ndarray:
    """0 and -0 by chance, and now and then -1."""
    return np.random.default_rng(0).choice(np.array([0, -0.0, -1], np.float32), shape)


def same_bits(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{b.itemsize}"))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_relu_leaves_them(size: int, kind: type, twin: dispatch.Twin) -> None:
    x = zeros(size).astype(kind)
    with dispatch.force(twin):
        same_bits(dispatch.relu(x), np.where(x < 0, kind(0), x))


@pytest.mark.parametrize("size", SIZES)
def test_the_greater_and_the_smaller_of_equal_ones_is_the_second(
    size: int, twin: dispatch.Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = np.abs(zeros(size)) * 0, zeros(size)
    b[b < 0] = -0.0
    for unsure in (selection._UNSURE, "efd"):  # as on this machine, and as where NumPy's maximum does otherwise
        monkeypatch.setattr(selection, "_UNSURE", unsure)
        for kind in (np.float16, np.float32, np.float64):
            x, y = a.astype(kind), b.astype(kind)
            same_bits(selection.larger(x, y), y)
            same_bits(selection.smaller(-x, y), y)
            same_bits(selection.larger(0, y), y)


@pytest.mark.parametrize("batch", [1, 5, 16, 40])
def test_a_windows_maximum_is_the_first_of_equal_ones(batch: int, twin: dispatch.Twin) -> None:
    x = np.moveaxis(np.copysign(np.float32(0), zeros(3, 8, 8, batch)), -1, 0)
    with dispatch.force(twin):
        y, winner = dispatch.max_pool2d(x, (2, 2), (2, 2), (0, 0), (1, 1), False)
    same_bits(np.ascontiguousarray(y), np.ascontiguousarray(x[:, :, ::2, ::2]))
    assert not winner.any()
