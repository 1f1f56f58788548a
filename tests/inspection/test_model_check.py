"""Checking the gradients of whole models by differences."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.model.gradient_check import check_model
from tests.inspection.wrong import Wrong


class Net(nn.Module):
    """A wrong op between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.last(Wrong.apply(self.first(x)))


def test_every_parameter_of_a_right_net_passes() -> None:
    lenet.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(36, 3),
    )  # fmt: skip
    found = check_model(model, nn.CrossEntropyLoss(), lenet.randn(6, 1, 8, 8), lenet.tensor([0, 1, 2, 0, 1, 2]))
    assert [p.name for p in found] == [name for name, _ in model.named_parameters()]
    assert all(p.worst.ok for p in found), found
    assert all(len(p.checks) == 2 for p in found)


def test_what_lies_before_a_wrong_op_is_found() -> None:
    lenet.manual_seed(0)
    found = check_model(Net(), nn.MSELoss(), lenet.randn(5, 4), lenet.randn(5, 2))
    assert [p.name for p in found if not p.worst.ok] == ["first.weight", "first.bias"]
    assert found[0].record()["ok"] is False


def test_ties_and_corners_are_no_mistakes() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * 9, 2))
    x = lenet.zeros(2, 1, 8, 8)  # every window is a tie, every relu at its corner
    found = check_model(model, nn.MSELoss(), x, lenet.ones(2, 2))
    assert all(p.worst.ok for p in found)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_wrong(bad: float) -> None:
    found = check_model(nn.Linear(2, 1), nn.MSELoss(), lenet.full((2, 2), bad), lenet.ones(2, 1))
    assert not any(p.worst.ok for p in found)


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    found = check_model(model, nn.MSELoss(), lenet.ones(2, 2), lenet.ones(2, 1))
    assert [p.name for p in found] == ["weight"]
