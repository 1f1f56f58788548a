"""Recurrent layers leave with the engine's numbers, as ONNX and as one Python file."""

from __future__ import annotations

from typing import Any

import pytest

from lenetcli import nn
from lenetcli.export.checked import difference
from lenetcli.export.graph import NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class WithState(nn.Module):
    """All that a recurrent layer gives, and a state that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(4, 3, batch_first=True), nn.LSTM(3, 3, batch_first=True)

    def forward(self, x: Any) -> Any:
        y, state = self.first(x)
        y, (h, c) = self.second(y, state)
        return y, h.transpose(0, 1), c.squeeze(0)


NETS = {
    "GRU, two layers, both ways": nn.Sequential(nn.GRU(4, 6, 2, bidirectional=True, batch_first=True), nn.Steps(-1)),
    "GRU without bias": nn.Sequential(nn.GRU(4, 6, bias=False, batch_first=True), nn.Steps(0)),
    "LSTM": nn.Sequential(nn.LSTM(4, 6, batch_first=True, bidirectional=True), nn.Steps()),
    "RNN": nn.Sequential(nn.RNN(4, 6, batch_first=True), nn.Steps()),
    "RNN with relu": nn.Sequential(nn.RNN(4, 6, 2, "relu", batch_first=True, bias=False), nn.Steps(1)),
    "with a state": WithState(),
}


@pytest.mark.parametrize("name", NETS)
def test_a_net_leaves_with_the_engines_numbers(name: str) -> None:
    model = NETS[name].eval()
    graph = lower(model, (5, 4))
    assert {"GRU", "LSTM", "RNN"} & {node.op for node in graph.nodes}
    for opset in (11, 18):
        run = runner(to_bytes(graph, Written(opset)))
        assert run is not None
        assert difference(run, model, graph, (3, 1)) < 1e-6
    assert difference(python_runner(python_source(graph, None, "numbers")), model, graph, (3, 1)) < 1e-6


def test_a_projection_is_refused_by_name() -> None:
    model = nn.Sequential(nn.LSTM(4, 6, proj_size=2, batch_first=True), nn.Steps())
    with pytest.raises(NotExportable, match=r"0 \(LSTM\): cannot be exported: ONNX's LSTM has no projection"):
        lower(model, (5, 4))
