"""Dropout: torch's values and shapes, our own random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from tests.ops.sample import normal

LAYERS = [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout]
SHAPES = {nn.Dropout1d: (64, 50, 3)}
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda c: c.__name__)


def ones(layer: Any) -> lenet.Tensor:
    return lenet.ones(*SHAPES.get(layer, (64, 50, 3, 2)))


@each_layer
@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_values_shares_and_gradients_are_those_of_torch(torch: Any, layer: Any, p: float) -> None:
    lenet.manual_seed(0)
    torch.manual_seed(0)
    x = ones(layer).requires_grad_()
    y = layer(p)(x)
    theirs = getattr(torch.nn, layer.__name__)(p)(torch.ones(*x.shape))
    values, counts = np.unique(y.detach().numpy(), return_counts=True)
    expected, expected_counts = np.unique(theirs.numpy(), return_counts=True)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    draws = x.numel() if layer in (nn.Dropout, nn.AlphaDropout) else 64 * 50
    share = counts[0] / counts.sum()
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / draws)
    assert abs(share - expected_counts[0] / counts.sum()) < 8 * np.sqrt(p * (1 - p) / draws)
    y.sum().backward()
    kept = y.detach().numpy() == values[1]
    grad = x.grad.numpy()
    assert (grad[~kept] == 0).all()
    assert len(set(grad[kept].tolist())) == 1
    if "Alpha" not in layer.__name__:
        assert grad[kept][0] == pytest.approx(1 / (1 - p))


@each_layer
def test_it_prints_as_in_torch(torch: Any, layer: Any) -> None:
    for args in ((), (0.2, True)):
        assert repr(layer(*args)) == repr(getattr(torch.nn, layer.__name__)(*args))


@pytest.mark.parametrize("alpha", [False, True])
def test_dropping_does_not_change_mean_and_variance_it_promises_to_keep(alpha: bool) -> None:
    lenet.manual_seed(1)
    x = lenet.tensor(np.random.default_rng(0).standard_normal((200, 500)).astype(np.float32))
    y = (F.alpha_dropout(x, 0.3, True) if alpha else F.dropout(x, 0.3)).numpy()
    assert abs(y.mean()) < 0.02
    if alpha:
        assert abs(y.std() - 1) < 0.02


@pytest.mark.parametrize("layer", [nn.Dropout1d, nn.Dropout2d, nn.FeatureAlphaDropout], ids=lambda c: c.__name__)
def test_whole_channels_go_together(layer: Any) -> None:
    y = layer(0.5)(ones(layer)).numpy().reshape(64, 50, -1)
    assert (y == y[:, :, :1]).all()
    assert 0 < (y[:, :, 0] == y.min()).mean() < 1


@each_layer
def test_evaluation_and_p_0_hand_the_input_through(layer: Any) -> None:
    x = ones(layer)
    assert layer(0.5).eval()(x) is x
    assert layer(0.0)(x) is x


@each_layer
def test_in_place_changes_the_input(layer: Any) -> None:
    x = ones(layer)
    y = layer(0.5, inplace=True)(x)
    assert y is x
    assert (x != 1).any()


def test_in_place_is_recorded() -> None:
    leaf = lenet.ones(1000, requires_grad=True)
    y = leaf * 3
    F.dropout(y, 0.5, inplace=True)
    y.sum().backward()
    assert sorted(set(leaf.grad.tolist())) == [0.0, 6.0]


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 3, 4, 5), (7,)])
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_the_numbers_follow_the_seed_and_not_the_memory_order(shape: tuple[int, ...], p: float) -> None:
    x = normal(*shape) + 10
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
    results = []
    for array in (x, np.asarray(x, order="F"), last):
        lenet.manual_seed(5)
        results.append(F.dropout(lenet.from_numpy(array.copy(order="K")), p).numpy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert results[2].strides == last.strides, "an image stays batch-last"


def test_dropout1d_takes_one_sequence_without_batch() -> None:
    y = F.dropout1d(lenet.ones(100, 3), 0.5).numpy()
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 2.0}
    x = lenet.ones(100, 3)
    assert F.dropout1d(x, 0.5, inplace=True) is x
    assert set(np.unique(x.numpy())) == {0.0, 2.0}


def test_everything_is_dropped_at_p_1() -> None:
    x = lenet.ones(4, requires_grad=True)
    for function in (F.dropout, F.alpha_dropout):
        y = function(x, 1.0, True)
        assert y.tolist() == [0, 0, 0, 0]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_a_probability_outside_of_0_to_1_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.alpha_dropout(lenet.ones(1), p)


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError, match="floating-point"):
        F.dropout(lenet.ones(2, dtype=lenet.int64))
    with pytest.raises(RuntimeError, match="2D or 3D"):
        F.dropout1d(lenet.ones(2))
    with pytest.raises(RuntimeError, match="at least 2"), pytest.warns(UserWarning, match="dropout2d"):
        F.dropout2d(lenet.ones(2))
