"""How distances behave at their kinks, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli.errors import ShapeError
from tests.nn.parity import assert_close


def test_short_vectors_have_torchs_cosine_and_gradients(torch: Any) -> None:
    rows = np.float32([[0, 0, 0], [1e-9, 2e-9, 0], [0.02, 0, 0.01], [1, 2, 3]])
    for eps in (1e-8, 0.1):
        leaves, twins = [], []
        for x in (rows, rows[::-1].copy()):
            leaves.append(lenet.tensor(x, requires_grad=True))
            twins.append(torch.tensor(x, requires_grad=True))
        ours = F.cosine_similarity(*leaves, eps=eps)
        theirs = torch.nn.functional.cosine_similarity(*twins, eps=eps)
        assert_close(ours, theirs, 1e-5)
        ours.sum().backward()
        theirs.sum().backward()
        for leaf, twin in zip(leaves, twins):
            assert_close(leaf.grad, twin.grad, 1e-4)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_cdist_has_torchs_gradients_at_distance_zero_and_at_ties(torch: Any, p: float) -> None:
    a, b = np.float64([[0, 0], [1, 2], [-3, 3]]), np.float64([[0, 0], [2, 1], [1, 4], [-3, 0]])
    leaves = [lenet.tensor(x, requires_grad=True) for x in (a, b)]
    twins = [torch.tensor(x, requires_grad=True) for x in (a, b)]
    ours, theirs = lenet.cdist(*leaves, p=p), torch.cdist(*twins, p=p)
    assert_close(ours, theirs, 1e-12)
    seed = np.arange(12.0).reshape(3, 4) - 5
    ours.backward(lenet.tensor(seed))
    theirs.backward(torch.tensor(seed))
    for leaf, twin in zip(leaves, twins):
        assert_close(leaf.grad, twin.grad, 1e-12)


def test_arguments_that_do_not_fit_are_refused() -> None:
    x, whole = lenet.ones(2, 3), lenet.ones(2, 3, dtype=lenet.int64)
    with pytest.raises(RuntimeError, match="floating-point"):
        F.cosine_similarity(whole, whole)
    with pytest.raises(IndexError):
        F.cosine_similarity(x, x, dim=2)
    with pytest.raises(ShapeError):
        F.cosine_similarity(x, lenet.ones(2, 4))
    with pytest.raises(ShapeError):
        lenet.cdist(x, lenet.ones(2, 4))
    with pytest.raises(ShapeError):
        lenet.cdist(x, lenet.ones(3))
    with pytest.raises(ShapeError):
        lenet.cdist(lenet.ones(2, 2, 3), lenet.ones(3, 2, 3))
    with pytest.raises(RuntimeError, match="non-negative"):
        lenet.cdist(x, x, p=-1.0)
    with pytest.raises(RuntimeError, match="floating-point"):
        lenet.cdist(whole, whole)
    with pytest.raises(ValueError, match="compute_mode"):
        lenet.cdist(x, x, compute_mode="fast")
