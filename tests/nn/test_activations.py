"""Activations where sweeps do not look: on the kinks, at infinity, in half precision, in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F

KINKS = np.array([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0], np.float32)
FUNCTIONS = {
    "relu": (), "relu6": (), "leaky_relu": (0.1,), "rrelu": (), "elu": (0.5,), "selu": (), "celu": (2.0,), "gelu": (),
    "silu": (), "mish": (), "hardtanh": (-1.0, 3.0), "hardsigmoid": (), "hardswish": (), "softplus": (2.0, 1.0),
    "softsign": (), "tanhshrink": (), "softshrink": (0.5,), "hardshrink": (0.5,), "logsigmoid": (),
    "threshold": (0.5, 2.0), "sigmoid": (), "tanh": (),
}  # fmt: skip
OVERWRITING = [
    "relu", "relu6", "leaky_relu", "rrelu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "hardsigmoid",
    "hardswish", "threshold",
]  # fmt: skip


def both(torch: Any, name: str, values: np.ndarray, *args: Any) -> tuple[Any, Any, Any, Any]:
    """Results and inputs of both packages, after a backward pass with gradients of 3."""
    found: list[Any] = []
    for package in (lenet, torch):
        x = package.from_numpy(values.copy()).requires_grad_()
        y = getattr(package.nn.functional, name)(x, *args)
        y.backward(package.full_like(y.detach(), 3.0))
        found += [y.detach().numpy(), x.grad.numpy()]
    return tuple(found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_on_the_kinks_are_those_of_torch(torch: Any, name: str) -> None:
    y, d_x, expected, d_expected = both(torch, name, KINKS, *FUNCTIONS[name])
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(d_x, d_expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"gelu"}))  # torch's gelu of infinity is NaN
def test_values_at_infinity_are_those_of_torch(torch: Any, name: str) -> None:
    values = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30, 100, -100, 88.8], np.float32)
    y, _, expected, _ = both(torch, name, values, *FUNCTIONS[name])
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_half_precision_is_as_good_as_torch(torch: Any, name: str) -> None:
    values = np.linspace(-8, 8, 50).astype(np.float16)
    y, d_x, expected, d_expected = both(torch, name, values, *FUNCTIONS[name])
    assert y.dtype == d_x.dtype == np.float16
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(d_x, d_expected, rtol=2e-3, atol=4e-3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nodes_have_the_names_of_torch(torch: Any, name: str) -> None:
    x = torch.ones(3, requires_grad=True)
    expected = getattr(torch.nn.functional, name)(x, *FUNCTIONS[name]).grad_fn.name().rstrip("0123456789")
    y = getattr(F, name)(lenet.ones(3).requires_grad_(), *FUNCTIONS[name])
    assert y.grad_fn.name() == expected


@pytest.mark.parametrize("name", OVERWRITING)
def test_inplace_writes_into_the_input(name: str) -> None:
    x = lenet.from_numpy(KINKS.copy())
    expected = getattr(F, name)(x, *FUNCTIONS[name])
    y = getattr(F, name)(x, *FUNCTIONS[name], inplace=True)
    assert y is x
    np.testing.assert_array_equal(x.numpy(), expected.numpy())


@pytest.mark.parametrize("name", OVERWRITING)
def test_inplace_on_a_leaf_that_requires_gradients_is_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="leaf"):
        getattr(F, name)(lenet.ones(3).requires_grad_(), *FUNCTIONS[name], inplace=True)


@pytest.mark.parametrize("name", OVERWRITING)
def test_an_input_changed_in_place_is_noticed_by_the_node_before(name: str) -> None:
    x = lenet.ones(3).requires_grad_()
    y = x.exp()  # keeps its result
    getattr(F, name)(y, *FUNCTIONS[name], inplace=True)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()


def test_relu_stops_infinite_gradients_where_it_is_flat() -> None:
    x = lenet.tensor([-1.0, 4.0], requires_grad=True)
    F.relu(x).sqrt().sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_relu_of_booleans_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Boolean"):
        F.relu(lenet.tensor([True]))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "gelu", "softplus", "elu"])
def test_the_memory_order_of_the_input_is_kept(name: str) -> None:
    x = lenet.from_numpy(np.moveaxis(np.ones((3, 4, 5, 2), np.float32), -1, 0)).requires_grad_()
    y = getattr(F, name)(x)
    y.backward(lenet.ones_like(y.detach()))
    assert y.detach().numpy().strides == x.detach().numpy().strides
    assert x.grad.numpy().strides == x.detach().numpy().strides


def test_rrelu_draws_slopes_within_its_bounds_and_repeats_them_with_the_seed() -> None:
    layer = lenet.nn.RReLU(0.1, 0.4)
    x = lenet.full((1000,), -2.0, requires_grad=True)
    lenet.manual_seed(3)
    y = layer(x)
    y.sum().backward()
    slopes = x.grad.numpy()
    assert slopes.min() >= 0.1
    assert slopes.max() <= 0.4
    assert slopes.std() > 0.05
    np.testing.assert_array_equal(y.detach().numpy(), -2 * slopes)
    lenet.manual_seed(3)
    np.testing.assert_array_equal(layer(x).detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize(("ndim", "dim"), [(1, 0), (2, 1), (3, 0), (4, 1)])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_leaving_out_dim_warns_and_takes_the_dimension_of_torch(name: str, ndim: int, dim: int) -> None:
    x = lenet.randn(*range(2, 2 + ndim))
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated"):
        y = getattr(F, name)(x)
    np.testing.assert_array_equal(y.numpy(), getattr(F, name)(x, dim).numpy())


def test_softmax_converts_before_it_computes() -> None:
    x = lenet.tensor([1, 2, 3])
    assert F.softmax(x, 0, dtype=lenet.float64).dtype is lenet.float64
    with pytest.raises(NotImplementedError, match="int64"):
        F.softmax(x, 0)
    y = lenet.tensor([1.0, 2.0], requires_grad=True).softmax(0, dtype=lenet.float64)
    assert y.grad_fn.name() == "SoftmaxBackward"
    assert y.grad_fn.next_functions[0][0].name() == "ToCopyBackward"


def test_softmax_survives_numbers_that_exp_does_not() -> None:
    y = lenet.tensor([1000.0, 1000.0, -1000.0]).softmax(0)
    assert y.tolist() == [0.5, 0.5, 0.0]
    z = lenet.tensor([1000.0, 0.0]).log_softmax(0)
    assert z.tolist() == [0.0, -1000.0]
    assert all(math.isnan(v) for v in lenet.tensor([-math.inf, -math.inf]).softmax(0).tolist())


def test_softmax_of_half_precision_sums_in_single_precision() -> None:
    x = lenet.zeros(4096).half()
    assert x.softmax(0).tolist() == [2.0**-12] * 4096
    assert x.log_softmax(0).numpy() == pytest.approx(np.float16(-12 * math.log(2)))


def test_prelu_says_which_numbers_do_not_match() -> None:
    with pytest.raises(RuntimeError, match="parameter numbers = 3 and channel size = 4"):
        F.prelu(lenet.ones(2, 4), lenet.ones(3))
    with pytest.raises(RuntimeError, match="float64"):
        F.prelu(lenet.ones(2, 4), lenet.ones(4).double())


def test_an_unknown_kind_of_gelu_is_refused() -> None:
    with pytest.raises(RuntimeError, match="'erf'"):
        lenet.nn.GELU("erf")(lenet.ones(2))  # type: ignore[arg-type]
