"""Watching ops as they run."""

from __future__ import annotations

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd import watch


def test_every_op_is_seen_with_operands_and_results() -> None:
    seen = []
    x = lenet.ones(2, requires_grad=True)
    with watch(lambda node, operands, _, results: seen.append((node.name(), operands, results))):
        y = x * 3
        with lenet.no_grad():
            z = y.exp()
    y.sum()
    assert [name for name, _, _ in seen] == ["MulBackward", "ExpBackward"]
    assert seen[0][1][0] is x
    assert seen[0][1][1] == 3
    assert seen[0][2][0] is y
    assert seen[1][2][0] is z


def test_an_observer_knows_the_module() -> None:
    seen = []
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with watch(lambda node, *_: seen.append((node.name(), node.metadata.get("module")))):
        model(lenet.ones(1, 2))
    assert seen == [("TBackward", "0"), ("AddmmBackward", "0"), ("ReluBackward", "1")]


def test_observers_nest_and_end() -> None:
    seen: list[str] = []
    x = lenet.ones(1)
    with watch(lambda *_: seen.append("outer")):
        with watch(lambda *_: seen.append("inner")):
            x + 1
        x + 1
    x + 1
    assert seen == ["outer", "inner", "outer"]
