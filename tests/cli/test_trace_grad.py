"""`lenet trace-grad` and `lenet gradcheck`, as a user types them."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet

WRONG = """
from lenetcli import nn
from lenetcli.autograd import Function


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x


class Wrong(nn.Module):
    def forward(self, x):
        return Square.apply(x)
"""
NET = """
model:
  input: [1, 8, 8]
  layers:
    - {{type: Flatten}}
    {layers}
    - {{type: Linear, name: head, out_features: 10}}
data: {{type: Digits}}
loss: {{type: CrossEntropyLoss}}
optimizer: {{type: SGD, lr: 0.05}}
train: {{epochs: 1, batch_size: 16}}
"""


def write(place: Path, *layers: str) -> str:
    """A configuration with these layers; gives its path."""
    (place / "net.yaml").write_text(NET.format(layers="\n    ".join(f"- {layer}" for layer in layers)))
    return "net.yaml"


@pytest.fixture
def deep(place: Path) -> str:
    """A net of 500 layers."""
    return write(place, *["{type: Linear, out_features: 12}", "{type: ReLU}"] * 250)


def test_json_has_the_promised_keys(lenet: Lenet) -> None:
    found = json.loads(lenet("trace-grad", "configs/mlp.yaml", "--json").out)
    assert {"forward", "first_steps", "nodes", "parameters"} <= set(found)
    for node in found["nodes"]:
        assert {"id", "name", "module", "shape", "next", "grad_norm"} <= set(node)
        assert "check" not in node
        assert {"grad_mean", "grad_max", "grad_zeros", "value"} <= set(node)
    assert {"name", "grad_before", "grad_after"} == set(found["parameters"][0])


def test_check_gives_each_op_a_verdict(lenet: Lenet) -> None:
    done = lenet("trace-grad", "configs/lenet.yaml", "train.batch_size=4", "--check", "--json")
    nodes = json.loads(done.out)["nodes"]
    assert done.code == 0
    for node in nodes:
        assert ("check" in node) is (node["name"] != "AccumulateGrad")
        if "check" in node:
            assert node["check"]["ok"] is True
            assert node["check"]["error"] < 1e-5
    table = lenet("trace-grad", "configs/lenet.yaml", "train.batch_size=4", "--check").out
    assert re.search(r"checked \d+ nodes against differences, 0 failed", table)


@pytest.mark.usefixtures("consenting")
def test_a_wrong_gradient_is_5_and_named(lenet: Lenet, place: Path) -> None:
    (place / "wrong.py").write_text(WRONG)
    path = write(place, "{type: Linear, name: fc, out_features: 6}", "{type: 'wrong.py:Wrong', name: odd}")
    done = lenet("trace-grad", path, "--check")
    assert done.code == 5
    assert "SquareBackward" in done.err
    assert "module odd" in done.err
    assert "FAILED" in done.out
    nodes = json.loads(lenet("trace-grad", path, "--check", "--json").out)["nodes"]
    assert [n["module"] for n in nodes if "check" in n and not n["check"]["ok"]] == ["odd"]
    assert lenet("trace-grad", path).code == 0


@pytest.mark.usefixtures("consenting")
def test_gradcheck_of_a_right_and_of_a_wrong_net(lenet: Lenet, place: Path) -> None:
    done = lenet("gradcheck", "configs/lenet.yaml", "--samples", "3")
    assert done.code == 0
    assert "checked 10 parameters along 2 directions each, 0 wrong" in done.out
    (place / "wrong.py").write_text(WRONG)
    path = write(place, "{type: Linear, name: fc, out_features: 6}", "{type: 'wrong.py:Wrong'}")
    done = lenet("gradcheck", path, "seed=3", "--json")
    assert done.code == 5
    assert "fc.weight, fc.bias" in done.err
    found = json.loads(done.out)
    assert found["ok"] is False
    assert {p["name"]: p["ok"] for p in found["parameters"]} == {
        "fc.weight": False, "fc.bias": False, "head.weight": True, "head.bias": True,
    }  # fmt: skip
    assert set(found["parameters"][0]) >= {"numeric", "analytic", "error"}


def test_a_small_graph_is_shown_node_by_node_and_a_large_one_by_modules(lenet: Lenet, deep: str) -> None:
    assert "AccumulateGrad  " in lenet("trace-grad", "configs/mlp.yaml").out
    began = time.process_time()
    out = lenet("trace-grad", deep).out
    assert time.process_time() - began < 3
    assert "module by module" in out
    assert "AccumulateGrad  " not in out
    assert "(4" in out  # words of the forward chain that are left out
    assert "(302 more rows)" in out  # of 502 layers, the loss with them
    drawn = next(line for line in out.splitlines() if line.startswith("|grad| from loss to input"))
    assert drawn.endswith(" 0")  # nothing arrives
    assert re.search(r"log: 1 █▇*▆*▅*▄*▃*▂*▁*·+ 0$", drawn)  # it only gets less
    every = lenet("trace-grad", deep, "--expand").out
    assert "more rows" not in every
    assert every.count("AddmmBackward  ") == 251
    assert len(json.loads(lenet("trace-grad", deep, "--json").out)["nodes"]) == 251 * 4 + 250 + 2


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("options", [[], ["--check"], ["--depth", "1"]])
def test_tables_keep_to_the_width_and_cut_nothing(
    lenet: Lenet, monkeypatch: pytest.MonkeyPatch, columns: int, options: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = lenet("trace-grad", "configs/tutorial.yaml", *options).out
    assert max(map(len, out.splitlines())) <= columns
    assert "…" not in out
    assert "\x1b" not in out
    assert "conv1" in out
    if columns == 200 and options != ["--check"]:
        assert "grad mean" in out
        assert "█" in out


def test_training_first_changes_what_is_seen(lenet: Lenet) -> None:
    first = json.loads(lenet("trace-grad", "configs/mlp.yaml", "--json").out)
    later = json.loads(lenet("trace-grad", "configs/mlp.yaml", "--step", "5", "--json").out)
    assert (first["step"], later["step"]) == (0, 5)
    assert later["loss"] != first["loss"]
    assert "after 5 training steps" in lenet("trace-grad", "configs/mlp.yaml", "--step", "5").out


def test_a_run_is_traced_at_its_newest_checkpoint_and_left_as_it_is(lenet: Lenet, run: Path) -> None:
    files = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    checkpoints = run / "checkpoints"
    newest = checkpoints / (checkpoints / "latest").read_text().strip() / "state.json"
    steps = json.loads(newest.read_text())["progress"]["step"]
    found = json.loads(lenet("trace-grad", "run", "--param", "fc2.bias", "--json").out)
    assert found["step"] == steps
    assert found["loss"] < 1
    assert len(found["parameters"][0]["grad_after"]) == 64
    assert json.loads(lenet("trace-grad", "run", "--step", "3", "--json").out)["step"] == steps + 3
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == files
    assert lenet("gradcheck", "run").code == 0


def test_diagrams_are_written(lenet: Lenet, place: Path) -> None:
    done = lenet("trace-grad", "configs/mlp.yaml", "--mermaid", "a.mmd", "--dot", "a.dot", "--svg", "a.svg")
    assert done.code == 0
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["a.mmd", "a.dot", "a.svg"]
    assert (place / "a.mmd").read_text().startswith("flowchart TB")
    assert (place / "a.dot").read_text().startswith("digraph")
    small = len(ET.parse(place / "a.svg").getroot())
    lenet("trace-grad", "configs/mlp.yaml", "--svg", "a.svg", "--expand", "--json")
    assert len(ET.parse(place / "a.svg").getroot()) > small


def test_a_page_is_one_file_with_all_steps(lenet: Lenet, place: Path) -> None:
    assert lenet("trace-grad", "configs/mlp.yaml", "--html", "a.html", "--steps", "2").code == 0
    text = (place / "a.html").read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    found = json.loads(data[1])
    assert [step["step"] for step in found["steps"]] == [0, 1, 2]
    assert len(found["graphs"]) == 1
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


@pytest.mark.parametrize("file", [".", "nowhere/a.html"])
def test_a_place_that_cannot_be_written_is_2(lenet: Lenet, file: str) -> None:
    done = lenet("trace-grad", "configs/mlp.yaml", "--html", file)
    assert done.code == 2
    assert "--html" in done.err


def test_a_training_that_diverges_is_shown_up_to_there(lenet: Lenet, place: Path) -> None:
    done = lenet("trace-grad", "configs/mlp.yaml", "optimizer=configs/optimizers/sgd.yaml", "optimizer.lr=1e30",
                 "--html", "a.html")  # fmt: skip
    assert done.code == 4
    assert (place / "a.html").is_file()


@pytest.mark.usefixtures("consenting")
def test_names_cannot_write_to_the_terminal(lenet: Lenet, place: Path) -> None:
    (place / "odd.py").write_text(
        "from lenetcli import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.add_module('\\x1b[2Jcleared\\n', nn.Linear(64, 4))\n"
        "    def forward(self, x):\n        return next(self.children())(x)\n"
    )
    path = write(place, "{type: 'odd.py:Net', name: odd}")
    for options in ([], ["--depth", "2"], ["--check"]):
        done = lenet("trace-grad", path, *options)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "\\x1b[2Jcleared\\n" in done.out
