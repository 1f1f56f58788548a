"""The folder that model hubs read, and its model card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lenetcli import nn
from lenetcli.data.inputs import Inputs, parse
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import ConfigError
from lenetcli.export.folder import Described, Figures, model_card, write_folder
from lenetcli.tensors.serialization import load, load_metadata

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
