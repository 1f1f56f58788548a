"""Batch norm layers against torch's, and what they do with numbers and arguments that torch treats less well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.errors import ShapeError
from tests.nn.parity import assert_same_training, pair
from tests.ops.sample import normal

OPTIONS: list[dict[str, Any]] = [
    {},
    {"eps": 1e-3, "momentum": 0.3},
    {"momentum": None},
    {"affine": False},
    {"bias": False},
    {"track_running_stats": False},
    {"affine": False, "track_running_stats": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [("BatchNorm1d", (6, 3)), ("BatchNorm1d", (4, 3, 5)), ("BatchNorm2d", (4, 3, 5, 2)), ("BatchNorm2d", (1, 3, 4, 4))],
)
def test_training_and_evaluation_equal_torch(
    torch: Any, layer: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    assert_same_training(torch, lambda n: getattr(n, layer)(3, **options), normal(*shape))


def test_a_layer_of_doubles_keeps_doubles(torch: Any) -> None:
    ours, theirs = pair(torch, lambda n: n.BatchNorm1d(3, dtype=torch.float64 if n is torch.nn else lenet.float64))
    x = normal(5, 3).astype(np.float64)
    np.testing.assert_allclose(
        ours(lenet.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("offset", [1e3, 1e5])
@pytest.mark.parametrize("shape", [(32, 3), (16, 4, 9, 9)])
def test_a_large_mean_costs_no_digits(shape: tuple[int, ...], offset: float) -> None:
    random = np.random.default_rng(0)
    x = (random.standard_normal(shape) + offset).astype(np.float32)
    leaf = lenet.tensor(x, requires_grad=True)
    weight = lenet.ones(shape[1], requires_grad=True)
    y = F.batch_norm(leaf, None, None, weight, training=True)
    grad = random.standard_normal(shape).astype(np.float32)
    y.backward(lenet.tensor(grad))
    axes = (0, *range(2, len(shape)))
    exact = x.astype(np.float64)
    centred = exact - exact.mean(axes, keepdims=True)
    z = centred / np.sqrt(np.square(centred).mean(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y.detach().numpy(), z, rtol=0, atol=2e-6)
    np.testing.assert_allclose(weight.grad.numpy(), (grad * z).sum(axes), rtol=0, atol=2e-4)


def test_channels_beyond_one_block_are_all_normalised() -> None:
    y = F.batch_norm(lenet.tensor(normal(64, 40, 8, 8)), None, None, training=True).numpy()
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, atol=1e-3)


def test_half_precision_is_computed_in_single(torch: Any) -> None:
    x = (normal(6, 3) + 50).astype(np.float16)
    ours = F.batch_norm(lenet.tensor(x), None, None, lenet.ones(3), lenet.zeros(3), training=True)
    theirs = torch.nn.functional.batch_norm(torch.tensor(x), None, None, torch.ones(3), torch.zeros(3), training=True)
    assert ours.dtype is lenet.float16
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-3, atol=2e-3)


def test_node_and_edges_are_named_as_in_torch() -> None:
    layer = nn.BatchNorm1d(2)
    node = layer(lenet.ones(3, 2, requires_grad=True)).grad_fn
    assert node.name() == "NativeBatchNormBackward"
    assert [n.name() for n, _ in node.next_functions] == ["AccumulateGrad"] * 3


def test_evaluation_changes_nothing() -> None:
    layer = nn.BatchNorm2d(2).eval()
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    layer(lenet.tensor(normal(3, 2, 2, 2)))
    assert all(bool((before[k] == v).all()) for k, v in layer.state_dict().items())


def test_reset_forgets_the_batches_seen() -> None:
    layer = nn.BatchNorm1d(2)
    layer(lenet.tensor(normal(3, 2)))
    assert int(layer.num_batches_tracked) == 1
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.running_var.tolist() == [1, 1]
    assert int(layer.num_batches_tracked) == 0


def test_an_empty_batch_leaves_the_statistics_alone() -> None:
    layer = nn.BatchNorm2d(2)
    x = lenet.zeros(0, 2, 3, 3, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == (0, 2, 3, 3)
    assert layer.running_mean.tolist() == [0, 0]


def test_one_value_per_channel_cannot_be_trained_on() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(3)(lenet.ones(1, 3))
    nn.BatchNorm1d(3).eval()(lenet.ones(1, 3))


@pytest.mark.parametrize(
    ("layer", "shape", "error"),
    [
        (nn.BatchNorm2d(3), (2, 3), ValueError),
        (nn.BatchNorm1d(3), (2, 3, 2, 2), ValueError),
        (nn.BatchNorm1d(3), (3,), ValueError),
        (nn.BatchNorm1d(3), (2, 4), ShapeError),
        (nn.BatchNorm2d(3, track_running_stats=False), (2, 4, 1, 1), ShapeError),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(layer: Any, shape: tuple[int, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        layer(lenet.ones(*shape))


def test_arguments_that_do_not_fit_are_refused() -> None:
    x, two = lenet.ones(3, 2), lenet.ones(2)
    with pytest.raises(RuntimeError, match="evaluation mode"):
        F.batch_norm(x, None, None)
    with pytest.raises(ValueError, match="both be None"):
        F.batch_norm(x, two, None, training=True)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.batch_norm(x.double(), None, None, two, training=True)
    with pytest.raises(NotImplementedError, match="int64"):
        F.batch_norm(x.long(), None, None, training=True)
    with pytest.raises(TypeError, match="momentum"):
        F.batch_norm(x, None, None, training=True, momentum=None)  # type: ignore[arg-type]  # the point
    with pytest.raises(RuntimeError, match="not differentiable"):
        F.batch_norm(x, two.clone().requires_grad_(), two, training=True)
    with pytest.raises(ShapeError, match="bias should contain 2 elements"):
        F.batch_norm(x, None, None, two, lenet.ones(3), training=True)
