"""LBFGS: the path of torch's, with and without a line search, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import optim
from lenetcli.errors import ConfigError
from tests.conftest import ROOT


def path(package: Any, steps: int, rows: bool = False, **options: Any) -> tuple[list[list[float]], dict[str, Any]]:
    """Parameters and loss after each step over the Rosenbrock function of three numbers in two tensors."""
    x = package.tensor([-1.2, 1.0], dtype=package.float64, requires_grad=True)
    y = package.tensor([[0.7]], dtype=package.float64, requires_grad=True)
    optimizer = package.optim.LBFGS([x, y], **options)

    def closure() -> Any:
        optimizer.zero_grad()
        ends = (1 - x[0]) ** 2 + (1 - x[1]) ** 2
        loss = ends + 10 * (x[1] - x[0] ** 2) ** 2 + 10 * (y[0, 0] - x[1] ** 2) ** 2
        loss.backward()
        return loss

    found = []
    for _ in range(steps):
        loss = float(optimizer.step(closure).detach())
        found.append([*x.detach().tolist(), y.detach().tolist()[0][0], loss])
    return found, dict(optimizer.state_dict()["state"][0])


OPTIONS: list[dict[str, Any]] = [
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_iter": 7, "max_eval": 5, "lr": 0.3},
    {"lr": 0.1, "max_iter": 3},
    {"lr": 0.05, "history_size": 3, "max_iter": 6},
    {"lr": 0.1, "max_iter": 5, "tolerance_change": 1e-2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_its_path_is_that_of_torch(torch: Any, options: dict[str, Any]) -> None:
    (ours, state), (theirs, wanted) = (path(package, 6, **options) for package in (lenet, torch))
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    assert state.keys() - {"al"} == wanted.keys() - {"al"}
    assert (state["func_evals"], state["n_iter"]) == (wanted["func_evals"], wanted["n_iter"])


def test_a_step_needs_a_closure_and_one_group() -> None:
    w = lenet.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="needs a closure, which it calls several times"):
        optim.LBFGS([w]).step()
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS([{"params": [w]}, {"params": [lenet.ones(1, requires_grad=True)]}])
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.LBFGS([w], lr=-1)
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported, got 'armijo'"):
        optim.LBFGS([w], line_search_fn="armijo").step(lambda: w.sum())


def test_a_configuration_is_told_that_nothing_calls_it_back() -> None:
    with pytest.raises(ConfigError, match="LBFGS is for Python only: its step calls a function"):
        configuration.load(ROOT / "configs" / "mlp.yaml", ("optimizer={type: LBFGS}",))


def test_a_step_without_iterations_has_a_state_that_can_be_shown_and_loaded() -> None:
    w = lenet.ones(2, requires_grad=True)
    optimizer = optim.LBFGS([w], max_iter=0)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert "None" in repr(optimizer.state_dict())
    again = optim.LBFGS([w], max_iter=2)
    again.load_state_dict(optimizer.state_dict())
    again.step(closure)
    assert w.tolist() == [1.0, 1.0]  # its options, max_iter among them, are those of the state
