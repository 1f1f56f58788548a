"""Recurrent operators: lenet's own, torch's by both exporters, and what no layer does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.onnx_file import Written, onnx_model
from lenetcli.onnx_import import imported
from tests.export.nets import expected
from tests.onnx_import.nets import apart, model_of, written
from tests.onnx_import.torch_nets import export

onnx = pytest.importorskip("onnx")
NETS = {
    "GRU, two layers, both ways": nn.Sequential(
        nn.GRU(4, 6, 2, bidirectional=True, batch_first=True), nn.Steps(-1), nn.Linear(12, 3)
    ),
    "GRU without bias": nn.Sequential(nn.GRU(4, 6, bias=False, batch_first=True), nn.Steps(0)),
    "LSTM, all steps": nn.Sequential(nn.LSTM(4, 6, batch_first=True, bidirectional=True), nn.Steps(), nn.Tanh()),
    "RNN with relu": nn.Sequential(nn.RNN(4, 6, 2, "relu", batch_first=True, bias=False), nn.Steps(1)),
    "two of a kind": nn.Sequential(
        nn.LSTM(4, 6, batch_first=True), nn.Steps(), nn.LSTM(6, 6, batch_first=True), nn.Steps(-1)
    ),
    "two kinds": nn.Sequential(nn.GRU(4, 5, batch_first=True), nn.Steps(), nn.RNN(5, 3, batch_first=True), nn.Steps(2)),
}
X = np.random.default_rng(0).standard_normal((3, 5, 4), np.float32)


@pytest.mark.parametrize("name", NETS)
def test_a_net_comes_back_under_its_names(name: str, tmp_path: Path) -> None:
    model = NETS[name].eval()
    for opset in (11, 18):
        found = imported.read(written(onnx_model(model, (5, 4), Written(opset)), tmp_path))
        assert apart(found, X, [expected(model, X)]) <= 1e-6
        assert set(found.weights) == set(model.state_dict())
        types = [layer["type"] for layer in found.model["layers"]]
        assert types == [type(layer).__name__ for layer in model]
        again = imported.read(written(onnx_model(model_of(found), (5, 4), Written(opset)), tmp_path))
        assert again.model == found.model


def classes(torch: Any) -> dict[str, Any]:
    """Nets of torch that use what a recurrent layer gives in different ways."""

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]  # of a package that may not be there
        def __init__(self, rnn: Any, use: Any) -> None:
            super().__init__()
            self.rnn, self.use, self.fc = rnn, use, torch.nn.LazyLinear(3)

        def forward(self, x: Any) -> Any:
            return self.fc(self.use(*self.rnn(x)))

    both = {"batch_first": True, "bidirectional": True}
    return {
        "last step, both ways": Net(torch.nn.GRU(4, 6, 2, **both), lambda y, h: y[:, -1]),
        "all steps": Net(torch.nn.LSTM(4, 6, 2, **both), lambda y, h: y),
        "state": Net(torch.nn.LSTM(4, 6, 2, batch_first=True), lambda y, h: h[0][-1]),
        "states of both ways": Net(torch.nn.GRU(4, 6, 2, **both), lambda y, h: torch.cat([h[-2], h[-1]], 1)),
        "state of one layer": Net(torch.nn.GRU(4, 6, batch_first=True, bias=False), lambda y, h: h.squeeze(0)),
        "outputs and state": Net(torch.nn.GRU(4, 6, batch_first=True), lambda y, h: y[:, 0] + h[-1]),
    }


@pytest.mark.torch
@pytest.mark.parametrize("dynamo", [False, True])
def test_nets_of_torch_come_in(dynamo: bool, torch: Any, tmp_path: Path) -> None:
    if dynamo:
        pytest.importorskip("onnxscript")
    path = tmp_path / "net.onnx"
    for name, net in classes(torch).items():
        torch.manual_seed(0)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = net.eval()(torch.from_numpy(X)).numpy()
            export(torch, net, (5, 4), path, dynamo)
        found = imported.read(path)
        assert apart(found, X, [wanted]) <= 1e-6, name
        assert set(found.weights) == set(net.state_dict()), name


def node(op: str, *more: str, **words: Any) -> Any:
    """A net of one recurrent operator, of 5 steps, 3 samples, 4 numbers in and 2 out."""
    gates, ways = {"RNN": 1, "GRU": 3, "LSTM": 4}[op], 2 if words.get("direction") == "bidirectional" else 1
    sizes = {"w": (ways, 2 * gates, 4), "r": (ways, 2 * gates, 2), "b": (ways, 4 * gates), "ones": (ways, 3, 2)}
    made = {name: np.ones(size, np.float32) for name, size in sizes.items()}
    made |= {"lengths": np.array([5, 5, 2], np.int32), "p": np.ones((ways, 6), np.float32)}
    inputs = ["t", "w", "r", "b", *more]
    nodes = [
        onnx.helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        onnx.helper.make_node(op, inputs, ["y"], hidden_size=2, name="cell", **words),
        onnx.helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 1, 3]),
        onnx.helper.make_node("Reshape", ["z", "shape"], ["out"]),
    ]
    made["shape"] = np.array([5, 3, 2 * ways], np.int64)
    ends = [onnx.helper.make_tensor_value_info(name, 1, size) for name, size in (("x", [3, 5, 4]), ("out", None))]
    given = [onnx.numpy_helper.from_array(array, name) for name, array in made.items()]
    graph = onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:], given)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()


REFUSED = {
    "reset before": (("GRU",), {}, "linear_before_reset is 0"),
    "backward only": (("RNN",), {"direction": "reverse"}, "walks backward only"),
    "no direction": (("RNN",), {"direction": "sideways"}, "walks"),
    "limited": (("LSTM",), {"clip": 3.0}, "limits its numbers"),
    "coupled": (("LSTM",), {"input_forget": 1}, "couples its gates"),
    "peepholes": (("LSTM", "", "", "", "p"), {}, "peepholes"),
    "lengths": (("RNN", "lengths"), {}, "lengths of their own"),
    "first state": (("RNN", "", "ones"), {}, "another state than zeros"),
    "first cell": (("LSTM", "", "", "ones"), {}, "another state than zeros"),
    "gates": (("LSTM",), {"activations": ["Sigmoid", "Relu", "Tanh"]}, "have Sigmoid, Relu, Tanh"),
    "curves": (("RNN",), {"activations": ["Affine"], "activation_alpha": [2.0]}, "gives its activations parameters"),
    "samples first": (("RNN",), {"layout": 1}, "its layout has samples first"),
    "of numbers": (("RNN",), {"activations": [1, 2]}, "its attribute activations"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_layer_does_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (op, *more), words, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as refusal:
        imported.read(written(node(op, *more, **words), tmp_path))
    assert f"{op} (cell): " in str(refusal.value)


def test_steps_that_come_first_are_refused(tmp_path: Path) -> None:
    content = onnx.load_from_string(node("RNN"))
    content.graph.node[1].input[0] = "x"
    for size, dim in zip((5, 3, 4), content.graph.input[0].type.tensor_type.shape.dim):
        dim.dim_value = size
    path = written(content.SerializeToString(), tmp_path)
    with pytest.raises(DataError, match="takes steps first"):
        imported.read(path)
