"""Many classes: nothing grows with their square, and no command prints a row for each."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Lenet
from tests.commands import run

MANY = 10_000
MOST = 150e6  # bytes; a matrix of so many classes has 800e6
CONFIG = """
version: 1
name: many
model:
  input: [1, 2, 2]
  layers: [{{type: Flatten}}, {{type: Linear, name: fc, out_features: {classes}}}]
data: {{type: Random, shape: [1, 2, 2], classes: {classes}, train: 40, test: 70}}
loss: {{type: CrossEntropyLoss}}
optimizer: {{type: SGD, lr: 0.01}}
train: {{epochs: 2, batch_size: 20}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of many classes, and its configuration beside it."""
    place = tmp_path_factory.mktemp("many")
    (place / "many.yaml").write_text(CONFIG.format(classes=MANY))
    assert run(["train", "many.yaml", "--out", "run", "--progress", "off"], place).code == 0
    return place


def run_of(lenet: Lenet, classes: int) -> None:
    Path("many.yaml").write_text(CONFIG.format(classes=classes))
    assert lenet("train", "many.yaml", "--out", "run", "--progress", "off").code == 0


@pytest.mark.parametrize(
    "words",
    [
        "eval run", "eval run --json", "report run", "report run --json", "predict run picture.npy",
        "predict run picture.npy --json", "inspect-params run", "plot run", "runs .", "data show many.yaml --png p.png",
        "train --resume run train.epochs=3", "validate many.yaml", "time many.yaml", "export run -o net.npz",
    ],
)  # fmt: skip
def test_memory_and_lines_do_not_grow_with_the_square_of_the_classes(
    lenet: Lenet, place: Path, trained: Path, words: str
) -> None:
    shutil.copytree(trained, place, dirs_exist_ok=True)
    np.save("picture.npy", np.zeros((1, 2, 2), np.float32))
    tracemalloc.start()
    try:
        done = lenet(*words.split())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.code == 0, done.err
    assert peak < MOST
    assert done.out.count("\n") < 150
    assert len(done.out) < (20_000 if "--json" not in words else 3_000_000)


def test_of_many_classes_the_worst_are_shown_and_the_rest_is_counted(lenet: Lenet) -> None:
    run_of(lenet, 1_000)
    done = lenet("eval", "run")
    assert "The 20 of 1,000 classes with the lowest F1; --json has all." in done.out
    assert "without a sample" in done.out
    assert "confused most often (the matrix of 1,000 classes has no room here" in done.out
    lenet("report", "run")
    page = Path("run/report.html").read_text()
    assert "the 30 of 1,000 classes with the lowest F1" in page
    assert page.count("<tr") < 200


@pytest.mark.parametrize("command", ["eval", "report"])
def test_the_confusion_of_json_is_a_matrix_up_to_a_thousand_classes_and_its_entries_beyond(
    lenet: Lenet, command: str
) -> None:
    def confusion(classes: int) -> tuple[dict[str, object], object]:
        found = json.loads(lenet(command, "run", "--json").out)
        found = found if command == "eval" else found["evaluation"]
        assert len(found["classes"]) == classes
        return found, found["confusion"]

    run_of(lenet, 1_000)
    found, rows = confusion(1_000)
    assert np.shape(rows) == (1_000, 1_000)
    assert np.sum(rows) == found["count"]  # type: ignore[call-overload]
    assert np.trace(rows) == round(found["accuracy"] * 70)  # type: ignore[call-overload, operator]
    (Path("run")).rename("fewer")
    run_of(lenet, 1_001)
    found, sparse = confusion(1_001)
    assert isinstance(sparse, dict)
    assert sparse["classes"] == 1_001
    entries = np.array(sparse["entries"])
    assert entries.shape[1] == 3
    assert entries[:, 2].sum() == found["count"]
    hits = entries[entries[:, 0] == entries[:, 1], 2].sum()
    assert hits == round(found["accuracy"] * 70)  # type: ignore[operator]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("classes", [2, 10, 26, 101])
def test_the_matrix_or_its_pairs_fit_the_width(
    lenet: Lenet, monkeypatch: pytest.MonkeyPatch, classes: int, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    run_of(lenet, classes)
    done = lenet("eval", "run")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= width
    told = " ".join(done.out.split())
    assert ("confusion: true class down" in told) != ("confused most often" in told)
