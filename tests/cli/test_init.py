"""`lenet init` and `lenet validate`: what they write, refuse, and say to do."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.cli.completion import preset_names
from lenetcli.config.json_schema import schema
from lenetcli.config.presets import presets
from lenetcli.display.png import png
from tests.cli.conftest import Lenet


def pictures(folder: Path, count: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    for i in range(count):
        (folder / f"{i}.png").write_bytes(png(rng.integers(0, 256, (12, 10, 3)).astype(np.uint8)))


def test_help_lists_the_presets(lenet: Lenet) -> None:
    told = re.sub(r"-\s+", "-", lenet("init", "--help").out)
    assert set(preset_names()) == set(presets())
    assert [name for name in presets() if not re.search(rf"\b{name}\b", told)] == []


@pytest.fixture(scope="module")
def known_schema() -> Any:
    """As it is read from a file."""
    return json.loads(json.dumps(schema()))


@pytest.mark.parametrize("name", preset_names())
def test_the_schema_that_a_written_configuration_names_lies_beside_it(
    name: str, lenet: Lenet, place: Path, known_schema: Any
) -> None:
    done = lenet("init", "--preset", name, "sub/my.yaml")
    assert done.code == 0, done.err
    text = (place / "sub" / "my.yaml").read_text()
    named = re.search(r"\$schema=(\S+)", text)
    assert named is not None
    assert json.loads((place / "sub" / named[1]).read_text()) == known_schema


def test_a_schema_that_is_there_stays(lenet: Lenet, place: Path) -> None:
    (place / "lenet.schema.json").write_text("mine")
    assert lenet("init", "my.yaml").out == "my.yaml: written; train it with: lenet train my.yaml\n"
    assert (place / "lenet.schema.json").read_text() == "mine"


@pytest.mark.parametrize("within", ["", "train/"])
def test_a_folder_of_pictures_is_refused_and_what_is_said_can_be_done(within: str, lenet: Lenet, place: Path) -> None:
    for name in ("cats", "big dogs", "owls"):
        pictures(place / "my photos" / within / name)
        if within:
            pictures(place / "my photos" / "test" / name, 2)
    done = lenet("init", "my photos")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: my photos: holds pictures")
    assert sorted(p.name for p in (place / "my photos").iterdir()) == (["test", "train"] if within else
                                                                        ["big dogs", "cats", "owls"])  # fmt: skip
    for line in re.findall("^   lenet (.*)$", done.err, re.MULTILINE):
        words = shlex.split(line)
        assert lenet(*words, *(["train.epochs=1"] if words[0] == "train" else [])).code == 0


def test_pictures_without_folders_are_refused_and_other_folders_are_not(lenet: Lenet, place: Path) -> None:
    pictures(place / "flat")
    assert "in a folder for each class" in lenet("init", "flat").err
    assert list((place / "flat").glob("*.yaml")) == []
    (place / "docs").mkdir()
    pictures(place / "docs" / "images")
    for folder in ("docs", "."):
        assert lenet("init", folder).code == 0


def test_validate_takes_changes(lenet: Lenet) -> None:
    good = lenet("validate", "configs/lenet.yaml", "configs/lenet5.yaml", "optimizer.lr=0.1", "train.epochs=2")
    assert (good.code, good.err) == (0, "")
    assert good.out.count(": ok,") == 2
    assert lenet("validate", "configs/lenet.yaml", "optimizer={type:", "Adam}").code == 0
    bad = lenet("validate", "configs/lenet.yaml", "lr=0.1")
    assert (bad.code, bad.out) == (2, "")
    assert "did you mean optimizer.lr?" in bad.err
    none = lenet("validate", "optimizer.lr=0.1")
    assert none.code == 2
    assert "Try: lenet validate my.yaml optimizer.lr=0.1" in none.err
