"""Another set of parameters and state in an optimizer's place: torch's numbers, and everything back afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.optim import SGD, Adam, swap_in_optimizer_params_and_state


def swapped(package: Any) -> Any:
    start = np.array([1.0, -2.0], np.float32)
    w, other = (package.nn.Parameter(package.tensor(start.tolist())) for _ in range(2))
    optimizer = package.optim.Adam([w], lr=0.1)
    w.grad, other.grad = package.tensor([0.5, 1.0]), package.tensor([-3.0, 2.0])
    optimizer.step()
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.5
    with package.optim.swap_in_optimizer_params_and_state(optimizer, {"w": other}, state):
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.param_groups[0]["params"][0] is w
    optimizer.step()
    return SimpleNamespace(w=w.tolist(), other=other.tolist(), step=optimizer.state[w]["step"].item())


def test_the_numbers_are_torchs(torch: Any) -> None:
    ours, theirs = swapped(lenet), swapped(torch)
    assert ours.w == pytest.approx(theirs.w, rel=1e-6)
    assert ours.other == pytest.approx(theirs.other, rel=1e-6)
    assert ours.step == theirs.step


def test_what_does_not_fit_is_refused_and_an_error_in_the_block_leaves_nothing() -> None:
    w = lenet.nn.Parameter(lenet.ones(1))
    optimizer = SGD([w], lr=0.5, momentum=0.5)
    with pytest.raises(RuntimeError, match="make a step first"):
        swap_in_optimizer_params_and_state(optimizer, {"w": w}, {}).__enter__()
    w.grad = lenet.ones(1)
    optimizer.step()
    good = optimizer.state_dict()
    for given, params, words in (
        ([], {"w": w}, r"what optimizer.state_dict\(\) gives, got list"),
        (good | {"param_groups": []}, {"w": w}, "different number of parameter groups"),
        (good, {}, "requires 1 parameters, got 0"),
        (Adam([w]).state_dict(), {"w": w}, "these differ: amsgrad, "),
        (good | {"state": {7: {}}}, {"w": w}, "has state for .7., which no group names"),
    ):
        with pytest.raises(RuntimeError, match=words):
            swap_in_optimizer_params_and_state(optimizer, params, given).__enter__()  # type: ignore[arg-type]  # wrong
    other = lenet.nn.Parameter(lenet.ones(1))
    optimizer.register_step_pre_hook(lambda one, *given: one.param_groups[0].update(lr=7.0))
    with swap_in_optimizer_params_and_state(optimizer, {"w": other}, good), pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["params"] == [w]
