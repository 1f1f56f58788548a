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


def pictures(folder: Path, count: int = 10, size: tuple[int, int] = (12, 10)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    for i in range(count):
        (folder / f"{i}.png").write_bytes(png(rng.integers(0, 256, (*size, 3)).astype(np.uint8)))


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
def test_a_folder_of_pictures_gets_a_configuration_that_trains(within: str, lenet: Lenet, place: Path) -> None:
    for name in ("cats", "big dogs", "owls"):
        pictures(place / "my photos" / within / name)
        if within:
            pictures(place / "my photos" / "test" / name, 2)
    done = lenet("init", "my photos")
    assert (done.code, done.err) == (0, "")
    assert "3 (to train on: " in done.out
    assert sorted(p.name for p in (place / "my photos").iterdir()) == (["test", "train"] if within else
                                                                        ["big dogs", "cats", "owls"])  # fmt: skip
    (said,) = re.findall("train it with: lenet (.*)$", done.out, re.MULTILINE)
    assert said == "train my-photos.yaml"
    assert lenet(*shlex.split(said), "train.epochs=1").code == 0
    again = lenet("init", "my photos")
    assert (again.code, again.out) == (2, "")
    assert "my-photos.yaml exists already" in again.err


def test_a_folder_trains_in_one_line_and_again_with_the_same_configuration(lenet: Lenet, place: Path) -> None:
    for name in ("left", "right"):
        pictures(place / "hands" / name, size=(20, 16))
    first = lenet("train", "hands", "train.epochs=1")
    assert first.code == 0
    assert "'left' would be" in " ".join(first.err.split())
    text = (place / "hands.yaml").read_text()
    second = lenet("train", "hands", "train.epochs=1")
    assert (second.code, (place / "hands.yaml").read_text()) == (0, text)
    assert "hands.yaml is there already, and is used" in second.err
    (place / "more").mkdir()
    (place / "hands").rename(place / "more" / "hands")
    other = lenet("train", "more/hands")
    assert other.code == 2
    assert "hands.yaml is there already, for other data; write another with: lenet init more/hands -o" in other.err


def test_the_configuration_lies_where_it_is_told_to_and_finds_the_data(lenet: Lenet, place: Path) -> None:
    for name in ("a", "b"):
        pictures(place / "signs" / name, 12, (20, 16))
    assert lenet("init", "signs", "-o", "deep/er/mine.yaml").code == 0
    text = (place / "deep/er/mine.yaml").read_text()
    assert 'root: "../../signs"' in text
    assert "flip" not in text.replace("no flips", "")
    assert lenet("train", "deep/er/mine.yaml", "train.epochs=1").code == 0


def test_init_says_what_is_wrong_with_the_pictures_and_writes_what_trains_all_the_same(
    lenet: Lenet, place: Path
) -> None:
    pictures(place / "pets" / "train" / "cat", 40)
    pictures(place / "pets" / "train" / "doge", 10)
    (place / "pets" / "train" / "cat" / "0.png").write_bytes(b"no picture")
    same = (place / "pets" / "train" / "cat" / "1.png").read_bytes()
    (place / "pets" / "train" / "doge" / "1.png").write_bytes(same)
    for name in ("cat", "doge"):
        (place / "pets" / "test" / name).mkdir(parents=True)
        (place / "pets" / "test" / name / "x.png").write_bytes(same)
    found = json.loads(lenet("init", "pets", "--json").out)["found"]
    assert found["counts"] == {"train": [40, 10], "test": [1, 1]}
    assert (len(found["broken"]), found["imbalance"]) == (1, 4.0)
    assert (found["in_both_splits"], found["contradicting"]) == (2, 1)
    text = (place / "pets.yaml").read_text()
    assert "class_weights: balanced" in text
    assert 'broken: "skip"' in text or "broken: skip" in text
    assert lenet("train", "pets", "train.epochs=1").code == 0


@pytest.mark.parametrize("name", ["arr.npz", "numbers.npz", "digits.csv", "table/train-0.parquet", "Digits"])
def test_files_and_names_of_data_get_configurations_that_train(name: str, lenet: Lenet, place: Path) -> None:
    rng = np.random.default_rng(0)
    x = {split: rng.integers(0, 256, (count, 28, 28), np.uint8) for split, count in (("train", 40), ("test", 8))}
    np.savez(place / "arr.npz", x_train=x["train"], y_train=np.arange(40) % 2, x_test=x["test"], y_test=[0, 1] * 4)
    np.savez(place / "numbers.npz", x_train=x["train"], y_train=rng.random(40), x_test=x["test"], y_test=rng.random(8))
    rows = [",".join(map(str, [i % 3, *row.ravel()])) for i, row in enumerate(x["train"])]
    (place / "digits.csv").write_text("\n".join([",".join(["label", *(f"pixel{i}" for i in range(784))]), *rows]))
    if name.endswith(".parquet"):
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        (place / "table").mkdir()
        table = arrow.table({"image": [{"bytes": png(np.stack([row] * 3, -1)), "path": ""} for row in x["train"]],
                             "label": [i % 4 for i in range(40)]})  # fmt: skip
        parquet.write_table(table, place / name)
    done = lenet("init", name, "-o", "made.yaml")
    assert done.code == 0, done.err
    assert lenet("train", "made.yaml", "train.epochs=1").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digts"], "did you mean Digits?"),
        (["MNIST"], "get it with: lenet data get MNIST"),
        (["configs/lenet.txt"], "neither a configuration's name (.yaml) nor data"),
        (["rgb.csv"], "5 columns beside the label, which make no square picture"),
        (["Digits", "--preset", "cnn"], "init looks at itself; leave --preset away"),
        (["my.yaml", "-o", "other.yaml"], "goes with data"),
        (["Digits", "-o", "mine"], "try mine.yaml"),
    ],
)
def test_what_is_no_data_is_refused(words: list[str], said: str, lenet: Lenet, place: Path) -> None:
    (place / "configs" / "lenet.txt").write_text("x")
    (place / "rgb.csv").write_text("0,1,2,3,4,5\n" * 10)
    before = sorted(place.iterdir())
    done = lenet("init", *words)
    assert (done.code in (2, 3), done.out) == (True, "")
    assert said in done.err
    assert sorted(place.iterdir()) == before


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
