"""`lenet export` and `lenet import`: a run leaves in every format, and weights come back as a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet_library
from lenetcli.cli.training import start_run
from lenetcli.data import Digits
from lenetcli.runs.open import load_run
from tests.cli.conftest import Lenet
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on the digits."""
    place = tmp_path_factory.mktemp("trained") / "run"
    assert (
        start_run(str(ROOT / "configs" / "lenet5.yaml"), ["train.epochs=1", "train.limit_batches=8"], place, "off") == 0
    )
    return place


@pytest.fixture
def run(trained: Path, place: Path) -> Path:
    """The run, in this test's own directory."""
    return Path(shutil.copytree(trained, place / "run"))


def outputs(place: Path, x: Any) -> Any:
    """What a run's model gives."""
    with lenet_library.no_grad():
        return load_run(place).model(lenet_library.from_numpy(x.copy())).numpy()


X = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)


def test_onnx_leaves_with_the_engines_outputs(lenet: Lenet, run: Path, place: Path) -> None:
    onnx = pytest.importorskip("onnx")
    done = lenet("export", "run", "-o", "net.onnx", "--json")
    assert (done.code, done.err) == (0, "")
    record = json.loads(done.out)
    assert record["format"] == "onnx"
    assert (record["input"], record["output"]) == (["N", 1, 32, 32], ["N", 10])
    assert record["bytes"] == (place / "net.onnx").stat().st_size
    assert record["difference"] < 1e-5
    from onnx.reference import ReferenceEvaluator

    made = onnx.load(place / "net.onnx")
    found = ReferenceEvaluator(made).run(None, {"input": X})[0]
    np.testing.assert_allclose(found, outputs(run, X), rtol=1e-5, atol=1e-5)
    notes = {p.key: p.value for p in made.metadata_props}
    assert json.loads(notes["lenet.inputs"])["classes"] == list("0123456789")


def test_python_leaves_as_a_file_that_classifies(lenet: Lenet, run: Path, place: Path) -> None:
    assert lenet("export", "run", "-o", "net.py").code == 0
    images = (Digits().test.images[:4] / 16).astype(np.float32)
    np.save(place / "x.npy", images)
    words = [sys.executable, "net.py", "x.npy"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    found = json.loads(lenet("predict", "run", "x.npy", "--json").out)
    assert [(line[0], line[1]) for line in lines] == [(f"x.npy[{i}]", p["label"]) for i, p in enumerate(found)]
    assert [float(line[2]) for line in lines] == pytest.approx([p["probability"] for p in found], abs=1e-4)


@pytest.mark.parametrize("name", ["w.safetensors", "w.npz"])
def test_weights_leave_as_they_are(lenet: Lenet, run: Path, place: Path, name: str) -> None:
    assert lenet("export", "run", "-o", name).code == 0
    wanted = lenet_library.load(run / "model.safetensors")
    if name.endswith("npz"):
        with np.load(place / name, allow_pickle=False) as held:
            found = {key: held[key] for key in held}
    else:
        found = {key: tensor.numpy() for key, tensor in lenet_library.load(place / name).items()}
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[key], tensor.numpy()) for key, tensor in wanted.items())


def test_a_folder_becomes_the_same_run_again(lenet: Lenet, run: Path, place: Path) -> None:
    assert lenet("export", "run", "--format", "huggingface", "-o", "hub").code == 0
    card = (place / "hub" / "README.md").read_text()
    accuracy = json.loads(lenet("eval", "run", "--json").out)["accuracy"]
    assert f"{accuracy:.4f}" in card
    command = next(line for line in card.splitlines() if line.startswith("lenet import"))
    words = [f"hub/{w}" if w in ("model.safetensors", "config.yaml") else w for w in command.split()[1:]]
    done = lenet(*[w if w != "run" else "again" for w in words])
    assert (done.code, done.err) == (0, "")
    assert np.array_equal(outputs(place / "again", X), outputs(run, X))
    assert (place / "again" / "inputs.json").read_text() == (run / "inputs.json").read_text()
    assert json.loads(lenet("eval", "again", "--json").out)["accuracy"] == accuracy


def test_weights_that_torch_trained_become_a_run(torch: Any, lenet: Lenet, place: Path) -> None:
    safetensors_torch = pytest.importorskip("safetensors.torch")
    theirs = torch.nn.Sequential()
    theirs.add_module("0", torch.nn.Flatten())
    for i, (rows, columns) in enumerate(((64, 128), (128, 64), (64, 10)), 1):
        theirs.add_module(f"fc{i}", torch.nn.Linear(rows, columns))
        if i < 3:
            theirs.add_module(f"relu{i}", torch.nn.ReLU())
    safetensors_torch.save_file(theirs.state_dict(), place / "theirs.safetensors")
    done = lenet("import", "theirs.safetensors", "--config", "configs/mlp.yaml", "--out", "run")
    assert (done.code, done.err) == (0, "")
    assert "6 tensors, 17,226 numbers; run directory run" in done.out
    x = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(outputs(place / "run", x), theirs(torch.from_numpy(x)).numpy(), atol=1e-5)
    assert lenet("eval", "run").code == 0
    np.save(place / "x.npy", np.zeros((8, 8), np.float32))
    assert lenet("predict", "run", "x.npy").code == 0
    assert lenet("export", "run", "-o", "back.safetensors").code == 0
    back = safetensors_torch.load_file(place / "back.safetensors")
    for key, tensor in theirs.state_dict().items():
        assert back[key].numpy().tobytes() == tensor.numpy().tobytes(), key


def test_weights_of_another_model_are_one_message_and_nothing_is_made(lenet: Lenet, run: Path, place: Path) -> None:
    done = lenet("import", "run/model.safetensors", "--config", "configs/lenet.yaml", "--out", "new")
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith("error: run/model.safetensors: these weights are not of this model:\n")
    assert "conv1.weight: the file has shape [6, 1, 5, 5], the model [6, 1, 3, 3]" in done.err
    assert not (place / "new").exists()


def test_without_its_data_a_run_knows_its_inputs_from_the_weights(lenet: Lenet, place: Path) -> None:
    rows = "\n".join(f"{i % 3},{','.join(str((i * j) % 7 * 30) for j in range(4))}" for i in range(30))
    (place / "d.csv").write_text(rows)
    lenet("train", "configs/mlp.yaml", "data={type: CSV, path: d.csv, shape: [1, 2, 2], scale: 0.00392157}",
          "model.input=[1, 2, 2]", "train.epochs=1", "--out", "run")  # fmt: skip
    assert lenet("export", "run", "--format", "huggingface", "-o", "hub").code == 0
    (place / "d.csv").unlink()
    done = lenet("import", "hub/model.safetensors", "--config", "hub/config.yaml", "--out", "again")
    assert done.code == 0
    assert "note: the data was not looked at" in done.err
    np.save(place / "x.npy", np.array([[0, 90], [120, 255]]))
    found = [lenet("predict", name, "x.npy", "--json").out for name in ("run", "again")]
    assert found[0] == found[1]


OWN = (
    "from lenetcli import nn\n"
    "class Net(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.fc = nn.Linear(64, 10)\n"
    "    def forward(self, x):\n"
    "        y = self.fc(x.flatten(1))\n"
    "        return {line}\n"
)


def test_an_own_module_leaves_in_every_form(lenet: Lenet, place: Path) -> None:
    (place / "configs" / "own.py").write_text(OWN.format(line="y + y.tanh()"))
    lenet("train", "configs/mlp.yaml", "model.layers=[{type: own.py:Net}]", "train.epochs=1", "--out", "run")
    for words in (["-o", "net.onnx"], ["-o", "net.py"], ["-o", "net.npz"], ["-o", "hub", "--format", "huggingface"]):
        done = lenet("export", "run", *words)
        assert (done.code, done.err) == (0, "")
    assert (place / "hub" / "onnx" / "model.onnx").exists()


def test_an_own_module_that_looks_at_values_is_refused_with_its_line_but_its_weights_leave(
    lenet: Lenet, place: Path
) -> None:
    (place / "configs" / "own.py").write_text(OWN.format(line="y if y.max() > -1e9 else -y"))
    lenet("train", "configs/mlp.yaml", "model.layers=[{type: own.py:Net}]", "train.epochs=1", "--out", "run")
    done = lenet("export", "run", "-o", "net.onnx")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert (
        "own.py:8: the model (Net): cannot be exported: a condition (if, while, and, bool()) looks at values"
        in done.err
    )
    assert not (place / "net.onnx").exists()
    assert lenet("export", "run", "-o", "net.safetensors").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["export", "nowhere", "-o", "x.onnx"], 2, "not a run directory"),
        (["export", "run"], 2, "output"),
        (["export", "run", "-o", "x"], 2, "which format?"),
        (["export", "run", "-o", "x.onnx", "--format", "npz"], 2, "its ending says onnx, --format says npz"),
        (["export", "run", "-o", "x", "--format", "safetensors"], 2, "has to end in .safetensors"),
        (["export", "run", "-o", "x", "--format", "keras"], 2, "keras"),
        (["export", "run", "-o", "configs", "--format", "huggingface"], 2, "not an empty directory"),
        (["export", "run", "-o", "configs", "--format", "npz"], 2, "is a directory"),
        (["export", "run", "-o", "no/where/x.npz"], 1, "cannot write no/where/x.npz"),
        (["import", "x.safetensors"], 2, "--config"),
        (["import", "x.safetensors", "--config", "nothing.yaml"], 2, "no such file"),
        (["import", "x.safetensors", "--config", "configs/mlp.yaml"], 3, "x.safetensors"),
        (["import", "x.pt", "--config", "configs/mlp.yaml"], 3, "x.pt: cannot be read: No such file"),
        (["import", "configs/mlp.yaml", "--config", "configs/mlp.yaml"], 3, "a configuration goes with --config"),
    ],
)
def test_wrong_input_is_one_message_and_the_right_code(
    lenet: Lenet, run: Path, words: list[str], code: int, message: str
) -> None:
    lenet(*words).assert_refused(code, message)


def test_an_existing_run_is_not_imported_over(lenet: Lenet, run: Path) -> None:
    before = (run / "model.safetensors").read_bytes()
    done = lenet("import", "run/model.safetensors", "--config", "run/config.yaml", "--out", "run")
    assert done.code == 2
    assert (run / "model.safetensors").read_bytes() == before


def test_without_onnx_the_hint_says_how_to_get_it(lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "onnx" or name.startswith("onnx.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = lenet("export", "run", "-o", "net.onnx")
    assert done.code == 2
    assert "python -m pip install 'lenet[onnx]'" in done.err


def test_an_export_that_gives_other_numbers_is_not_written(
    lenet: Lenet, run: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lenetcli.export import python_file

    monkeypatch.setattr(python_file, "runner", lambda source: lambda x: np.zeros((len(x), 10), np.float32))
    done = lenet("export", "run", "-o", "net.py")
    assert done.code == 5
    assert "differ from the engine's" in done.err
    assert not (place / "net.py").exists()


def test_imported_runs_are_compared_by_their_weights(lenet: Lenet, run: Path) -> None:
    weights = str(run / "model.safetensors")
    assert lenet("import", weights, "--config", "configs/lenet5.yaml", "--out", "taken").code == 0
    done = lenet("diff", str(run), "taken")
    assert (done.code, done.err) == (0, "")
    assert "steps: taken has made none" in done.out
    assert all(not t["count"] for t in json.loads(lenet("diff", str(run), "taken", "--json").out)["tensors"])


def test_what_stands_in_the_wrong_place_is_told_where_it_goes(lenet: Lenet, run: Path) -> None:
    weights = str(run / "model.safetensors")
    assert "--config configs/mlp.yaml" in lenet("import", weights, "configs/mlp.yaml").err
    done = lenet("import", str(run), "--config", "configs/mlp.yaml")
    assert (done.code, f"got a directory; try {weights}" in done.err) == (3, True)
