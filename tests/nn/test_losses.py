"""Losses where sweeps do not look: messages, graphs, extremes, memory order, all combinations of cross entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn


def names(node: Any) -> list[str]:
    """The chain of first inputs, from a node to the leaf."""
    found = []
    while node is not None:
        found.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    return found


def test_a_class_out_of_range_is_named_with_the_number_of_classes() -> None:
    logits = lenet.zeros(2, 3)
    for bad in (3, -1):
        with pytest.raises(IndexError, match=rf"Target {bad} is out of bounds: there are 3 classes"):
            F.cross_entropy(logits, lenet.tensor([0, bad]))


def test_cross_entropy_is_nll_loss_of_log_softmax_in_the_graph() -> None:
    logits = lenet.zeros(2, 3).requires_grad_()
    loss = F.cross_entropy(logits, lenet.tensor([0, 2]))
    assert names(loss.grad_fn) == ["NllLossBackward", "LogSoftmaxBackward", "AccumulateGrad"]
    assert len(loss.grad_fn.next_functions) == 1
    images = lenet.zeros(2, 3, 4, 4).requires_grad_()
    loss = F.cross_entropy(images, lenet.zeros(2, 4, 4).long())
    assert names(loss.grad_fn) == ["NllLoss2DBackward", "LogSoftmaxBackward", "AccumulateGrad"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mse_loss", "MseLossBackward"),
        ("smooth_l1_loss", "SmoothL1LossBackward"),
        ("huber_loss", "HuberLossBackward"),
        ("binary_cross_entropy", "BinaryCrossEntropyBackward"),
        ("binary_cross_entropy_with_logits", "BinaryCrossEntropyWithLogitsBackward"),
    ],
)
def test_losses_of_one_node_have_an_edge_for_input_and_target(name: str, first: str) -> None:
    loss = getattr(F, name)(lenet.full((3,), 0.5).requires_grad_(), lenet.full((3,), 0.5))
    assert loss.grad_fn.name() == first
    assert [n and n.name() for n, _ in loss.grad_fn.next_functions] == ["AccumulateGrad", None]


def test_the_gradient_of_batch_last_logits_is_batch_last() -> None:
    logits = lenet.from_numpy(np.zeros((10, 4), np.float32).T).requires_grad_()
    F.cross_entropy(logits, lenet.tensor([1, 2, 3, 4])).backward()
    assert logits.grad.numpy().flags.f_contiguous


def test_the_mean_over_no_targets_is_nan_and_its_gradient_0() -> None:
    logits = lenet.zeros(2, 3).requires_grad_()
    loss = F.cross_entropy(logits, lenet.tensor([-100, -100]))
    assert math.isnan(loss.item())
    loss.backward()
    assert not logits.grad.numpy().any()


def test_an_ignored_target_is_safe_from_infinite_log_probabilities() -> None:
    log_p = lenet.tensor([[-math.inf, 0.0], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(log_p, lenet.tensor([0, 1]), ignore_index=0)
    assert loss.item() == 2
    loss.backward()
    assert log_p.grad.tolist() == [[0.0, 0.0], [0.0, -1.0]]


def test_cross_entropy_survives_logits_that_exp_does_not() -> None:
    logits = lenet.tensor([[1000.0, 0.0], [0.0, -1000.0]], requires_grad=True)
    loss = F.cross_entropy(logits, lenet.tensor([1, 1]))
    loss.backward()
    assert loss.item() == 1000
    assert logits.grad.tolist() == [[0.5, -0.5], [0.5, -0.5]]


def test_targets_changed_after_the_forward_pass_do_not_change_the_gradient() -> None:
    logits, target, weight = lenet.zeros(2, 3).requires_grad_(), lenet.tensor([0, 1]), lenet.tensor([1.0, 2.0, 3.0])
    loss = F.cross_entropy(logits, target, weight)
    target.zero_()
    weight.zero_()
    loss.backward()
    np.testing.assert_allclose(logits.grad.numpy(), [[-2 / 9, 1 / 9, 1 / 9], [2 / 9, -4 / 9, 2 / 9]], rtol=1e-6)


def test_weights_that_require_gradients_are_refused() -> None:
    weight = lenet.ones(3).requires_grad_()
    half = lenet.full((2, 3), 0.5)
    with pytest.raises(RuntimeError, match="not differentiable with respect to weight"):
        F.cross_entropy(half, lenet.tensor([0, 1]), weight)
    with pytest.raises(RuntimeError, match="not differentiable with respect to weight"):
        F.binary_cross_entropy(half, half, weight)
    with pytest.raises(RuntimeError, match="not differentiable with respect to pos_weight"):
        F.binary_cross_entropy_with_logits(half, half, pos_weight=weight)
    with pytest.raises(RuntimeError, match="not differentiable with respect to weight"):
        F.multi_margin_loss(half, lenet.tensor([0, 1]), weight=weight)


WITHOUT_THEM = {  # in torch, too
    *("HuberLoss", "GaussianNLLLoss", "TripletMarginWithDistanceLoss", "CTCLoss", "AdaptiveLogSoftmaxWithLoss")
}


@pytest.mark.parametrize("argument", ["size_average", "reduce"])
@pytest.mark.parametrize("name", [n for n in nn.__all__ if n.endswith("Loss") and n not in WITHOUT_THEM])
def test_the_deprecated_arguments_are_refused_by_name(name: str, argument: str) -> None:
    with pytest.raises(NotImplementedError, match=argument):
        getattr(nn, name)(**{argument: False})


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_shapes_that_differ_are_warned_about(name: str) -> None:
    with pytest.warns(UserWarning, match=r"target size \(\[3\]\).*input size \(\[2, 3\]\)"):
        assert getattr(F, name)(lenet.ones(2, 3), lenet.ones(3)).item() == 0


def test_the_mean_of_kl_div_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(lenet.zeros(2), lenet.ones(2))


def test_tensors_are_asked_for() -> None:
    for loss in (F.cross_entropy, F.nll_loss, F.mse_loss, F.l1_loss, F.binary_cross_entropy):
        with pytest.raises(TypeError, match="must be"):
            loss(lenet.zeros(2, 3), [0, 1])


def test_soft_margin_loss_is_finite_where_exp_is_not() -> None:
    x = lenet.tensor([-200.0, 200.0], requires_grad=True)
    loss = F.soft_margin_loss(x, lenet.tensor([1.0, 1.0]), reduction="sum")
    loss.backward()
    assert loss.item() == 200
    assert x.grad.tolist() == [-1.0, 0.0]


def test_binary_cross_entropy_limits_its_logarithms() -> None:
    x = lenet.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, lenet.tensor([1.0, 0.0]))
    loss.backward()
    assert loss.item() == 100
    np.testing.assert_allclose(x.grad.numpy(), [-0.5e12, 0.5e12])


@pytest.mark.parametrize("name", ["hinge_embedding_loss", "margin_ranking_loss"])
def test_the_corner_of_a_margin_has_the_gradient_of_torch(torch: Any, name: str) -> None:
    grads = []
    for package in (lenet, torch):
        x = package.tensor([1.0, 1.0], requires_grad=True)
        others = [package.tensor([0.0, 0.0])] if name == "margin_ranking_loss" else []
        target = package.tensor([1, -1])
        getattr(package.nn.functional, name)(x, *others, target, margin=1.0).backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cross_entropy_is_that_of_torch_for_every_combination(torch: Any, data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    batch, classes = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    more = data.draw(st.sampled_from([(), (3,), (2, 3), (2, 1, 2)]))
    shape = (classes,) if not more and data.draw(st.booleans()) else (batch, classes, *more)
    logits = random.normal(0, 10, shape).astype(np.float32)
    options: dict[str, Any] = {"reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    if data.draw(st.booleans()):
        options["label_smoothing"] = data.draw(st.floats(0, 1))
    if data.draw(st.booleans()):
        target = random.random(shape).astype(np.float32)
    else:
        target = np.asarray(random.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ()))
        if data.draw(st.booleans()):
            options["ignore_index"] = data.draw(st.integers(-1, classes))
    weight = random.random(classes).astype(np.float32) if data.draw(st.booleans()) else None
    if target.shape == shape and target.dtype.kind == "i":
        return  # C = 1 and a single target: refused as probabilities of an integer type
    results = []
    for package in (lenet, torch):
        x = package.from_numpy(logits.copy()).requires_grad_()
        w = None if weight is None else package.from_numpy(weight.copy())
        y = package.nn.functional.cross_entropy(x, package.from_numpy(target), w, **options)
        y.sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for got, expected in zip(*results):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
