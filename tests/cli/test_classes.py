"""Numbers of classes are counted before anything trains, in every kind of data; looking never ends in an IndexError."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli
from lenetcli import nn, optim
from lenetcli.errors import ConfigError, DataError
from tests.cli.conftest import Lenet

CONFIG = """
model:
  input: [1, 4, 4]
  layers: [{type: Flatten}, {type: Linear, name: fc, out_features: OUT}]
data: {DATA}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.01}
train: {epochs: 1, batch_size: 8}
"""
NAMES = ("ant", "bee", "cow", "dog", "elk")

Labels = Sequence[int]


def pictures(labels: Labels) -> Any:
    return np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4), np.uint8)


def npz(place: Path, train: Labels, test: Labels) -> str:
    np.savez(
        place / "data.npz",
        x_train=pictures(train),
        y_train=np.array(train),
        x_test=pictures(test),
        y_test=np.array(test),
    )
    return "type: NPZ, path: data.npz"


def csv(place: Path, train: Labels, test: Labels) -> str:
    for name, labels in (("train", train), ("test", test)):
        rows = np.concatenate([np.array(labels)[:, None], pictures(labels).reshape(-1, 16)], axis=1)
        np.savetxt(place / f"{name}.csv", rows, "%d", ",")
    return "type: CSV, path: train.csv, test: test.csv, shape: [1, 4, 4], scale: 0.004"


def folders(place: Path, train: Labels, test: Labels) -> str:
    from PIL import Image

    for name, labels in (("train", train), ("test", test)):
        for i, (label, picture) in enumerate(zip(labels, pictures(labels))):
            folder = place / "pictures" / name / NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{i}.png")
    return "type: ImageFolder, root: pictures, channels: 1"


def parquet(place: Path, train: Labels, test: Labels, named: bool = False) -> str:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from lenetcli.display.png import png

    (place / "hub").mkdir()
    for name, labels in (("train", train), ("test", test)):
        content = [{"bytes": png(picture), "path": None} for picture in pictures(labels)]
        table = pa.table({"image": content, "label": np.array(labels)})
        if named:
            about = {"info": {"features": {"label": {"names": list(NAMES[: max(train) + 1])}}}}
            table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        pq.write_table(table, place / "hub" / f"{name}-0.parquet")
    return "type: Parquet, root: hub, channels: 1"


def named_parquet(place: Path, train: Labels, test: Labels) -> str:
    return parquet(place, train, test, named=True)


def idx(place: Path, train: Labels, test: Labels) -> str:
    (place / "idx").mkdir()
    for name, labels in (("train", train), ("t10k", test)):
        header = b"".join(int(n).to_bytes(4, "big") for n in (0x803, len(labels), 4, 4))
        (place / "idx" / f"{name}-images-idx3-ubyte").write_bytes(header + pictures(labels).tobytes())
        header = b"".join(int(n).to_bytes(4, "big") for n in (0x801, len(labels)))
        (place / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(header + bytes(labels))
    return "type: MNIST, root: idx"


KINDS: dict[str, Callable[[Path, Labels, Labels], str]] = {
    "NPZ": npz, "CSV": csv, "ImageFolder": folders, "Parquet": parquet, "named Parquet": named_parquet, "MNIST": idx,
}  # fmt: skip
NUMBERED = ("NPZ", "CSV", "Parquet")  # classes are counted, and have no names
THREE = [i % 3 for i in range(18)]


def write(place: Path, kind: str, train: Labels, test: Labels, out: int) -> None:
    data = KINDS[kind](place, train, test)
    (place / "x.yaml").write_text(CONFIG.replace("OUT", str(out)).replace("DATA", data))


def looks_sound(lenet: Lenet, place: Path) -> None:
    """Every look at a finished run ends well."""
    np.save(place / "x.npy", pictures(THREE))
    for command in (
        "eval run",
        "eval run --split train --json",
        "report run",
        "predict run x.npy",
        "export run -o x.py",
    ):
        done = lenet(*command.split())
        assert done.code == 0, (command, done.err)
    lenetcli.Trainer.open("run").evaluate()
    lenetcli.Trainer.open("run").predict(pictures(THREE))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("out", [1, 2, 3, 10])
def test_outputs_beside_classes(kind: str, out: int, lenet: Lenet, place: Path) -> None:
    """Three classes: fewer outputs are refused, more are refused where classes have names, else told."""
    write(place, kind, THREE, THREE, out)
    checked, done = lenet("validate", "x.yaml"), lenet("train", "x.yaml", "--out", "run", "--progress", "off")
    classes = 10 if kind == "MNIST" else 3
    refused = out < classes or (out > classes and kind not in (*NUMBERED, "MNIST"))
    assert (checked.code, done.code) == ((2, 2) if refused else (0, 0)), done.err
    if refused:
        assert f"[{classes}]" in done.err  # what would fit
        assert checked.err == done.err
        assert not (place / "run").exists()
        return
    told = (
        f"the model has {out} outputs for the {classes} classes of {kind}; model.layers[1] giving [{classes}] would fit"
    )
    assert (told in done.err) is (told in checked.err) is (out != classes)
    looks_sound(lenet, place)


@pytest.mark.parametrize("kind", [*NUMBERED, "MNIST"])
@pytest.mark.parametrize("out", [3, 4, 10])
def test_a_class_that_is_only_tested(kind: str, out: int, lenet: Lenet, place: Path) -> None:
    write(place, kind, THREE, [0, 1, 2, 3, 0, 3], out)
    done = lenet("train", "x.yaml", "--out", "run", "--progress", "off")
    assert "class '3' of the test split has no samples to train on" in done.err
    assert "class '3' of the test split has no samples to train on" in lenet("data", "check", "x.yaml").err
    assert lenet("validate", "x.yaml").code == done.code == (2 if out < (10 if kind == "MNIST" else 4) else 0)
    if done.code:
        assert not (place / "run").exists()
    else:
        looks_sound(lenet, place)


@pytest.mark.parametrize("out", [1, 3])
@pytest.mark.parametrize("kind", ["NPZ", "CSV", "ImageFolder"])
def test_a_single_class_is_told(kind: str, out: int, lenet: Lenet, place: Path) -> None:
    write(place, kind, [0] * 6, [0] * 6, out)
    done = lenet("validate", "x.yaml")
    assert done.code == (2 if kind == "ImageFolder" and out > 1 else 0)  # folders have names, the other outputs none
    assert f"{kind} has one class only, which leaves nothing to tell apart" in done.err
    assert "would fit" not in done.err


def test_a_folder_that_is_only_tested_is_refused(lenet: Lenet, place: Path) -> None:
    write(place, "ImageFolder", THREE, [0, 1, 2, 3], 3)
    assert lenet("train", "x.yaml").code == 3


LABELS = {
    "negative": (np.arange(8) % 3 - 1, 3, 3, "class numbers must be"),
    "one-hot integers": (np.eye(3, dtype=np.int64)[np.arange(8) % 3], 3, 3, "one-hot rows [8, 3]"),
    "one-hot floats": (np.eye(3, dtype=np.float32)[np.arange(8) % 3], 3, 0, ""),
    "one-hot floats, two outputs": (np.eye(3, dtype=np.float32)[np.arange(8) % 3], 2, 2, "should give [3]"),
    "floats": ((np.arange(8) % 3).astype(np.float32), 3, 2, "it wants class numbers, integers from 0"),
    "texts": (np.array(list("abcabcab")), 3, 3, "wanted class numbers or floats"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_that_are_no_class_numbers(case: str, lenet: Lenet, place: Path) -> None:
    labels, out, code, said = LABELS[case]
    x = pictures(labels)
    np.savez(place / "data.npz", x_train=x, y_train=labels, x_test=x, y_test=labels)
    (place / "x.yaml").write_text(CONFIG.replace("OUT", str(out)).replace("DATA", "type: NPZ, path: data.npz"))
    for command in ("validate x.yaml", "train x.yaml --out run --progress off"):
        done = lenet(*command.split())
        assert done.code == code, done.err
        assert said in done.err
    if code == 0:
        looks_sound(lenet, place)


def test_a_number_that_is_ignored_is_no_class(lenet: Lenet, place: Path) -> None:
    write(place, "NPZ", [*THREE, 255], [*THREE, 255], 3)
    assert lenet("train", "x.yaml").code == 2
    done = lenet("train", "x.yaml", "loss.ignore_index=255", "--out", "run", "--progress", "off")
    assert (done.code, done.err) == (0, "")
    looks_sound(lenet, place)


def test_splits_with_targets_of_two_kinds(lenet: Lenet, place: Path) -> None:
    x, y = pictures(THREE), np.array(THREE)
    np.savez(place / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y.astype(np.float32))
    (place / "x.yaml").write_text(CONFIG.replace("OUT", "3").replace("DATA", "type: NPZ, path: data.npz"))
    done = lenet("train", "x.yaml")
    assert done.code == 3
    assert "those of the training split are integers [], those of the test split are floats []" in done.err


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("BCEWithLogitsLoss", "wants targets from 0 to 1, those of the training split go from 0 to 2"),
        ("SoftMarginLoss", "wants targets -1 and 1"),
        ("HingeEmbeddingLoss", "wants targets -1 and 1"),
    ],
)
def test_three_classes_for_a_loss_of_two(loss: str, said: str, lenet: Lenet, place: Path) -> None:
    x, y = pictures(THREE), np.array(THREE, np.float32)
    np.savez(place / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    (place / "x.yaml").write_text(CONFIG.replace("OUT", "1").replace("DATA", "type: NPZ, path: data.npz"))
    done = lenet("train", "x.yaml", f"loss.type={loss}")
    assert done.code == 2
    assert said in done.err


OWN = """
import numpy as np
from lenetcli.data import ArrayDataset, Source


class Given(Source):
    def load(self, split: str) -> ArrayDataset:
        labels = np.array({"train": TRAIN, "test": TEST}[split])
        return ArrayDataset(np.zeros((len(labels), 1, 4, 4), np.float32), labels)
"""


@pytest.mark.parametrize(
    ("train", "test", "code", "said"),
    [
        ([0, 1, 2, 0, 5], [0, 1], 2, "output [3] with the 6 classes"),
        ([0, 1, 2], [0, 3], 2, "class '3' of the test split"),
        ([0, -1, 2], [0, 1], 3, "class number -1: they start from 0; loss.ignore_index=-1 leaves such samples out"),
        ([0, 1, 2], [0, -1], 3, "class number -1"),
        ([0, -100, 2], [0, 1, -100], 0, "class '1' of the test split"),
    ],
)
def test_targets_of_data_of_ones_own(
    train: list[int], test: list[int], code: int, said: str, lenet: Lenet, place: Path
) -> None:
    (place / "own.py").write_text(OWN.replace("TRAIN", str(train)).replace("TEST", str(test)))
    (place / "x.yaml").write_text(CONFIG.replace("OUT", "3").replace("DATA", "type: 'own.py:Given'"))
    done = lenet("train", "x.yaml", "--progress", "off")
    assert done.code == code, done.err
    assert said in done.err


def test_a_trainer_of_objects_is_told_before_it_trains() -> None:
    x = lenetcli.rand(6, 4)

    def trainer(train: list[int], test: list[int]) -> lenetcli.Trainer:
        net = nn.Linear(4, 3)
        data = ((x[: len(labels)], lenetcli.tensor(labels)) for labels in (train, test))
        return lenetcli.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss(), *data)

    wrong = trainer([0, 1, 2, 0, 1, 2], [0, 3])
    for call in (lambda: wrong.fit(progress="off"), wrong.evaluate):
        with pytest.raises(ConfigError, match="3 outputs for 4 classes: class '3' of the test split"):
            call()
    assert not wrong.history.judged
    with pytest.raises(DataError, match="class number -1"):
        trainer([0, -1], [0, 1]).fit(progress="off")
    fewer = trainer([0, 1, 1, 0, 1, 1], [0, 1])
    fewer.fit(progress="off")
    assert fewer.evaluate().count == 2
    assert len(fewer.predict(x)) == 6


def test_data_with_a_new_class_is_not_evaluated(lenet: Lenet, place: Path) -> None:
    write(place, "NPZ", THREE, THREE, 3)
    assert lenet("train", "x.yaml", "--out", "run", "--progress", "off").code == 0
    npz(place, THREE, [*THREE, 3])
    done = lenet("eval", "run")
    assert (done.code, "the data has the class '3'; the model tells 3 classes apart" in done.err) == (3, True)
    assert lenet("eval", "run", "--split", "train").code == 0
    with pytest.raises(DataError, match="tells 3 classes apart"):
        lenetcli.Trainer.open("run").evaluate()


def test_data_that_changed_its_classes_is_not_evaluated(lenet: Lenet, place: Path) -> None:
    """A folder's number is its place in the alphabet: one more would give all others wrong figures."""
    write(place, "ImageFolder", THREE, THREE, 3)
    assert lenet("train", "x.yaml", "--out", "run", "--progress", "off").code == 0
    for name in ("train", "test"):
        (place / "pictures" / name / "ant").rename(place / "pictures" / name / "zebra")
    for command in ("eval run", "report run -o x.html"):
        done = lenet(*command.split())
        assert done.code == (3 if "eval" in command else 0)
    assert "class 0 of this data is 'bee', the run was trained on 'ant'" in lenet("eval", "run").err
