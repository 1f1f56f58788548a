"""Checking each node of a graph by differences."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.graph.node_check import Call, calls_noted, check_call
from tests.inspection.wrong import Wrong


def noted(model: Any, x: Any) -> dict[Any, Call]:
    calls: dict[Any, Call] = {}
    with calls_noted(calls):
        nn.MSELoss()(model(x), lenet.zeros(2, 3))
    return calls


def test_every_node_of_a_right_net_passes() -> None:
    lenet.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    calls = noted(model, lenet.randn(2, 1, 8, 8))
    checks = [check_call(call) for call in calls.values()]
    assert len(checks) >= 6
    assert all(c is not None and c.ok for c in checks), checks


def test_a_wrong_backward_is_found() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return Wrong.apply(self.fc(x))

    calls = noted(Net(), lenet.randn(2, 4))
    failed = [call.op.__name__ for call in calls.values() if (c := check_call(call)) is not None and not c.ok]
    assert len(failed) == 1


@pytest.mark.parametrize("count", [1, 5])
def test_random_numbers_stay_where_they_were(count: int) -> None:
    lenet.manual_seed(3)
    model = nn.Linear(4, 3)
    calls = noted(model, lenet.randn(2, 4))
    before = lenet.get_rng_state()
    for call in list(calls.values())[:count]:
        check_call(call)
    assert (lenet.get_rng_state() == before).all() if hasattr(before, "all") else lenet.get_rng_state() == before
