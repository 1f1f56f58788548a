"""Every layout of public data sets, from init to report; what is wrong with one is said in a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lenetcli import data
from lenetcli.config import load
from lenetcli.errors import DataError
from tests.cli.conftest import Lenet
from tests.data.layouts import LAYOUTS, folder, labels, pictures, table


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_goes_all_the_way(name: str, lenet: Lenet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "hub" in name:
        pytest.importorskip("pyarrow")
    make, (train, test, validation), known = LAYOUTS[name]
    monkeypatch.chdir(tmp_path)
    what = make(tmp_path)
    made = lenet("init", what, "-o", "own.yaml", "--json")
    assert made.code == 0, made.err
    found = json.loads(made.out)["found"]
    assert known in found["classes"]
    counted = {split: sum(counts) for split, counts in found["counts"].items()}
    assert counted == {"train": train, "test": test, **({} if validation is None else {"validation": validation})}
    done = lenet("train", "own.yaml", "train.epochs=2", "train.batch_size=6", "--out", "run")
    assert done.code == 0, done.err
    assert len(Path("run/metrics.jsonl").read_text()) > 0
    judged = json.loads(lenet("eval", "run", "--json").out)
    assert (judged["count"], len(judged["classes"])) == (test, len(found["classes"]))
    if validation is not None:
        assert json.loads(lenet("eval", "run", "--split", "validation", "--json").out)["count"] == validation
    shape = [*json.loads(Path("run/inputs.json").read_text())["shape"]]
    np.save("some.npy", pictures(3, *shape[1:], shape[0]).squeeze(-1) if shape[0] == 1 else pictures(3, *shape[1:], 3))
    said = json.loads(lenet("predict", "run", "some.npy", "--json").out)
    assert {answer["label"] for answer in said} <= set(found["classes"])
    assert lenet("export", "run", "-o", "out.npz").code == 0
    assert lenet("report", "run", "-o", "page.html").code == 0
    again = lenet("train", "--resume", "run", "train.epochs=3")
    assert again.code == 0, again.err


def test_a_competition_gets_its_file(lenet: Lenet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "train.csv", 60)
    table(tmp_path / "test.csv", 9, labelled=False)
    assert lenet("train", "train.csv", "train.epochs=20", "--out", "run").code == 0
    done = lenet("predict", "run", "test.csv", "--submission", "answers.csv")
    assert (done.code, done.out) == (0, "answers.csv: 9 pictures\n")
    lines = Path("answers.csv").read_text().splitlines()
    assert lines[0] == "ImageId,Label"
    assert [line.split(",")[0] for line in lines[1:]] == [str(i) for i in range(1, 10)]
    right = [int(line.split(",")[1]) == label for line, label in zip(lines[1:], labels(9))]
    assert sum(right) >= 7
    wrong = lenet("predict", "run", "train.csv", "--csv")
    assert wrong.code == 3
    assert "train.csv:2: 785 columns, wanted 784 (the pixels)" in wrong.err


@pytest.mark.parametrize("mode", ["squeeze", "fit", "crop"])
def test_pictures_keep_their_form_in_training_and_prediction(
    mode: str, lenet: Lenet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "photos", {"train": 30, "test": 9})
    assert lenet("init", "photos").code == 0
    change = f"data.resize={{size: [16, 16], mode: {mode}}}"
    done = lenet("train", "photos.yaml", change, "model.input=[3,16,16]", "train.epochs=1", "--out", "run")
    assert done.code == 0, done.err
    first = json.loads(lenet("predict", "run", "photos/test/ant/0.png", "--json").out)[0]
    source = data.ImageFolder("photos", resize=data.Resize((16, 16), mode))  # type: ignore[arg-type]
    seen = source.test.images[0]
    assert (seen[:, 0].max() == 0) == (mode == "fit")
    np.save("seen.npy", seen)
    second = json.loads(lenet("predict", "run", "seen.npy", "--json").out)[0]
    assert first["top"] == second["top"]


def test_another_choice_of_splits(tmp_path: Path) -> None:
    folder(tmp_path, {"seg_train": 12, "seg_test": 6, "seg_pred": 3})
    wanted = data.Splits(train="seg_train", validation="seg_pred", test="seg_test")
    source = data.ImageFolder(str(tmp_path), resize=(8, 8), splits=wanted)
    assert (len(source.train), len(source.test)) == (12, 6)
    assert source.validation is not None
    assert len(source.validation) == 3
    with pytest.raises(DataError, match=r"no 'x' in it \(data.splits.test\); it holds seg_train, seg_pred, seg_test"):
        _ = data.ImageFolder(str(tmp_path), resize=(8, 8), splits=data.Splits(train="seg_train", test="x")).train
    arrays = {
        "a_images": pictures(9, 8, 8),
        "a_labels": labels(9),
        "b_images": pictures(6, 8, 8),
        "b_labels": labels(6),
    }
    np.savez(tmp_path / "own.npz", **arrays)
    own = data.NPZ(str(tmp_path / "own.npz"), splits=data.Splits(train="a", test="b"))
    assert (len(own.train), len(own.test)) == (9, 6)


WRONG = {  # what is done to a layout, and what is then said
    "EMNIST letters": (
        lambda p: (p / "emnist-letters-mapping.txt").write_text("1 65\n2 66\n"), "label 3 is not in emnist-letters-map"
    ),
    "QMNIST": (
        lambda p: (p / "qmnist-train-labels-idx2-int").write_bytes(b"\0\0\x0c\x02"), "truncated: the header has 4 of 12"
    ),
    "Kuzushiji-49": (
        lambda p: np.savez(p / "k49-train-labels.npz", np.full(30, 49)), "labels from 49 to 49, wanted 0 to 48"
    ),
    "MedMNIST": (
        lambda p: np.savez(p / "bloodmnist.npz", train_images=pictures(3, 8, 8), train_labels=labels(2)),
        "train_images has 3 samples, train_labels 2",
    ),
    "STL-10": (lambda p: (p / "stl10_binary/train_y.bin").write_bytes(bytes(12)), "train_y.bin: label 0, wanted 1 to"),
    "Sign Language MNIST": (
        lambda p: (p / "sign_mnist_train.csv").write_text("label,a,b,c,d,e\n1,2,3,4,5,6\n"), "make no square picture"
    ),
    "a table of paths and labels": (
        lambda p: (p / "labels.csv").write_text("id,breed\nx0,pug\n../x1,pug\n"), "labels.csv:3: '../x1' leads out of"
    ),
    "texts as labels, semicolons": (
        lambda p: (p / "clothes.csv").write_text((p / "clothes.csv").read_text() + "bag;1\n"), ":32: 2 columns, wanted"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_layout_is_refused_in_a_line(
    name: str, lenet: Lenet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    what = LAYOUTS[name][0](tmp_path)
    spoil, said = WRONG[name]
    spoil(tmp_path)
    done = lenet("init", what)
    assert (done.code, done.out) == (3, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.glob("*.yaml"))


def test_the_schema_knows_both_ways_to_resize(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "configs" / "lenet.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text)
    folders = "data={type: ImageFolder, root: x, resize: {size: [4, 4], mode: crop}}"
    given = load(str(tmp_path / "a.yaml"), [folders]).data.args["resize"]
    assert (tuple(given.size), given.mode) == ((4, 4), "crop")
