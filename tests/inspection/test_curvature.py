"""The eigenvalues of the loss's Hessian."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.inspection.training.curvature import curvature, lanczos


def test_lanczos_finds_both_ends_of_a_spectrum() -> None:
    random = np.random.default_rng(0)
    q = np.linalg.qr(random.standard_normal((60, 60)))[0]
    true = np.sort(random.standard_normal(60) ** 3)[::-1]
    matrix = (q * true) @ q.T
    values, errors = lanczos(lambda v: matrix @ v, 60, 30)
    np.testing.assert_allclose(values[:3], true[:3], rtol=1e-6)
    assert values[-1] == pytest.approx(true[-1], rel=1e-6)
    for value, error in zip(values, errors):
        assert np.abs(true - value).min() <= error + 1e-9
    assert lanczos(lambda v: 0 * v, 5, 5)[0].tolist() == [0.0]


def _run(model: Any, samples: Any, targets: Any) -> Any:
    return SimpleNamespace(
        model=model, criterion=nn.MSELoss(), optimizer=lenet.optim.SGD(model.parameters(), lr=0.1),
        train_loader=DataLoader(TensorDataset(samples, targets), batch_size=7), progress=SimpleNamespace(epoch=0),
        random=lenet.Generator(),
    )  # fmt: skip


def test_eigenvalues_of_least_squares_are_those_of_its_matrix() -> None:
    x = lenet.randn(40, 5)
    model = nn.Sequential(nn.Linear(5, 1, bias=False), nn.Dropout(0.5))
    found = curvature(_run(model, x, lenet.randn(40, 1)), samples=40, steps=5)
    true = np.linalg.eigvalsh(2 / 40 * x.numpy().T @ x.numpy())[::-1]
    np.testing.assert_allclose(found.eigenvalues, true, rtol=1e-4)
    assert found.bound == pytest.approx(2 / true[0], rel=1e-4)
    assert (found.samples, found.parameters, found.rates) == (40, 5, [0.1])
    assert model.training
