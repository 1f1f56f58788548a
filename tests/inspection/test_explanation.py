"""Explanations point at the pixels that an answer comes from."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.autograd.modes import no_grad
from lenetcli.inspection.model.explanation import explained
from lenetcli.tensors.tensor import Tensor, from_numpy


def corner_net() -> nn.Module:
    """Its output 0 is the brightness of the upper left quarter of a picture of 16 x 16, output 1 the opposite."""
    net = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2, bias=False)
    )
    kernel, mask = np.zeros((1, 1, 3, 3), np.float32), np.zeros((16, 16), np.float32)
    kernel[0, 0, 1, 1], mask[:8, :8] = 1.0, 1.0
    with no_grad():
        next(iter(net.parameters())).copy_(from_numpy(kernel))
        list(net.parameters())[1].copy_(from_numpy(np.stack([mask.ravel(), -mask.ravel()])))
    return net


def first(output: Tensor) -> Tensor:
    return output[:, 0]


def test_all_maps_point_at_what_the_score_comes_from() -> None:
    net = corner_net()
    net.train()
    found = explained(net, np.ones((1, 16, 16), np.float32), first)
    inside = np.zeros((16, 16), bool)
    inside[:8, :8] = True
    assert found.layer == "1"
    assert found.activation is not None
    assert (found.gradient[inside] == 1).all()
    assert (found.gradient[~inside] == 0).all()
    assert found.occlusion[inside].min() > 0
    assert found.occlusion[12:, 12:] == pytest.approx(np.zeros((4, 4)))
    assert found.occlusion[:4, :4].mean() == pytest.approx(16.0)  # a cover of 4 x 4 takes so much off
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_speaks_against_an_answer_has_no_activation_and_a_cover_there_raises_the_score() -> None:
    found = explained(corner_net(), np.ones((1, 16, 16), np.float32), lambda output: output[:, 1])
    assert found.activation is not None
    assert found.activation.max() == 0
    assert found.occlusion[0, 0] < 0


def test_a_net_without_places_has_no_activation_map() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    found = explained(net, np.ones((1, 8, 8), np.float32), first)
    assert (found.activation, found.layer) == (None, "")
    assert found.gradient.max() == 1
