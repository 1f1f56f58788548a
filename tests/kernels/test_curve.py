"""Activation functions in one loop each (native/curve.h) against their formulas in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import activation, dispatch, native
from tests.kernels.comparison import ORDERS, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

CURVES: dict[str, tuple[float, ...]] = {
    "leaky_relu": (0.01,),
    "threshold": (0.5, -3),
    "hardtanh": (-0.5, 1),
    "hardsigmoid": (),
    "hardswish": (),
    "hardshrink": (0.5,),
    "softshrink": (0.5,),
    "elu": (1.5, 1.1, 0.7),
    "gelu": (),
    "gelu_tanh": (),
    "silu": (),
    "mish": (),
    "softplus": (2, 20),
    "log_sigmoid": (),
    "sigmoid": (),
    "tanh": (),
}
BY_REFERENCE = ("gelu_tanh", "mish")  # whose gradient the reference computes
OF_RESULT = ("sigmoid", "tanh")  # gradients that take y
SHAPES = [(1,), (3, 5), (2, 7, 3, 5), (17, 6, 5, 4), (40000,)]


def numbers(*shape: int) -> np.ndarray:
    """Of all sizes, with kinks, zeros of both signs and what is not finite among them."""
    x = normal(rng(*shape), *shape) * np.float32(4)
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, 3, -3, 0.5, -0.5, 1, 88, -88, 100, -100, 1e-30, -1e-6, 1e15, -1e15]
    if x.size > 2 * len(special):
        x.flat[:: x.size // len(special) - 1][: len(special)] = special
    return x


def same(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    """Equal to rounding."""
    assert found.dtype == np.float32, what
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found, wanted.astype(np.float32), rtol=4e-6, atol=1e-6, err_msg=what)


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_and_its_gradient_are_those_of_the_formula(name: str, target: str) -> None:
    constants = CURVES[name]
    with np.errstate(all="ignore"):
        for shape in SHAPES:
            for order in ORDERS:
                x = ordered(numbers(*shape), order)
                y = activation.curve(x.astype(np.float64), name, *constants)
                found = twin("curve")(x, name, *constants)
                what = f"{name} {shape} {order} {target}"
                same(found, y, what)
                np.testing.assert_array_equal(np.signbit(found)[y == 0], np.signbit(y)[y == 0], err_msg=what)
                if order != "strided":
                    assert found.strides == x.strides
                if name in BY_REFERENCE:
                    continue
                grad, seen = normal(rng(1), *shape), found if name in OF_RESULT else x
                d_x = activation.curve_backward(grad.astype(np.float64), seen.astype(np.float64), name, *constants)
                for grad_order in ORDERS:
                    d_found = twin("curve_backward")(ordered(grad, grad_order), seen, name, *constants)
                    same(d_found, d_x, f"gradient of {what}")


def test_what_is_no_float32_goes_to_the_reference() -> None:
    for x in (np.linspace(-2, 2, 7), np.zeros((0, 3), np.float32), np.float16([1, 2])):
        np.testing.assert_array_equal(twin("curve")(x, "silu"), activation.curve(x, "silu"))
        np.testing.assert_array_equal(twin("curve_backward")(x, x, "silu"), activation.curve_backward(x, x, "silu"))


def test_each_curve_has_a_reference_and_a_gradient() -> None:
    for name, constants in CURVES.items():
        x = numbers(100)
        with dispatch.force("numpy"), np.errstate(all="ignore"):
            assert dispatch.curve(x, name, *constants).shape == x.shape
            assert dispatch.curve_backward(x, x, name, *constants).shape == x.shape
