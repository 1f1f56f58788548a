"""The folder that model hubs read, and its model card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import yaml

import lenetcli as lenet
from lenetcli import nn
from lenetcli.data.inputs import Inputs, parse
from lenetcli.data.transforms import Preprocessing, resize
from lenetcli.errors import ConfigError
from lenetcli.export.folder import Described, Figures, model_card, write_folder
from lenetcli.export.graph import NotExportable
from lenetcli.export.hub_onnx import NAMES, hub_graph, logits
from lenetcli.export.onnx_file import Written, runner
from lenetcli.export.onnx_file import to_bytes as to_bytes_onnx
from lenetcli.export.public import public
from lenetcli.tensors.serialization import load, load_metadata, to_bytes
from lenetcli.train.answers import probabilities
from tests.conftest import ROOT
from tests.export.nets import expected, settled

INPUTS = Inputs((3, 8, 8), 255.0, Preprocessing(1 / 255, (4, 4), (0.5, [0.1, 0.2, 0.3])), ("cat", "dog"))
FIGURES = Figures("test", 3, 0.25, 0.875, 40)
CONFIG = {
    "name": "pets",
    "seed": 3,
    "model": {"input": [3, 4, 4], "layers": []},
    "data": {"type": "ImageFolder", "root": "pets"},
    "loss": {"type": "CrossEntropyLoss"},
    "optimizer": {"type": "SGD", "lr": 0.1},
    "train": {"epochs": 4, "batch_size": 8},
}


def described(inputs: Inputs | None = INPUTS, figures: Figures | None = FIGURES) -> Described:
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    return Described(model, CONFIG, "name: pets\n", inputs, figures)


def front_matter(card: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_the_folder_holds_what_hubs_look_for(tmp_path: Path) -> None:
    what = described()
    write_folder(tmp_path / "hub", what)
    assert {p.name for p in (tmp_path / "hub").iterdir()} == {
        "README.md", "config.json", "config.yaml", "model.safetensors", "preprocessor_config.json",
    }  # fmt: skip
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert config["id2label"] == {"0": "cat", "1": "dog"}
    assert config["label2id"] == {"cat": 0, "dog": 1}
    assert parse(config["inputs"]) == INPUTS
    assert list(load(tmp_path / "hub" / "model.safetensors")) == ["1.bias", "1.weight"]
    assert json.loads(load_metadata(tmp_path / "hub" / "model.safetensors")["lenet.inputs"])["classes"] == [
        "cat",
        "dog",
    ]
    steps = json.loads((tmp_path / "hub" / "preprocessor_config.json").read_text())
    assert steps["size"] == {"height": 4, "width": 4}
    assert (steps["rescale_factor"], steps["image_mean"], steps["image_std"]) == (1 / 255, [0.5] * 3, [0.1, 0.2, 0.3])
    assert not [p for p in tmp_path.iterdir() if p.name != "hub"]  # nothing temporary is left


def test_the_card_states_what_the_run_found() -> None:
    card = model_card(described())
    head = front_matter(card)
    assert head["pipeline_tag"] == "image-classification"
    (entry,) = head["model-index"]  # type: ignore[misc]
    assert entry["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.875}]
    assert "| ImageFolder | test (40 samples) | 3 | 0.2500 | 0.8750 |" in card
    assert "It tells 2 classes apart: cat, dog." in card
    assert "- optimizer: SGD, lr=0.1" in card


def test_the_card_claims_nothing_that_is_not_known() -> None:
    card = model_card(described(None, None))
    assert set(front_matter(card)) == {"library_name", "tags"}
    assert "None are recorded." in card
    assert "accuracy" not in card
    assert "license" not in card


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not an empty directory"):
        write_folder(tmp_path, described())
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    write_folder(tmp_path / "hub", described())
    assert (tmp_path / "hub" / "README.md").is_file()


# What leaves the machine


NASTY = (
    "<script>alert(1)</script>",
    "a\n# b",
    "x\x1b[31m",
    "[link](http://evil)",
    "`c` **d**",
    "e\u202ef",
    "| g |",
    "&lt;",
)


def test_names_of_classes_are_text_in_the_card() -> None:
    inputs = Inputs((1, 4, 4), 255.0, Preprocessing(), NASTY)
    card = model_card(described(inputs))
    body = card.split("---\n", 2)[2]
    (line,) = [line for line in body.splitlines() if line.startswith("It tells")]
    assert "# b" not in body.splitlines()
    assert all(c.isprintable() or c == "\n" for c in card)
    markdown = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    html = markdown.render(line)
    for tag in ("<script", "<a ", "<code", "<strong", "<em", "<table"):
        assert tag not in html, tag
    for shown in (
        "&lt;script&gt;",
        r"a\n# b",
        r"x\x1b[31m",
        "[link](http://evil)",
        "`c` **d**",
        r"e\u202ef",
        "&amp;lt;",
    ):
        assert shown in html, shown
    assert front_matter(card)["tags"] == ["lenet", "image-classification"]


def test_a_net_that_prints_a_fence_stays_in_its_own(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def extra_repr(self) -> str:
            return "```\n<b>\x1b[1m"

    what = Described(nn.Sequential(Odd()), CONFIG, "", None, None)
    lines = model_card(what).splitlines()
    assert lines.count("````") == 2
    assert any(r"<b>\x1b[1m" in line for line in lines)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/home/me/secret/pets", "pets"), ("../secret/pets/", "pets"), ("C:\\secret\\pets", "pets"), ("pets", "pets"),
     ("~/pets", "pets"), ("/", "/")],
)  # fmt: skip
def test_of_a_path_its_last_part_is_told(path: str, name: str) -> None:
    found, _ = public({**CONFIG, "data": {"type": "ImageFolder", "root": path, "augment": {"file": path}}})
    assert found["data"] == {"type": "ImageFolder", "root": name, "augment": {"file": name}}
    assert CONFIG["data"] == {"type": "ImageFolder", "root": "pets"}


def test_own_files_go_along_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text("# mine\n")
    layers = {"input": [1], "layers": [{"type": f"{tmp_path}/my_net.py:Net", "layers": [{"type": "ReLU"}]}]}
    found, files = public({**CONFIG, "model": layers})
    assert found["model"]["layers"][0]["type"] == "my_net.py:Net"
    what = Described(nn.Sequential(), found, "name: a\n", None, None, files)
    write_folder(tmp_path / "hub", what)
    assert (tmp_path / "hub" / "my_net.py").read_text() == "# mine\n"
    assert not [p for p in (tmp_path / "hub").iterdir() if str(tmp_path).encode() in p.read_bytes()]


def test_the_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import lenetcli as lenet\n"
        "from tests.export.test_folder import described\n"
        "from lenetcli.export.folder import write_folder\n"
        "lenet.manual_seed(0); write_folder(Path(sys.argv[1]), described())\n"
    )
    for seed in range(4):
        command = [sys.executable, "-c", code, str(tmp_path / str(seed))]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": str(seed)})
    for file in (tmp_path / "0").iterdir():
        assert len({(tmp_path / str(seed) / file.name).read_bytes() for seed in range(4)}) == 1, file.name


def test_metadata_that_is_sorted_is_what_was_given(tmp_path: Path) -> None:
    notes = {f"key{i}": f'é \U0001f600 {i} " \\ \n' for i in range(20)}
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes({"b": lenet.ones(3), "a": lenet.zeros(2, 2), "c": lenet.tensor([True])}, notes))
    assert load_metadata(path) == notes
    assert {key: value.tolist() for key, value in load(path).items()} == {
        "b": [1.0, 1.0, 1.0], "a": [[0.0, 0.0], [0.0, 0.0]], "c": [True],
    }  # fmt: skip
    theirs = safetensors.numpy.load_file(path)
    assert theirs["a"].shape == (2, 2)
    assert len({to_bytes({"a": lenet.zeros(1)}, notes) for _ in range(20)}) == 1


# The model from pictures to logits


@pytest.mark.parametrize(
    ("outputs", "last"),
    [("scores", nn.Linear(12, 3)), ("logarithms", nn.LogSoftmax(1)), ("probabilities", nn.Softmax(1)),
     ("logits", nn.Linear(12, 1)), ("probabilities", nn.Sequential(nn.Linear(12, 1), nn.Sigmoid())),
     ("logits", nn.Sequential(nn.Linear(12, 1), nn.Flatten(0)))],
)  # fmt: skip
@pytest.mark.parametrize("size", [None, (4, 3), (7, 9)])
def test_the_softmax_of_what_leaves_are_the_probabilities(
    outputs: str, last: nn.Module, size: tuple[int, int] | None
) -> None:
    pytest.importorskip("onnx")
    inputs = Inputs((1, 4, 3), 255.0, Preprocessing(1 / 255, size), ("a", "b", "c"))
    rows, columns = inputs.size
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(rows * columns, 12), last))
    try:
        graph = hub_graph(model, inputs, outputs)
    except NotExportable:
        assert "Flatten(start_dim=0" in repr(last)  # which joins the samples
        return
    x = np.random.default_rng(0).random((4, 1, 4, 3)).astype(np.float32)
    run = runner(to_bytes_onnx(graph, Written(names=NAMES)))
    assert run is not None
    (found,) = run(x)
    y = expected(model, resize(x, inputs.size))
    np.testing.assert_allclose(found, logits(y, outputs), rtol=1e-4, atol=1e-5)
    shares = np.exp(found) / np.exp(found).sum(1, keepdims=True)
    losses = {"scores": "CrossEntropyLoss", "logarithms": "NLLLoss", "logits": "BCEWithLogitsLoss"}
    loss = losses.get(outputs, "BCELoss" if y.shape[1:] == (1,) else None)
    wanted = y if loss is None else probabilities(y, getattr(nn, loss)())
    np.testing.assert_allclose(shares, wanted, rtol=1e-4, atol=1e-5)


def test_the_processor_resizes_to_the_data_sets_size_where_the_model_goes_on(tmp_path: Path) -> None:
    write_folder(tmp_path / "hub", described(), b"onnx")
    steps = json.loads((tmp_path / "hub" / "preprocessor_config.json").read_text())
    assert steps["size"] == {"height": 8, "width": 8}
    assert (steps["image_processor_type"], steps["do_convert_rgb"]) == ("ViTImageProcessor", True)
    assert (tmp_path / "hub" / "onnx" / "model.onnx").read_bytes() == b"onnx"
