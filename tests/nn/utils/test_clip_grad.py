"""Gradient clipping against torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.nn import utils
from tests.ops.sample import normal


def with_grads(library: Any, scale: float = 1.0, kinds: tuple[Any, ...] = (np.float32, np.float32)) -> list[Any]:
    """Parameters of either library with the same gradients; the last one has none."""
    parameters = []
    random = np.random.default_rng(0)
    for shape, kind in zip(((3, 4), (5,)), kinds):
        grad = (random.standard_normal(shape) * scale).astype(kind)
        p = library.nn.Parameter(library.tensor(grad * 0))
        p.grad = library.tensor(grad)
        parameters.append(p)
    return [*parameters, library.nn.Parameter(library.ones(2))]


def assert_same_grads(ours: list[Any], theirs: list[Any]) -> None:
    for p, q in zip(ours, theirs):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            assert str(p.grad.dtype) == str(q.grad.dtype)
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("kinds", [(np.float32, np.float32), (np.float64, np.float32)], ids=["single", "mixed"])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 2, 3.5, float("inf"), "inf", 0.0])
@pytest.mark.parametrize("max_norm", [0.5, 1e4])
def test_clipping_by_norm_equals_torch(torch: Any, max_norm: float, norm_type: Any, kinds: tuple[Any, ...]) -> None:
    ours, theirs = with_grads(lenet, 3.0, kinds), with_grads(torch, 3.0, kinds)
    got = utils.clip_grad_norm_(ours, max_norm, norm_type)
    wanted = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert str(got.dtype) == str(wanted.dtype)
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)
    assert_same_grads(ours, theirs)


@pytest.mark.parametrize("limit", [0.5, 1, 100.0])
def test_clipping_by_value_equals_torch(torch: Any, limit: float) -> None:
    ours, theirs = with_grads(lenet, 3.0), with_grads(torch, 3.0)
    utils.clip_grad_value_(ours, limit)
    torch.nn.utils.clip_grad_value_(theirs, limit)
    assert_same_grads(ours, theirs)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_scales_as_in_torch_or_raises_and_changes_nothing(torch: Any, bad: float) -> None:
    ours, theirs = with_grads(lenet), with_grads(torch)
    for params in (ours, theirs):
        params[0].grad[0, 0] = bad
    before = [p.grad.numpy().copy() for p in ours[:2]]
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    for p, kept in zip(ours, before):
        np.testing.assert_array_equal(p.grad.numpy(), kept)
    utils.clip_grad_norm_(ours, 1.0)
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    assert_same_grads(ours, theirs)


def test_one_parameter_or_a_generator_will_do() -> None:
    ours = with_grads(lenet)
    (p, *_), before = ours, ours[0].grad.numpy().copy()
    total = utils.clip_grad_norm_(p, 1.0)
    np.testing.assert_allclose(p.grad.numpy(), before / float(total), rtol=1e-5)
    utils.clip_grad_norm_((q for q in ours), 0.1)
    assert float(utils.get_total_norm([q.grad for q in ours[:2]])) == pytest.approx(0.1, rel=1e-4)
    utils.clip_grad_value_((q for q in ours), 0.01)
    assert all(abs(q.grad.numpy()).max() <= np.float32(0.01) for q in ours[:2])


def test_no_gradients_have_norm_zero() -> None:
    assert float(utils.clip_grad_norm_([nn.Parameter(lenet.ones(2))], 1.0)) == 0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in []), 1.0)
    assert float(utils.get_total_norm([])) == 0


def test_total_norm_of_tensors_equals_torch(torch: Any) -> None:
    arrays = [normal(3, 4), normal(2), normal(1, 1)]
    for p in (1.0, 2.0, float("inf")):
        got = utils.get_total_norm([lenet.tensor(a) for a in arrays], p)
        wanted = torch.nn.utils.get_total_norm([torch.tensor(a) for a in arrays], p)
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)
    assert float(utils.get_total_norm(lenet.tensor([3.0, 4.0]))) == 5


def test_the_change_is_noticed_and_recorded_nowhere() -> None:
    ours = with_grads(lenet, 3.0)
    version = ours[0].grad._version
    utils.clip_grad_norm_(ours, 0.1)
    assert ours[0].grad._version > version
    assert not ours[0].grad.requires_grad


def test_foreach_is_refused() -> None:
    ours = with_grads(lenet)
    for call in (utils.clip_grad_norm_, utils.clip_grad_value_):
        with pytest.raises(NotImplementedError, match="foreach"):
            call(ours, 1.0, foreach=True)
