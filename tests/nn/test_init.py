"""Initial values: exact ones equal torch's, random ones have the distribution they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.nn import init

WEIGHT = (60, 40, 3, 5)  # fan in 600, fan out 900


def drawn(fill: Callable[[lenet.Tensor], Any], shape: tuple[int, ...] = WEIGHT) -> np.ndarray:
    lenet.manual_seed(0)
    tensor = lenet.empty(*shape)
    assert fill(tensor) is tensor
    values: np.ndarray = tensor.numpy()
    return values.astype(np.float64).ravel()


def assert_distributed(values: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> None:
    """Kolmogorov and Smirnov's test at a level of one in ten thousand."""
    values = np.sort(values)
    expected = cumulative(values)
    steps = np.arange(len(values) + 1) / len(values)
    distance = max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())
    assert distance < 2.23 / math.sqrt(len(values))


def uniform(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.clip((x - low) / (high - low), 0, 1)


def normal(mean: float, std: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.array([(1 + math.erf((v - mean) / std / math.sqrt(2))) / 2 for v in x])


def truncated(mean: float, std: float, a: float, b: float) -> Callable[[np.ndarray], np.ndarray]:
    whole = normal(mean, std)
    low, high = whole(np.array([a, b]))
    return lambda x: (whole(x) - low) / (high - low)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (lambda t: init.uniform_(t, -2, 5), uniform(-2, 5)),
        (lambda t: init.normal_(t, 3, 0.5), normal(3, 0.5)),
        (lambda t: init.xavier_uniform_(t, 2), uniform(-2 * math.sqrt(6 / 1500), 2 * math.sqrt(6 / 1500))),
        (lambda t: init.xavier_normal_(t, 2), normal(0, 2 * math.sqrt(2 / 1500))),
        (lambda t: init.kaiming_uniform_(t), uniform(-math.sqrt(6 / 600), math.sqrt(6 / 600))),
        (lambda t: init.kaiming_uniform_(t, math.sqrt(5), "fan_out"), uniform(-1 / 30, 1 / 30)),
        (lambda t: init.kaiming_normal_(t, nonlinearity="relu"), normal(0, math.sqrt(2 / 600))),
        (lambda t: init.kaiming_normal_(t, 0, "FAN_OUT", "tanh"), normal(0, 5 / 3 / 30)),
        (lambda t: init.trunc_normal_(t), truncated(0, 1, -2, 2)),
        (lambda t: init.trunc_normal_(t, 1, 0.5, 0.8, 5), truncated(1, 0.5, 0.8, 5)),
        (lambda t: init.trunc_normal_(t, 0, 1, 1.5, 3), truncated(0, 1, 1.5, 3)),
        (lambda t: init.trunc_normal_(t, 0, 1, -0.2, 0.1), truncated(0, 1, -0.2, 0.1)),
    ],
)
def test_random_numbers_have_the_distribution_they_promise(
    fill: Callable[[lenet.Tensor], Any], expected: Callable[[np.ndarray], np.ndarray]
) -> None:
    assert_distributed(drawn(fill), expected)


@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
def test_far_tails_are_drawn_as_well() -> None:
    values = drawn(lambda t: init.trunc_normal_(t, 0, 1, 4, 6), (20000,))
    assert_distributed(values, truncated(0, 1, 4, 6))
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(lenet.empty(3), 0, 1, 4, 6)


@pytest.mark.parametrize("name", ["uniform_", "normal_", "xavier_uniform_", "kaiming_normal_", "trunc_normal_"])
def test_draws_are_as_spread_as_torchs(torch: Any, name: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.empty(*WEIGHT)).numpy()
    ours = drawn(getattr(init, name))
    assert ours.std() == pytest.approx(float(theirs.std()), rel=0.02)
    assert ours.mean() == pytest.approx(float(theirs.mean()), abs=0.03 * float(theirs.std()))


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (20, 4, 5), (6, 6)])
def test_orthogonal_rows_or_columns_are_orthogonal_and_of_length_gain(shape: tuple[int, ...]) -> None:
    lenet.manual_seed(0)
    q = init.orthogonal_(lenet.empty(*shape, dtype=lenet.float64), gain=3).numpy().reshape(shape[0], -1)
    product = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_matrices_prefer_no_direction() -> None:
    lenet.manual_seed(0)
    angles = []
    for _ in range(2000):
        q = init.orthogonal_(lenet.empty(2, 2)).numpy()
        angles.append(math.atan2(q[1, 0], q[0, 0]))
    assert_distributed(np.array(angles), uniform(-math.pi, math.pi))


def test_sparse_columns_have_their_share_of_zeros_at_random_places() -> None:
    lenet.manual_seed(0)
    values = init.sparse_(lenet.empty(50, 400), sparsity=0.31, std=0.1).numpy()
    assert ((values == 0).sum(axis=0) == 16).all()
    assert abs((values == 0).mean(axis=1) - 0.32).max() < 0.1
    assert_distributed(values[values != 0].astype(np.float64), normal(0, 0.1))


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        ("constant_", (2, 3), (0.3,)),
        ("ones_", (2,), ()),
        ("zeros_", (2,), ()),
        ("eye_", (3, 4), ()),
        ("eye_", (4, 3), ()),
        ("dirac_", (3, 2, 5), ()),
        ("dirac_", (2, 3, 4, 3), ()),
        ("dirac_", (6, 2, 3, 3), (3,)),
        ("dirac_", (4, 2, 1, 2, 3), (2,)),
    ],
    ids=str,
)
def test_fixed_values_equal_torch(torch: Any, name: str, shape: tuple[int, ...], args: tuple[Any, ...]) -> None:
    ours = getattr(init, name)(lenet.full(shape, 9.0), *args)
    theirs = getattr(torch.nn.init, name)(torch.full(shape, 9.0), *args)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_equal_torch(torch: Any, name: str) -> None:
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    if name == "leaky_relu":
        assert init.calculate_gain(name, 0.3) == torch.nn.init.calculate_gain(name, 0.3)


def test_a_generator_of_its_own_leaves_the_default_one_alone() -> None:
    lenet.manual_seed(3)
    expected = lenet.rand(2)
    lenet.manual_seed(3)
    fills = [
        init.uniform_,
        init.normal_,
        init.trunc_normal_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.orthogonal_,
    ]
    for fill in (*fills, lambda t, generator: init.sparse_(t, 0.5, generator=generator)):
        a = fill(lenet.empty(3, 4), generator=lenet.Generator().manual_seed(1))
        b = fill(lenet.empty(3, 4), generator=lenet.Generator().manual_seed(1))
        assert a.tolist() == b.tolist()
    assert lenet.rand(2).tolist() == expected.tolist()


def test_parameters_may_be_filled_while_gradients_are_recorded() -> None:
    weight = lenet.nn.Parameter(lenet.empty(3, 4))
    version = weight._version
    for fill in (init.ones_, init.normal_, init.eye_, init.orthogonal_):
        fill(weight)
    assert weight.is_leaf
    assert weight._version == version + 4, "backward notices the change"


def test_nothing_to_fill_warns_as_in_torch() -> None:
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element"):
            assert fill(lenet.empty(0, 3)).shape == (0, 3)
    assert init.orthogonal_(lenet.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: init.eye_(lenet.empty(3)), ValueError),
        (lambda: init.dirac_(lenet.empty(3, 3)), ValueError),
        (lambda: init.dirac_(lenet.empty(3, 3, 3), 2), ValueError),
        (lambda: init.sparse_(lenet.empty(3), 0.1), ValueError),
        (lambda: init.orthogonal_(lenet.empty(3)), ValueError),
        (lambda: init.xavier_uniform_(lenet.empty(3)), ValueError),
        (lambda: init.kaiming_normal_(lenet.empty(3)), ValueError),
        (lambda: init.kaiming_normal_(lenet.empty(3, 3), mode="fan"), ValueError),
        (lambda: init.calculate_gain("swish"), ValueError),
        (lambda: init.calculate_gain("leaky_relu", True), ValueError),
        (lambda: init.calculate_gain("leaky_relu", "a"), ValueError),
        (lambda: init.normal_(lenet.empty(3), 0, -1), RuntimeError),
        (lambda: init.uniform_(lenet.empty(3), 2, 1), RuntimeError),
        (lambda: init.trunc_normal_(lenet.empty(3), 0, 1, 2, 1), RuntimeError),
        (lambda: init.normal_(lenet.zeros(3, dtype=lenet.int64)), NotImplementedError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()
