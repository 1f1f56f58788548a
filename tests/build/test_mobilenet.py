"""The configuration of docs/fine-tuning.md takes a file of the published one's names and shapes: the same net."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.autograd.modes import no_grad
from lenetcli.build.parts import build_model, build_run
from lenetcli.config import load
from lenetcli.display.png import png
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.features import parts_of
from tests.conftest import ROOT

CONFIG = ROOT / "configs" / "fine-tuning" / "mobilenet-v2.yaml"
TENSORS = 312  # of the published file


@pytest.fixture(scope="module")
def tool() -> Any:
    """tools/fine_tune.py, which has the net in torch, too."""
    spec = importlib.util.spec_from_file_location("fine_tune", ROOT / "tools" / "fine_tune.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def theirs(torch: Any, tool: Any) -> Any:
    """The net in torch, with statistics of batch norm as of a trained one."""
    torch.manual_seed(0)
    net = tool.torch_net(torch.nn)
    for name, buffer in net.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return net.eval()


@pytest.fixture(scope="module")
def weights(theirs: Any, torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the published one: its backbone alone, in the form of before torch 1.6."""
    path = tmp_path_factory.mktemp("weights") / "backbone.pt"
    backbone = {name: tensor for name, tensor in theirs.state_dict().items() if name.startswith("features.")}
    assert len(backbone) == TENSORS
    torch.save(backbone, path, _use_new_zipfile_serialization=False)
    return path


def test_every_tensor_fits_and_the_outputs_are_the_same(weights: Path, theirs: Any, torch: Any) -> None:
    model, rows = build_model(load(CONFIG, [f"model.init={weights}"]))
    assert len(model.state_dict()) == TENSORS + 2
    assert rows[-1].output == (10,)
    x = np.random.default_rng(0).standard_normal((2, 3, 96, 96)).astype(np.float32)
    with no_grad(), torch.no_grad():
        ours = model.eval().features(from_numpy(x)).numpy()
        np.testing.assert_allclose(ours, theirs.features(torch.from_numpy(x)).numpy(), rtol=1e-4, atol=1e-5)


def test_all_but_the_head_is_frozen_and_kept(weights: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "abc":
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(4):
            picture = rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)
            (tmp_path / "pictures" / name / f"{i}.png").write_bytes(png(picture))
    changes = (f"model.init={weights}", f"data.root={tmp_path / 'pictures'}")
    run = build_run(load(CONFIG, (*changes, "model.layers.classifier.layers.1.out_features=3")))
    trained = [name for name, parameter in run.model.named_parameters() if parameter.requires_grad]
    assert trained == ["classifier.1.weight", "classifier.1.bias"]
    assert run.notes[0] == (
        "model.init: 312 of 314 tensors are the file's; start anew: classifier.1.weight, classifier.1.bias"
    )
    parts = parts_of(run.model)
    assert parts is not None
    assert parts.last == "features"
