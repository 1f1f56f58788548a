"""Every configuration that ships leaves: chains, residual nets, branches, several outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lenetcli import config as configuration
from lenetcli.build.model import build_model
from lenetcli.export.checked import difference
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner
from tests.cli.conftest import Lenet, lenet, place  # noqa: F401  # fixtures
from tests.conftest import ROOT
from tests.export.nets import settled

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CONFIGS = sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_leaves_with_the_engines_numbers(name: str) -> None:
    config = configuration.load(ROOT / "configs" / name)
    model = settled(build_model(config)[0])
    graph = lower(model, tuple(config.model.input))
    run = runner(to_bytes(graph))
    assert run is not None
    assert difference(run, model, graph, (2, 1)) < 1e-4
    if sum(array.nbytes for array in graph.constants.values()) < 1 << 24:  # a text of more takes long to write
        assert difference(python_runner(python_source(graph, None, "numbers")), model, graph, (2,)) < 1e-4
    names = {name for name, value in graph.constants.items() if value.dtype == np.float32 and "constant" not in name}
    assert names <= set(model.state_dict())


def test_outputs_have_their_names_in_every_form(lenet: Lenet) -> None:  # noqa: F811
    short = ["train.epochs=1", "train.limit_batches=2", "--progress", "off"]
    assert lenet("train", str(ROOT / "configs" / "two-headed.yaml"), *short, "--out", "run").code == 0
    done = lenet("export", "run", "-o", "net.onnx", "--json")
    assert json.loads(done.out)["outputs"] == {"digit": ["N", 10], "picture": ["N", 1, 8, 8]}
    assert [v.name for v in onnx.load("net.onnx").graph.output] == ["digit", "picture"]
    assert lenet("export", "run", "-o", "net.py").code == 0
    assert "(N, 1, 8, 8) -> digit (N, 10), picture (N, 1, 8, 8)" in Path("net.py").read_text()
    assert lenet("export", "run", "-o", "hub", "--format", "huggingface").code == 0
    assert [v.name for v in onnx.load("hub/onnx/model.onnx").graph.output] == ["logits", "picture"]
    assert "- loss: CrossEntropyLoss, output=digit" in Path("hub/README.md").read_text()
    assert lenet("export", "run", "-o", "one.onnx", "--batch", "3", "--json").code == 0
    sizes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in onnx.load("one.onnx").graph.output]
    assert sizes == [[3, 10], [3, 1, 8, 8]]
