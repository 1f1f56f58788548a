"""Functions at tiny, large and special arguments: torch's values, gradients, NaNs, infinities and signs of zero."""

from __future__ import annotations

import functools
import math
import warnings

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.kernels import dispatch, native
from lenetcli.kernels.error_function import erf
from tests.ops.tails import CASES, FILE, KINDS, arguments, run

RUNS = [("numpy", "float32"), ("numpy", "float64"), *([("native", "float32")] if native.absent is None else [])]
VECTOR = 1024  # so many elements that native kernels run, too

# Where the argument is ordinary (below 20), a sum of about 1 may cancel: its error is that of 1.
CANCELS = (
    "expm1", "tanh", "gelu", "mish", "softmax", "softmin", "logsumexp", "cross_entropy", "log_target", "kl_div", "lerp",
    "cosh", "logit", "sigmoid", "poisson",
)  # fmt: skip


@functools.cache
def stored(name: str) -> dict[str, np.ndarray]:
    """What torch gave, by case: values, then gradients."""
    kept, at = {}, 0
    with np.load(FILE) as file:
        numbers = file[name]
        for code, rows in zip(CASES, file[f"{name} rows"], strict=True):
            size = rows * arguments(code, KINDS[name])[0].size
            kept[code] = numbers[at : at + size].reshape(rows, -1)
            at += size
    assert at == numbers.size, "a new case or argument: run python -m tests.ops.tails with torch installed"
    return kept


def wrong(found: np.ndarray, wanted: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Which numbers are not torch's, but for some units in the last place (of `near` or of the number, if greater)."""
    limits = np.finfo(wanted.dtype)
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - wanted)
        close = error <= 16 * np.maximum(limits.eps * np.maximum(np.abs(wanted), near), limits.smallest_subnormal)
    zeros = (found == 0) & (wanted == 0)
    same = np.where(zeros, np.signbit(found) == np.signbit(wanted), (found == wanted) | close)
    return ~(same | (np.isnan(found) & np.isnan(wanted)))


def differences(code: str, name: str, found: list[np.ndarray], wanted: np.ndarray) -> list[str]:
    given = arguments(code, KINDS[name])
    assert len(found) == len(wanted), f"{len(found)} values and gradients, torch has {len(wanted)}"
    near = np.where(np.abs(given[0]) < 20, float(any(word in code for word in CANCELS)), 0)
    lines = []
    for what, a, b in zip(("value", "gradient", "gradient of y"), found, wanted):
        for i in np.flatnonzero(wrong(a, b, near)):
            lines.append(f"{what} at {', '.join(str(x[i]) for x in given)}: {a[i]}, torch has {b[i]}")
    return lines


@pytest.mark.parametrize(("twin", "name"), RUNS)
@pytest.mark.parametrize("code", CASES)
def test_values_and_gradients_are_those_that_torch_gave(code: str, twin: dispatch.Twin, name: str) -> None:
    given = arguments(code, KINDS[name])
    times = -(-VECTOR // given[0].size)
    with dispatch.force(twin), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # such as kl_div's advice
        tiled = run("lenetcli", code, [np.tile(a, times) for a in given])
    for part in (0, times - 1):  # in the midst of a vector, and at the end
        found = [a[part * given[0].size :][: given[0].size] for a in tiled]
        assert not differences(code, name, found, stored(name)[code])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("torch")
def test_the_stored_numbers_are_torchs(name: str) -> None:
    for code in CASES:
        given = arguments(code, KINDS[name])
        at = np.random.default_rng(0).integers(given[0].size)
        alone = [np.full(given[0].size, row[0]) for row in run("torch", code, [a[at : at + 1] for a in given])]
        wanted = stored(name)[code].copy()
        wanted[:] = wanted[:, at : at + 1]
        assert not differences(code, name, alone, wanted)[: given[0].size]


def test_the_error_function_of_float32_is_within_one_unit_of_the_last_place() -> None:
    numbers = np.concatenate([np.linspace(-4.5, 4.5, 40001), np.geomspace(1e-38, 1, 2000)]).astype(np.float32)
    exact = np.array([math.erf(x) for x in numbers.tolist()])
    units = np.spacing(np.maximum(np.abs(exact).astype(np.float32), np.finfo(np.float32).tiny))
    assert (np.abs(erf(numbers) - exact) / units).max() < 1
    assert erf(np.float32([np.inf, -np.inf, -0.0])).tolist() == [1, -1, 0]


def test_logit_rises_without_bound_at_either_zero() -> None:
    x = lenet.tensor([0.0, -0.0, 1.0], requires_grad=True)
    x.logit().sum().backward()
    assert x.grad.tolist() == [np.inf] * 3
