"""gumbel_softmax: draws, their shares, and gradients beside torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.random import drawing_from
from lenetcli.autograd.torch_random import TorchGenerator
from lenetcli.nn import functional as F


def test_categories_come_in_their_shares() -> None:
    lenet.manual_seed(0)
    shares = np.array([0.5, 0.3, 0.2])
    drawn = F.gumbel_softmax(lenet.tensor(np.tile(np.log(shares), (4000, 1))), hard=True)
    np.testing.assert_allclose(drawn.sum(1).numpy(), 1)
    np.testing.assert_allclose(drawn.mean(0).numpy(), shares, atol=0.03)


@pytest.mark.parametrize("hard", [False, True])
def test_gradients_are_torchs(torch: Any, hard: bool) -> None:
    found = []
    for m in (lenet, torch):
        torch.manual_seed(7)
        with drawing_from(TorchGenerator().manual_seed(7)):
            x = m.linspace(-1, 1, 12, dtype=m.float64).reshape(3, 4).requires_grad_()
            y = m.nn.functional.gumbel_softmax(x, 0.5, hard, dim=0)
        weight = m.arange(12, dtype=m.float64).reshape(3, 4)
        (first,) = m.autograd.grad((y * weight).sum(), x, create_graph=True)
        (second,) = m.autograd.grad((first * weight).sum(), x)
        found.append([t.detach().numpy() for t in (y, first, second)])
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(IndexError):
        F.gumbel_softmax(lenet.ones(3), dim=1)
    with pytest.raises(NotImplementedError):
        F.gumbel_softmax(lenet.arange(3))
    with pytest.warns(UserWarning, match="eps"):
        F.gumbel_softmax(lenet.ones(3), eps=0.1)
