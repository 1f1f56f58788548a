"""Graphs are made shorter, and stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.export.checked import difference
from lenetcli.export.lowering import lower
from lenetcli.export.python_file import python_source, runner


class Own(nn.Module):
    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.function, self.conv = function, nn.Conv2d(4, 2, (2, 3), padding="same")

    def forward(self, x: Any) -> Any:
        return self.function(self.conv, x)


@pytest.mark.parametrize(
    ("function", "ops"),
    [
        (lambda conv, x: conv(x), ["Conv"]),
        (lambda conv, x: F.relu(conv(x)) + conv(x), ["Conv", "Relu", "Conv", "Add"]),
        (lambda conv, x: (conv(x), F.pad(x, (1, 1)))[0], ["Conv"]),
        (lambda conv, x: conv(F.pad(x, (1, 1), value=2.0)), ["Pad", "Conv"]),
        (lambda conv, x: x.mean((2, 3))[:, :, None, None].squeeze(3), ["ReduceMean", "Reshape"]),
        (lambda conv, x: x.reshape(-1, 5).reshape(len(x), -1), ["Reshape"]),
        (lambda conv, x: x.reshape(len(x) * 4, 30).reshape(len(x) * 2, 2, 30), ["Reshape"]),
        (lambda conv, x: x.reshape(8 * len(x), 15).view(8 * len(x), 3, 5), ["Reshape", "Reshape"]),
        (lambda conv, x: x.max(1)[0], ["ReduceMax"]),
        (lambda conv, x: (x.sort(3), x.exp(), x * 2)[2], ["Mul"]),
        (lambda conv, x: x.contiguous().clone().detach().float().view_as(x)[:] + 1, ["Add"]),
        (lambda conv, x: F.linear(x, lenet.ones(3, 5)), ["MatMul"]),
    ],
)
def test_a_graph_has_no_operator_too_many(function: Callable[[Any, Any], Any], ops: list[str]) -> None:
    lenet.manual_seed(0)
    model = Own(function).eval()
    graph = lower(model, (4, 6, 5))
    assert [node.op for node in graph.nodes] == ops
    used = {name for node in graph.nodes for name in node.inputs}
    assert set(graph.constants) <= used
    assert difference(runner(python_source(graph, None, "numbers")), model, graph) < 1e-5
