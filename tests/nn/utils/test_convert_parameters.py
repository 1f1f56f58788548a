"""Parameters as one vector, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import ShapeError
from lenetcli.nn.utils import parameters_to_vector, vector_to_parameters
from tests.nn.parity import pair


def test_the_order_is_torchs_and_the_way_back_restores_everything(torch: Any) -> None:
    ours, theirs = pair(torch, lambda n: n.Sequential(n.Linear(3, 4), n.Linear(4, 2)))
    vector = parameters_to_vector(ours.parameters())
    expected = torch.nn.utils.parameters_to_vector(theirs.parameters())
    np.testing.assert_array_equal(vector.detach().numpy(), expected.detach().numpy())
    assert vector.requires_grad
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    vector_to_parameters(vector.detach(), other.parameters())
    for p, q in zip(ours.parameters(), other.parameters()):
        assert bool((p == q).all())
        assert q.requires_grad


def test_gradients_of_the_vector_reach_the_parameters() -> None:
    layer = nn.Linear(2, 1)
    vector = parameters_to_vector(layer.parameters())
    (vector * lenet.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 2]]
    assert layer.bias is not None
    assert layer.bias.grad.tolist() == [3]


def test_a_vector_that_is_too_short_or_no_tensor_is_refused() -> None:
    layer = nn.Linear(2, 1)
    before = layer.weight.tolist()
    with pytest.raises(ShapeError, match="3 elements"):
        vector_to_parameters(lenet.ones(2), layer.parameters())
    with pytest.raises(TypeError, match="list"):
        vector_to_parameters([1.0], layer.parameters())  # type: ignore[arg-type]  # the point
    assert layer.weight.tolist() == before
