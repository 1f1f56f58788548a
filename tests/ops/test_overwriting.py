"""Activation functions that write into their input: torch's numbers, gradients, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.nn import functional

X = np.array([[-5.1, -2.3, -0.7, -0.2], [0.1, 0.8, 2.1, 7.3]])
CALLS: dict[str, list[tuple[Any, ...]]] = {
    "relu_": [()],
    "leaky_relu_": [(), (0.3,)],
    "rrelu_": [(), (0.1, 0.5), (0.3, 0.3, True)],
    "elu_": [(), (0.3,)],
    "celu_": [(), (2.0,)],
    "selu_": [()],
    "hardtanh_": [(), (-2.0, 3.5)],
    "threshold_": [(0.5, 7.0)],
}


def test_every_one_of_them_is_tried() -> None:
    assert {name for name in functional.__all__ if name.endswith("_")} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_input_takes_torchs_values_and_its_leaf_torchs_gradients(torch: Any, name: str) -> None:
    for args in CALLS[name]:
        found = []
        for module in (lenet, torch):
            leaf = module.tensor(X, requires_grad=True)
            x = leaf * 1
            assert getattr(module.nn.functional, name)(x, *args) is x
            (x * x).sum().backward()
            found.append((x.detach().numpy(), leaf.grad.numpy()))
        for ours, theirs in zip(*found):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6 if name == "selu_" else 1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_a_leaf_that_requires_gradients_is_refused(name: str) -> None:
    leaf = lenet.tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        getattr(functional, name)(leaf, *CALLS[name][-1])
    assert (leaf.detach().numpy() == X).all()
