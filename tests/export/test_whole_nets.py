"""Whole nets leave in every form with the engine's numbers, as docs/exported-nets.md states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.export.checked import difference
from lenetcli.export.lowering import lower, lowered
from lenetcli.export.onnx_file import Written, onnx_model, runner, to_bytes
from lenetcli.export.opsets import OLDEST
from tests.export.net_table import FORMS, differences, made, written
from tests.export.nets import settled
from tests.export.whole_nets import NETS, ResNet

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
NEAR = 3e-6


def test_the_page_has_every_net() -> None:
    assert list(written()) == list(NETS)
    assert all(float(cell) <= NEAR for cells in written().values() for cell in cells[1:])


@pytest.mark.parametrize("name", NETS)
def test_a_net_leaves_in_every_form(name: str) -> None:
    count, found = differences(NETS[name])
    assert (len(found), max(found) <= NEAR) == (len(FORMS), True)
    assert str(count) == written()[name][0]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("opset", [OLDEST, 13, 17, 23])
def test_a_net_leaves_in_every_opset(name: str, opset: int) -> None:
    net = NETS[name]
    model = made(net)
    graph = lower(model, net.sample, net.kind)
    run = runner(to_bytes(graph, Written(opset)))
    assert run is not None
    assert difference(run, model, graph) <= NEAR


def test_names_in_a_file_are_the_modules_and_torchs() -> None:
    made_ = onnx.load_from_string(onnx_model(settled(ResNet()), (3, 32, 32)))
    names = {v.name for v in made_.graph.initializer}
    own = set(ResNet().state_dict())
    assert {name for name in names if "constant" not in name} == {n for n in own if "num_batches" not in n}
    assert "layer2.0.downsample.0.weight" in names
    nodes = [node.name for node in made_.graph.node]
    assert nodes[:4] == ["conv1/Conv", "bn1/BatchNormalization", "relu/Relu", "maxpool/MaxPool"]
    assert {"layer1.0/Add", "layer4.1.relu/Relu", "layer4.1.relu/Relu.2", "fc/Gemm"} <= set(nodes)
    kinds = {node.op_type for node in made_.graph.node}
    assert kinds == {"Conv", "BatchNormalization", "Relu", "MaxPool", "Add", "GlobalAveragePool", "Flatten", "Gemm"}


def test_several_outputs_have_the_names_of_the_models_dictionary() -> None:
    net = NETS["two heads, by name"]
    file = onnx.load_from_string(onnx_model(made(net), net.sample))
    sizes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in file.graph.output}
    assert sizes == {"digit": ["N", 10], "parity": ["N"]}


class TwoIn(nn.Module):
    def forward(self, a: Any, b: Any) -> Any:
        return (a @ b.transpose(1, 2)).softmax(-1), a.sum(0)


def test_several_inputs_are_batches_of_the_same_size() -> None:
    random = np.random.default_rng(0)
    examples = [random.standard_normal((2, n, 4)).astype(np.float32) for n in (3, 5)]
    model = TwoIn().eval()
    graph = lowered(model, examples)
    assert ([v.label for v in graph.inputs], [v.label for v in graph.outputs]) == (
        [["N", 3, 4], ["N", 5, 4]],
        [["N", 3, 5], [3, 4]],
    )
    run = runner(to_bytes(graph))
    assert run is not None
    assert difference(run, model, graph) <= NEAR
