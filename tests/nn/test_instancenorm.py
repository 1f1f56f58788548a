"""Instance norm layers against torch's."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.errors import ShapeError
from tests.nn.parity import assert_same_training
from tests.ops.sample import normal

OPTIONS: list[dict[str, Any]] = [
    {},
    {"affine": True, "eps": 1e-3},
    {"affine": True, "bias": False},
    {"track_running_stats": True, "momentum": 0.3},
    {"affine": True, "track_running_stats": True},
    {"track_running_stats": True, "momentum": None},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("InstanceNorm1d", (4, 3, 5)),
        ("InstanceNorm1d", (3, 5)),
        ("InstanceNorm2d", (4, 3, 5, 2)),
        ("InstanceNorm2d", (3, 5, 2)),
    ],
)
def test_training_and_evaluation_equal_torch(
    torch: Any, layer: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    assert_same_training(torch, lambda n: getattr(n, layer)(3, **options), normal(*shape))


@pytest.mark.parametrize(
    ("layer", "shape", "error"),
    [
        (nn.InstanceNorm2d(3), (2, 3), ValueError),
        (nn.InstanceNorm1d(3), (3,), ValueError),
        (nn.InstanceNorm1d(3, affine=True), (2, 4, 5), ValueError),
        (nn.InstanceNorm1d(3), (2, 3, 1), ValueError),
        (nn.InstanceNorm2d(3, track_running_stats=True).eval(), (2, 4, 2, 2), ShapeError),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*num_features")
def test_inputs_that_do_not_fit_are_refused(layer: Any, shape: tuple[int, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        layer(lenet.ones(*shape))


def test_a_number_of_channels_that_nothing_uses_only_warns() -> None:
    with pytest.warns(UserWarning, match="num_features is 3"):
        nn.InstanceNorm1d(3)(lenet.tensor(normal(2, 4, 5)))


def test_arguments_that_do_not_fit_are_refused() -> None:
    x, three = lenet.tensor(normal(2, 3, 4)), lenet.ones(3)
    with pytest.raises(RuntimeError, match="use_input_stats"):
        F.instance_norm(x, use_input_stats=False)
    with pytest.raises(ValueError, match="both be None"):
        F.instance_norm(x, three)
    with pytest.raises(ShapeError, match="weight should contain 3"):
        F.instance_norm(x, weight=lenet.ones(2))
    with pytest.raises(ValueError, match="spatial"):
        F.instance_norm(lenet.ones(2, 3))
