"""Commands that show: inspect-params, trace-grad, validate, show, layers, init."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lenetcli
from lenetcli import config, save
from lenetcli.build import parts
from lenetcli.config.catalogue import ROLES
from lenetcli.config.json_schema import schema
from lenetcli.data import DataLoader
from tests.cli.conftest import Lenet
from tests.conftest import ROOT

SHAPES = {
    "conv1.weight": [6, 1, 3, 3], "conv1.bias": [6], "conv2.weight": [16, 6, 3, 3], "conv2.bias": [16],
    "fc1.weight": [120, 576], "fc1.bias": [120], "fc2.weight": [84, 120], "fc2.bias": [84],
    "fc3.weight": [10, 84], "fc3.bias": [10],
}  # fmt: skip


def test_the_ten_parameters_of_the_tutorials_net(lenet: Lenet) -> None:
    found = json.loads(lenet("inspect-params", "configs/lenet.yaml", "--json").out)
    assert {p["name"]: p["shape"] for p in found["parameters"]} == SHAPES
    assert (found["total"], found["trainable"]) == (81_194, 81_194)
    assert set(found["parameters"][0]) == {
        "name", "shape", "dtype", "count", "trainable", "mean", "std", "min", "max",
    }  # fmt: skip


def test_the_table_fits_80_columns_and_cuts_nothing(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["inspect-params", "configs/lenet.yaml"], ["trace-grad", "configs/tutorial.yaml"]):
        out = lenet(*words).out
        assert "…" not in out
        assert max(map(len, out.splitlines())) <= 80


def test_a_run_and_a_weights_file_can_be_inspected(lenet: Lenet, run: Path) -> None:
    of_run = json.loads(lenet("inspect-params", "run", "--json").out)
    of_file = json.loads(lenet("inspect-params", "run/model.safetensors", "--json").out)
    assert {p["name"]: p["mean"] for p in of_run["parameters"]} == {p["name"]: p["mean"] for p in of_file["parameters"]}


def test_values_can_be_seen(lenet: Lenet) -> None:
    shown = lenet("inspect-params", "configs/mlp.yaml", "--values").out
    assert "tensor([[" in shown
    values = json.loads(lenet("inspect-params", "configs/mlp.yaml", "--values", "--json").out)
    model, _ = parts.build_model(config.load("configs/mlp.yaml"))
    assert values["parameters"][1]["values"] == model.get_parameter("fc1.bias").tolist()


def test_the_tutorials_walk_through_the_graph(lenet: Lenet) -> None:
    found = json.loads(lenet("trace-grad", "configs/tutorial.yaml", "--json").out)
    assert found["first_steps"] == ["MseLossBackward", "AddmmBackward", "AccumulateGrad"]
    assert found["forward"][:4] == ["input", "conv2d", "relu", "maxpool2d"]
    assert found["forward"][-2:] == ["MSELoss", "loss"]
    (shown,) = found["parameters"]
    assert shown["name"] == "conv1.bias"
    assert shown["grad_before"] is None
    assert len(shown["grad_after"]) == 6
    ids = {node["id"] for node in found["nodes"]}
    assert all(n is None or n in ids for node in found["nodes"] for n in node["next"])
    modules = {node["module"] for node in found["nodes"]}
    assert {"conv1", "fc3"} <= modules


def test_the_graph_equals_torchs(torch: Any, lenet: Lenet) -> None:
    found = json.loads(lenet("trace-grad", "configs/tutorial.yaml", "--param", "fc1.bias", "--json").out)
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    made = config.load("configs/tutorial.yaml")
    model, _ = parts.build_model(made)
    with torch.no_grad():
        for ours, theirs in zip(model.parameters(), net.parameters()):
            theirs.copy_(torch.tensor(ours.detach().numpy()))
    batch = next(DataLoader(parts.build_data(made).train, 1).batches(0))
    image, target = (torch.tensor(tensor.numpy().copy()) for tensor in batch)
    loss = nn.functional.mse_loss(net(image), target)
    loss.backward()
    assert found["parameters"][0]["grad_after"] == pytest.approx(net[7].bias.grad.tolist(), rel=1e-4, abs=1e-6)
    names, stack, seen = [], [loss.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.append(node.name().removeprefix("torch::autograd::").rstrip("0"))
            stack += [n for n, _ in node.next_functions]
    assert sorted(n["name"] for n in found["nodes"]) == sorted(names)


def test_an_unknown_parameter_is_refused_with_those_there_are(lenet: Lenet) -> None:
    done = lenet("trace-grad", "configs/tutorial.yaml", "--param", "conv9.bias")
    assert done.code == 2
    assert "conv1.bias" in done.err


def test_a_runs_model_can_be_traced(lenet: Lenet, run: Path) -> None:
    assert lenet("trace-grad", "run").code == 0
    assert lenet("trace-grad", "run", "seed=1").code == 2


def test_every_configuration_is_valid(lenet: Lenet, place: Path) -> None:
    paths = sorted(str(p.relative_to(place)) for p in (place / "configs").glob("*.yaml"))
    done = lenet("validate", *paths)
    assert done.code == 0
    absent = [line.partition(":")[0] for line in done.err.splitlines() if "the data was not looked at" in line]
    assert absent == [f"configs/{name}.yaml" for name in ("mobilenetv2", "resnet18", "resnet34")]  # of pictures
    assert len(done.err.splitlines()) == len(absent)
    assert len(done.out.splitlines()) == len(paths)


def test_validate_reports_every_bad_file_and_goes_on(lenet: Lenet, place: Path) -> None:
    (place / "bad.yaml").write_text("version: 1\n")
    done = lenet("validate", "bad.yaml", "nothing.yaml", "configs/mlp.yaml")
    assert done.code == 2
    assert "bad.yaml:1:1" in done.err
    assert "nothing.yaml: no such file" in done.err
    assert "configs/mlp.yaml: ok" in done.out


def test_show_prints_a_configuration_that_is_the_same(lenet: Lenet, place: Path) -> None:
    shown = lenet("show", "configs/lenet.yaml", "optimizer.lr=0.5").out
    (place / "shown.yaml").write_text(shown)
    assert "in_features: 576" in shown
    assert "lr: 0.5" in shown
    assert lenet("show", "shown.yaml").out == shown
    assert json.loads(lenet("show", "shown.yaml", "--json").out)["seed"] == 0


def test_layers_lists_every_name_with_its_place(lenet: Lenet) -> None:
    found = json.loads(lenet("layers", "--json").out)
    names = {(one["section"], one["name"]) for one in found}
    assert names == {(section, name) for section, role in ROLES.items() for name in role.classes}
    for one in found:
        line = (ROOT / one["file"]).read_text("utf-8").splitlines()[one["line"] - 1]
        assert line.startswith((f"class {one['name']}", "@"))
        assert one["purpose"], one["name"]
    table = lenet("layers").out
    assert "Conv2d" in table
    assert "lenetcli/nn/conv.py:" in table


def test_one_layer_is_described_in_full(lenet: Lenet) -> None:
    shown = lenet("layers", "Linear").out
    assert "in_features" in shown
    assert "inferred" in shown
    done = lenet("layers", "Conv2")
    assert done.code == 2
    assert "did you mean Conv2d?" in done.err


def test_init_writes_a_configuration_that_trains(lenet: Lenet, place: Path) -> None:
    assert lenet("init", "--preset", "mlp", "sub/my.yaml").code == 0
    assert lenet("train", "sub/my.yaml", "train.epochs=1").code == 0
    again = lenet("init", "sub/my.yaml")
    assert again.code == 2
    assert "exists already" in again.err
    assert (place / "sub" / "my.yaml").read_text() == (place / "configs" / "mlp.yaml").read_text()
    assert lenet("init", "--preset", "mlpp", "other.yaml").code == 2
    assert lenet("init", "noending").code == 2


def test_version_and_help(lenet: Lenet) -> None:
    assert lenet("--version").out.strip() == f"lenet {lenetcli.__version__}"
    assert "trace-grad" in lenet("--help").out
    assert lenet("-h").code == 0


def test_a_damaged_weights_file_is_one_line_and_3(lenet: Lenet, place: Path) -> None:
    (place / "w.safetensors").write_bytes(b"\xff" * 20)
    done = lenet("inspect-params", "w.safetensors")
    assert done.code == 3
    assert len(done.err.splitlines()) == 1
    save({"a": lenetcli.zeros(2)}, place / "w.safetensors")
    assert lenet("inspect-params", "w.safetensors").code == 0


def test_schema_prints_the_json_schema(lenet: Lenet) -> None:
    assert json.loads(lenet("schema").out) == json.loads(json.dumps(schema()))
