"""A user's own class as the whole model: the names of its tensors, torch's checkpoints of it, runs from before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet_library
from lenetcli.errors import ConfigError
from lenetcli.tensors.serialization import load, save
from tests.cli.conftest import Lenet, lenet, place  # noqa: F401  # fixtures

NET = """
class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width * 9, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        return self.fc(x.flatten(1))
"""
OWN = "from lenetcli import nn\nimport lenetcli.nn.functional as F\n"
CONFIG = """
model: {input: [1, 8, 8], layers: [{type: my_net.py:Net, width: 4}]}
data: {type: Digits}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
train: {epochs: 2, batch_size: 64, limit_batches: 4}
"""
NAMES = ["conv1.weight", "conv1.bias", "norm.weight", "norm.bias", "fc.weight", "fc.bias"]


@pytest.fixture
def own(place: Path) -> Path:  # noqa: F811
    (place / "my_net.py").write_text(OWN + NET)
    (place / "own.yaml").write_text(CONFIG)
    return place


def test_its_tensors_have_its_own_names(lenet: Lenet, own: Path) -> None:  # noqa: F811
    assert lenet("train", "own.yaml", "--out", "run", "--progress", "off").code == 0
    assert set(load(own / "run" / "model.safetensors")) > set(NAMES)
    shown = json.loads(lenet("inspect-params", "run", "--json").out)
    assert [row["name"] for row in shown["parameters"]] == NAMES


def test_what_torch_has_trained_of_the_class_is_imported(lenet: Lenet, own: Path, torch: Any) -> None:  # noqa: F811
    save_file = pytest.importorskip("safetensors.torch").save_file
    scope: dict[str, object] = {"nn": torch.nn, "F": torch.nn.functional}
    exec(NET, scope)
    theirs = scope["Net"](4).eval()  # type: ignore[operator]
    save_file(theirs.state_dict(), own / "net.safetensors")
    done = lenet("import", "net.safetensors", "--config", "own.yaml", "--out", "run", "--allow-code")
    assert (done.code, done.err) == (0, "")
    x = np.random.default_rng(0).random((3, 1, 8, 8)).astype(np.float32)
    with torch.no_grad(), lenet_library.no_grad():
        ours = lenet_library.Trainer.open("run").model(lenet_library.from_numpy(x.copy()))
        np.testing.assert_allclose(ours.numpy(), theirs(torch.from_numpy(x)).numpy(), atol=1e-5)


def test_a_name_is_kept_and_others_beside_it_are_layers(lenet: Lenet, own: Path) -> None:  # noqa: F811
    for layers, prefix in (
        ("[{type: my_net.py:Net, name: net}]", "net."),
        ("[{type: my_net.py:Net}, {type: ReLU}]", "0."),
    ):
        done = lenet("train", "own.yaml", f"model.layers={layers}", "--out", f"run{prefix}", "--progress", "off")
        assert done.code == 0, done.err
        assert all(key.startswith(prefix) for key in load(own / f"run{prefix}" / "model.safetensors"))


def test_runs_from_before_load_and_go_on(lenet: Lenet, own: Path) -> None:  # noqa: F811
    """Their model was layer 0."""
    assert lenet("train", "own.yaml", "--out", "run", "--progress", "off").code == 0
    before = json.loads(lenet("eval", "run", "--json").out)
    best = own / "run" / "model.safetensors"
    save({f"0.{key}": value for key, value in load(best).items()}, best)
    assert json.loads(lenet("eval", "run", "--json").out) == before
    assert lenet("inspect-params", "run", "--updates").code == 0
    done = lenet("train", "--resume", "run", "train.epochs=3", "--progress", "off")
    assert done.code == 0, done.err
    assert set(load(best)) > set(NAMES)


def test_what_a_script_has_saved_says_how_it_is_taken_up(lenet: Lenet, own: Path) -> None:  # noqa: F811
    from lenetcli import nn, optim

    net, data = nn.Linear(4, 3), (lenet_library.randn(12, 4), lenet_library.randint(0, 3, (12,)))
    trainer = lenet_library.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss(), data, data)
    trainer.fit(progress="off")
    saved = trainer.save("net")
    with pytest.raises(ConfigError, match=r"load_state_dict\(lenetcli.load\('net/model.safetensors'\)\)"):
        lenet_library.Trainer.open(saved)
    done = lenet("eval", "net")
    assert done.code == 2
    assert "lenet import net/model.safetensors --config CONFIG.yaml" in done.err
    again = nn.Linear(4, 3)
    again.load_state_dict(lenet_library.load("net/model.safetensors"))
    assert again.weight.tolist() == net.weight.tolist()
