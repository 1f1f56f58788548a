"""Recurrent layers: all steps by native kernels against their NumPy twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.kernels import native, recurrent
from tests.kernels.comparison import normal, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

SIZES = [[3, 3, 3], [1], [64, 64], [7, 5, 5, 1], [1, 5, 5, 7]]  # sequences of each step, in walking order


def reference(name: str) -> Any:
    return getattr(recurrent, name)


def path(sizes: list[int]) -> tuple[list[int], list[int]]:
    return [sum(sizes[:s]) for s in range(len(sizes))], sizes


def gru(kernels: Any, sizes: list[int], units: int, scale: float = 1.0, kind: Any = np.float32) -> list[Any]:
    """Everything that a forward and a backward walk fill in."""
    random, rows, n = rng(units, len(sizes)), sum(sizes), max(sizes)

    def made(*shape: int) -> Any:
        return (scale * normal(random, *shape)).astype(kind)

    gates, hidden, weight, h = made(rows, 3 * units), made(rows, 3 * units), made(units, 3 * units), made(n, units)
    before, y = np.empty((rows, units), kind), np.empty((rows, units), kind)
    d_y, d_h = made(rows, units), made(n, units)
    d_gates, d_hidden = np.empty_like(gates), np.empty_like(hidden)
    kernels("gru_walk")(gates, hidden, weight, h, before, y, *path(sizes))
    kernels("gru_walk_backward")(d_y, gates, hidden, before, weight.T, d_h, d_gates, d_hidden, *path(sizes))
    return [gates, hidden, h, before, y, d_h, d_gates, d_hidden]


def lstm(
    kernels: Any, sizes: list[int], units: int, outputs: int = 0, scale: float = 1.0, kind: Any = np.float32
) -> list[Any]:
    """Everything that a forward and a backward walk fill in."""
    random, rows, n = rng(units, len(sizes)), sum(sizes), max(sizes)

    def made(*shape: int) -> Any:
        return (scale * normal(random, *shape)).astype(kind)

    width = outputs or units
    gates, weight, h, c = made(rows, 4 * units), made(width, 4 * units), made(n, width), made(n, units)
    down = made(units, outputs) if outputs else None
    before, y = np.empty((rows, width), kind), np.empty((rows, width), kind)
    cell, cell_before = np.empty((rows, units), kind), np.empty((rows, units), kind)
    out = np.empty((rows, units), kind) if outputs else y
    d_y, d_h, d_c, d_gates = made(rows, width), made(n, width), made(n, units), np.empty_like(gates)
    kernels("lstm_walk")(gates, weight, down, h, c, before, cell_before, cell, out, y, *path(sizes))
    up = None if down is None else down.T
    kernels("lstm_walk_backward")(d_y, gates, cell_before, cell, weight.T, up, d_h, d_c, d_gates, *path(sizes))
    return [gates, h, c, before, cell_before, cell, out, y, d_y, d_h, d_c, d_gates]


def same(found: list[Any], wanted: list[Any]) -> None:
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5 * max(1, np.abs(b).max()), err_msg=f"result {number}")


@pytest.mark.parametrize("units", [1, 16, 17, 40])
@pytest.mark.parametrize("sizes", SIZES)
def test_all_steps_equal_their_twin(sizes: list[int], units: int, target: str) -> None:
    same(gru(twin, sizes, units), gru(reference, sizes, units))
    same(lstm(twin, sizes, units), lstm(reference, sizes, units))
    same(lstm(twin, sizes, units, 5), lstm(reference, sizes, units, 5))


@pytest.mark.parametrize("scale", [1e-3, 30.0, np.inf])
def test_small_large_and_not_finite_numbers(scale: float, target: str) -> None:
    with np.errstate(all="ignore"):
        same(gru(twin, [5], 17, scale), gru(reference, [5], 17, scale))
        same(lstm(twin, [5], 17, 0, scale), lstm(reference, [5], 17, 0, scale))


def test_what_is_no_float32_is_left_to_the_twin(target: str) -> None:
    for found, wanted in ((gru, gru), (lstm, lstm)):
        for a, b in zip(found(twin, [3], 5, kind=np.float64), wanted(reference, [3], 5, kind=np.float64)):
            np.testing.assert_array_equal(a, b)


def test_bits_do_not_depend_on_threads(target: str) -> None:
    before, found = lenet.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            lenet.set_num_threads(threads)
            found.append([*gru(twin, [64, 64, 50, 7], 64), *lstm(twin, [64, 64, 50, 7], 64, 24)])
    finally:
        lenet.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


def test_sizes_that_do_not_fit_are_refused(target: str) -> None:
    x, weight, state = np.zeros((3, 12), np.float32), np.zeros((4, 12), np.float32), np.zeros((3, 4), np.float32)
    walk = twin("gru_walk")
    with pytest.raises(ValueError, match="a step"):
        walk(x, x.copy(), weight, state, state.copy(), state.copy(), [0], [4])
    with pytest.raises(ValueError, match="sizes of a layer"):
        walk(x, x[:, :-1].copy(), weight, state, state.copy(), state.copy(), [0], [3])
    with pytest.raises(ValueError, match="sizes of a weight"):
        walk(x, x.copy(), weight[:3], state, state.copy(), state.copy(), [0], [3])


def test_gates_of_one_unit_are_sigmoids() -> None:
    gates = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
    wanted = 1 / (1 + np.exp(-gates[:, 3]))
    zero, other = np.zeros((3, 1), np.float32), np.zeros((3, 4), np.float32)
    recurrent.lstm_gates(gates, other, zero, zero.copy(), zero.copy())
    np.testing.assert_allclose(gates[:, 3], wanted, rtol=1e-6)
