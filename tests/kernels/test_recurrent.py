"""The gates of recurrent layers: native kernels against their NumPy twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import native, recurrent
from tests.kernels.comparison import normal, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

# arrays of a step of n sequences, in the order of the arguments: how many times as wide as the units each is
WIDTHS = {
    "gru_gates": (3, 3, 1, 1),
    "gru_gates_backward": (1, 3, 3, 1, 3, 3),
    "lstm_gates": (4, 4, 1, 1, 1),
    "lstm_gates_backward": (1, 1, 4, 1, 1, 4),
}


def arrays(name: str, n: int, units: int, scale: float) -> list[Any]:
    random = rng(n, units)
    return [scale * normal(random, n, width * units) for width in WIDTHS[name]]


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize(("n", "units"), [(1, 1), (3, 16), (5, 17), (64, 40), (2, 31), (300, 64)])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 30.0])
def test_a_step_equals_its_twin(name: str, n: int, units: int, scale: float, target: str) -> None:
    found = arrays(name, n, units, scale)
    wanted = [x.copy() for x in found]
    if name.endswith("backward"):  # gates are what a forward step makes of them
        for group in (found, wanted):
            gates = group[2 if name.startswith("lstm") else 1]
            gates[...] = np.tanh(gates)
    with np.errstate(all="ignore"):
        getattr(recurrent, name)(*wanted)
    twin(name)(*found)
    for number, (a, b) in enumerate(zip(found, wanted)):
        np.testing.assert_allclose(a, b, rtol=4e-6, atol=1e-6 * max(scale, scale**2), err_msg=f"argument {number}")


def test_tails_and_nan_are_those_of_the_twin(target: str) -> None:
    for value in (np.inf, -np.inf, np.nan, 100.0, -100.0, 0.0, 0.624, 0.626, -88.0, 88.0, 1e-30):
        found = [np.full((2, w * 17), value if i < 2 else 0.5, np.float32) for i, w in enumerate(WIDTHS["lstm_gates"])]
        wanted = [x.copy() for x in found]
        with np.errstate(all="ignore"):
            recurrent.lstm_gates(*wanted)
        twin("lstm_gates")(*found)
        for a, b in zip(found, wanted):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-37, err_msg=str(value))


def test_what_is_no_dense_float32_is_left_to_the_twin(target: str) -> None:
    for change in (lambda x: x.astype(np.float64), lambda x: np.repeat(x, 2, 1)[:, ::2]):
        found = [change(x) for x in arrays("gru_gates", 3, 5, 1.0)]
        wanted = [np.ascontiguousarray(x) for x in found]
        recurrent.gru_gates(*wanted)
        twin("gru_gates")(*found)
        for a, b in zip(found, wanted):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_sizes_that_do_not_fit_are_refused(target: str) -> None:
    found = [np.ascontiguousarray(x) for x in arrays("gru_gates", 3, 5, 1.0)]
    found[0] = found[0][:, :-1].copy()
    with pytest.raises(ValueError, match="sizes of a step"):
        twin("gru_gates")(*found)
