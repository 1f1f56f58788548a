"""Data of one's own through all commands: formats of pictures, broken ones, numbers that are none, array shapes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Lenet
from tests.data.test_formats import FORMATS, encoded
from tests.data.test_own_pictures import cell, make_folder, parquet_file

pillow = pytest.importorskip("PIL.Image")

SUFFIX = {"PNG": "png", "JPEG": "JFIF", "BMP": "bmp", "WEBP": "WebP", "TIFF": "tif", "GIF": "gif", "PPM": "pgm"}
CONFIG = """
model: {{input: [{shape}], layers: [{{type: Flatten}}, {{type: Linear, out_features: 2}}]}}
data: {data}
loss: {{type: CrossEntropyLoss}}
optimizer: {{type: Adam, lr: 0.01}}
train: {{epochs: 2, batch_size: 4}}
"""


def write_config(data: str, shape: str = "3, 6, 8") -> None:
    Path("net.yaml").write_text(CONFIG.format(data=data, shape=shape))


def write_pictures(root: Path, kind: str) -> None:
    """Six dark pictures and six light ones, of several sizes, in folders in the classes' folders."""
    for label, name in enumerate(("dark", "light")):
        for i in range(6):
            place = root / name / ("inner" if i % 2 else ".")
            place.mkdir(parents=True, exist_ok=True)
            pixels = np.full((9 + i, 12, 3), 30 + 180 * label + i, np.uint8)
            (place / f"{i}.{SUFFIX[kind]}").write_bytes(encoded(pillow.fromarray(pixels), kind))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_goes_through_every_command(kind: str, lenet: Lenet) -> None:
    write_pictures(Path("photos"), kind)
    (Path("photos") / "dark" / "raw.heic").write_bytes(b"x")
    write_config("{type: ImageFolder, root: photos, resize: [6, 8], normalize: [0.5, 0.25]}")
    left = "left out: 1 .heic files (photos/dark/raw.heic)\n"
    checked = lenet("data", "check", "net.yaml")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == f"net.yaml: ok, 10 to train, 2 to test, samples [3, 6, 8], 2 classes\n{left}"
    record = json.loads(lenet("data", "check", "photos", "--json").out)
    assert record["ok"]
    assert record["left_out"] == [{"why": ".heic files", "count": 1, "first": "photos/dark/raw.heic"}]
    shown = lenet("data", "show", "net.yaml", "--count", "4")
    assert (shown.code, shown.err) == (0, "")
    assert "light" in shown.out

    trained = lenet("train", "net.yaml", "--out", "run", "--progress", "plain")
    assert trained.code == 0
    assert left in trained.err
    events = lenet("train", "net.yaml", "--out", "other", "--progress", "json").out.splitlines()
    first = json.loads(events[0])
    assert (first["event"], first["left_out"]) == ("data", record["left_out"])
    assert json.loads((Path("run") / "environment.json").read_text())["left_out"] == record["left_out"]
    assert json.loads((Path("run") / "metrics.jsonl").read_text().splitlines()[0]) == first

    assert lenet("train", "--resume", "run", "train.epochs=4", "--progress", "off").code == 0
    assert json.loads(lenet("eval", "run", "--json").out)["count"] == 2
    said = lenet("predict", "run", "photos", "--json")
    assert said.code == 0
    assert said.err == left
    found = {Path(p["file"]): p["label"] for p in json.loads(said.out)}
    assert len(found) == 12
    assert all(path.relative_to("photos").parts[0] == label for path, label in found.items())
    assert lenet("export", "run", "-o", "net.npz").code == 0


def test_a_picture_of_24_megapixels_is_trained_on_and_predicted(lenet: Lenet) -> None:
    for name, level in (("dark", 30), ("light", 220)):
        (Path("photos") / name).mkdir(parents=True)
        for i in range(2):
            image = pillow.new("L", (5712, 4284), level)
            (Path("photos") / name / f"{i}.jpg").write_bytes(encoded(image, "JPEG", quality=30))
    write_config("{type: ImageFolder, root: photos, resize: [6, 8], test_fraction: 0.5}")
    assert lenet("train", "net.yaml", "--out", "run", "--progress", "off").code == 0
    assert lenet("predict", "run", "photos/dark/0.jpg").code == 0
    refused = lenet("data", "check", "net.yaml", "data.resize=null")
    assert refused.code == 3
    assert refused.err.count("data.max_pixels=24470208 allows it") == 4


def write_broken() -> list[str]:
    make_folder(Path("photos"), {"cat": 12, "dog": 12})
    bad = ["photos/cat/003.png", "photos/dog/002.png", "photos/dog/011.png"]
    for name in bad:
        Path(name).write_bytes(Path(name).read_bytes()[:-9])
    write_config("{type: ImageFolder, root: photos}")
    return bad


def test_broken_pictures_are_listed_by_check_and_by_train(lenet: Lenet) -> None:
    bad = write_broken()
    for words in (
        ("data", "check", "net.yaml"),
        ("train", "net.yaml", "--progress", "off"),
        ("data", "check", "photos"),
    ):
        found = lenet(*words)
        assert (found.code, found.out) == (3, "")
        assert found.err.startswith("error: 3 of 24 pictures are broken:\n")
        assert all(name in found.err for name in bad)
    record = lenet("data", "check", "net.yaml", "--json")
    assert record.code == 3
    assert not json.loads(record.out)["ok"]


def test_broken_pictures_can_be_left_out_and_a_run_resumes_exactly(lenet: Lenet) -> None:
    write_broken()
    skip = "data.broken=skip"
    checked = lenet("data", "check", "net.yaml", skip)
    assert checked.code == 0
    assert "net.yaml: ok, 16 to train, 5 to test" in checked.out
    assert "left out: 3 broken pictures (photos/" in checked.out
    assert lenet("train", "net.yaml", skip, "--out", "whole", "--progress", "off").code == 0
    assert lenet("train", "net.yaml", skip, "train.epochs=1", "--out", "part", "--progress", "off").code == 0
    assert lenet("train", "--resume", "part", "train.epochs=2", "--progress", "off").code == 0
    assert (Path("whole") / "model.safetensors").read_bytes() == (Path("part") / "model.safetensors").read_bytes()
    assert json.loads(lenet("eval", "whole", "--json").out)["count"] == 5
    Path("photos/cat/003.png").write_bytes(Path("photos/cat/004.png").read_bytes())
    Path("photos/dog/002.png").write_bytes(Path("photos/dog/004.png").read_bytes())
    mended = lenet("train", "--resume", "part", "train.epochs=3", "--progress", "off")
    assert mended.code == 3
    assert "the data has changed" in mended.err
    verified = lenet("verify-resume", "net.yaml", skip, "--kills", "1", "--seed", "1")
    assert "resume is exact" in verified.out


@pytest.mark.parametrize("cell_of", ["no bytes", "empty", "text", "truncated", "large"])
def test_every_kind_of_broken_cell_is_left_out_as_the_hint_says(cell_of: str, lenet: Lenet) -> None:
    good = [cell((20 * i, 0, 0)) for i in range(12)]
    bad: dict[str, Any] = {
        "no bytes": None, "empty": b"", "text": b"no picture", "truncated": good[3]["bytes"][:-9],
        "large": encoded(pillow.new("L", (400, 300)), "PNG"),
    }  # fmt: skip
    cells = [{"bytes": bad[cell_of], "path": None} if i in (3, 8) else good[i] for i in range(12)]
    parquet_file(Path("hub/train-0.parquet"), cells, [i % 2 for i in range(12)])
    parquet_file(Path("hub/test-0.parquet"), good, [i % 2 for i in range(12)])
    write_config("{type: Parquet, root: hub, channels: 3, resize: [6, 8], max_pixels: 100000}")
    for words in (("data", "check"), ("train",)):
        found = lenet(*words, "net.yaml")
        assert found.code == 3
        assert "data.broken=skip leaves them out" in found.err
        found = lenet(*words, "net.yaml", "data.broken=skip")
        assert found.code == 0, found.err
        assert "left out: 2 broken pictures (hub: train picture 3: " in found.out + found.err


# Numbers that are none


def write_npz(**changes: Any) -> None:
    x = np.random.default_rng(0).random((60, 1, 8, 8))
    arrays = {"x_train": x, "y_train": np.arange(60) % 2, "x_test": x[:20].copy(), "y_test": np.arange(20) % 2}
    for key, change in changes.items():
        if callable(change):
            arrays[key] = change(arrays[key])
        else:
            arrays[key][18, 0, 0, 0] = change
            arrays[key][9, 0, 0, 0] = change  # another class, so that one of them is taken for the wrong one
    np.savez("a.npz", **arrays)
    write_config("{type: NPZ, path: a.npz}", "1, 8, 8")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity"), (1e300, "1e+300, too large for float32")],
)
@pytest.mark.parametrize(
    "words",
    [("data", "check", "net.yaml"), ("train", "net.yaml", "--progress", "off"), ("data", "show", "net.yaml"),
     ("find-lr", "net.yaml"), ("data", "check", "net.yaml", "--json")],
)  # fmt: skip
def test_every_command_names_the_samples_that_no_training_survives(
    words: tuple[str, ...], value: float, said: str, split: str, lenet: Lenet
) -> None:
    write_npz(**{f"x_{split}": value})
    if split == "test" and "show" in words:
        words = (*words, "--split", "test")
    found = lenet(*words)
    assert found.code == 3
    for index in (9, 18):
        assert f"a.npz: x_{split}[{index}] ({split} sample {index}) holds {said}" in found.err
    assert "optimizer.lr" not in found.err
    assert not Path("runs").exists()


def test_large_numbers_and_unlike_splits_are_told(lenet: Lenet) -> None:
    write_npz(x_train=1e30)
    found = lenet("data", "check", "net.yaml")
    assert found.code == 3
    assert "values up to 1e+30 in size, first in a.npz: x_train[9] (train sample 9)" in found.err
    write_npz(x_train=3e37)
    diverged = lenet("train", "net.yaml", "optimizer={type: SGD, lr: 0.1}", "--progress", "off")
    assert diverged.code == 4
    assert "It came in with the data: " in diverged.err
    assert "holds values up to 3e+37; `lenet data check CONFIG` looks at every sample" in diverged.err
    write_npz(x_train=1e8)
    found = lenet("data", "check", "net.yaml")
    assert (found.code, len(found.out.splitlines())) == (0, 2)
    assert "values up to 1e+08 in size, first in a.npz: x_train[9]" in found.out
    write_npz(x_test=lambda x: np.zeros((20, 1, 9, 9)))
    commands = (("data", "check", "net.yaml"), ("validate", "net.yaml"), ("train", "net.yaml", "--progress", "off"))
    for words in commands:
        found = lenet(*words)
        assert found.code == 3
        said = "samples to test on are [1, 9, 9], those to train on [1, 8, 8]; data.resize=[8,8] makes them alike"
        assert said in found.err
        assert lenet(*words, "data.resize=[8,8]").code == 0
        shutil.rmtree("runs", ignore_errors=True)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN"), (-np.inf, "infinity"), (1e300, "1e+300, too large for float32")]
)
def test_a_target_that_is_none_is_not_taken_for_a_picture(value: float, said: str, split: str, lenet: Lenet) -> None:
    def one_wrong(y: Any) -> Any:
        return np.where(np.arange(len(y)) == 4, value, y.astype(float))

    write_npz(**{f"y_{split}": one_wrong})
    for words in (("data", "check", "net.yaml"), ("validate", "net.yaml"), ("train", "net.yaml")):
        found = lenet(*words)
        assert found.code == 3
        assert f"({split} sample 4) has as its target {said}" in found.err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("y", "said"), [(0, "1 class"), (np.arange(60) % 3, "3 classes"), (0.5, "targets that are no classes")]
)
def test_check_says_what_the_targets_are(y: Any, said: str, lenet: Lenet) -> None:
    write_npz(y_train=lambda old: np.broadcast_to(y, 60), y_test=lambda old: np.broadcast_to(y, 60)[:20])
    assert lenet("data", "check", "net.yaml").out == (
        f"net.yaml: ok, 60 to train, 20 to test, samples [1, 8, 8], {said}\n"
    )


def test_test_pictures_of_another_size_are_told(lenet: Lenet) -> None:
    make_folder(Path("photos/train"), {"cat": 3, "dog": 3})
    make_folder(Path("photos/test"), {"cat": 3, "dog": 3}, (9, 9))
    write_config("{type: ImageFolder, root: photos}")
    for words in (("data", "check", "net.yaml"), ("train", "net.yaml", "--progress", "off")):
        found = lenet(*words)
        assert found.code == 3
        assert "samples to test on are [3, 9, 9], those to train on [3, 6, 8]" in found.err


def test_names_of_files_may_be_anything(lenet: Lenet) -> None:
    make_folder(Path("photos"), {"cat": 5, "dog": 5})
    for name in ("\udcff.heic", "a\x1b[31mb\n.avif", "\udcfe.png"):
        (Path("photos") / "cat" / name).write_bytes(b"x")
    found = lenet("data", "check", "photos")
    assert found.code == 3
    assert "\\xfe.png: damaged" in found.err
    (Path("photos") / "cat" / "\udcfe.png").unlink()
    assert lenet("data", "check", "photos").out.splitlines()[1:] == [
        "left out: 1 .avif files (photos/cat/a\\x1b[31mb\\n.avif)", "left out: 1 .heic files (photos/cat/\\xff.heic)",
    ]  # fmt: skip
    write_config("{type: ImageFolder, root: photos}")
    assert lenet("train", "net.yaml", "--out", "run", "--progress", "json").code == 0


@pytest.mark.parametrize("wrong", ["no folders", "an empty folder", "a folder of folders"])
def test_what_is_left_out_is_counted_once_where_the_folder_is_refused(wrong: str, lenet: Lenet) -> None:
    for i in range(3):
        place = Path("photos") / {"no folders": ".", "an empty folder": "cat", "a folder of folders": f"x/{i}"}[wrong]
        place.mkdir(parents=True, exist_ok=True)
        pillow.new("RGB", (8, 6)).save(place / f"{i}.png")
        (Path("photos") / f"note{i}.txt").write_text("x")
    if wrong == "an empty folder":
        (Path("photos") / "dog").mkdir()
    found = lenet("data", "check", "photos")
    assert (found.code, found.err.count("error: ")) == (3, 1)
    assert found.err.count("\n") == 1, found.err
    count = 6 if wrong == "no folders" else 3
    assert f"left out: {count} files beside the classes' folders" in found.out


def test_what_lies_beside_the_folders_is_told(lenet: Lenet) -> None:
    for part in ("train", "test", "more"):
        make_folder(Path("photos") / part, {"cat": 3, "dog": 3})
    for name in ("photos/a.png", "photos/train/b.png", "photos/test/c.png", "photos/.DS_Store"):
        Path(name).write_bytes(b"x")
    found = {
        part["why"]: part["count"] for part in json.loads(lenet("data", "check", "photos", "--json").out)["left_out"]
    }
    assert found == {
        "files beside the classes' folders": 3,
        "hidden, or a file of the system": 1,
        "folders beside train and test": 1,
    }


# A fair evaluation


def test_a_limited_evaluation_of_a_sorted_folder_sees_every_class(lenet: Lenet) -> None:
    x = np.arange(400, dtype=np.float32).reshape(400, 1, 1, 1) / 400 * np.ones((1, 1, 8, 8), np.float32)
    y = np.arange(400) // 200  # class by class, as a folder gives them
    np.savez("a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    write_config("{type: NPZ, path: a.npz}", "1, 8, 8")
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_run

    changes = ["train.limit_batches={eval: 1}", "train.eval_batch_size=20"]
    said = "train.limit_batches: an evaluation takes 20 of {} samples, of each class alike\n"
    assert lenet("train", "net.yaml", *changes).err == said.format(400)
    assert lenet("train", "net.yaml", *changes, "train.validation=0.5").err == said.format(200)
    assert lenet("train", "net.yaml", "train.limit_batches={eval: 2}", "train.validation=0.5").err == ""
    for more in ([], ["train.validation=0.5"]):
        run = build_run(configuration.load("net.yaml", [*changes, *more]))
        for loader in filter(None, (run.test_loader, run.validation_loader)):
            (batch,) = loader.batches(0)
            assert np.bincount(batch[1].numpy()).tolist() == [10, 10]
            assert np.array_equal(next(loader.batches(1))[1].numpy(), batch[1].numpy())


# predict on arrays


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((8, 8), 1), ((1, 8, 8), 1), ((8, 8, 1), 1), ((5, 8, 8), 5), ((3, 8, 8), 3), ((5, 1, 8, 8), 5),
        ((5, 8, 8, 1), 5), ((3, 64), 3), ((64,), 1), ((8, 8, 3), 1), ((8, 8, 4), 1), ((2, 8, 8, 3), 2), ((20, 16), 1),
        ((20, 16, 3), 1),
    ],
)  # fmt: skip
def test_predict_reads_arrays_by_the_runs_own_shape(
    shape: tuple[int, ...], count: int, run: Path, lenet: Lenet
) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.save("x.npy", array)
    found = json.loads(lenet("predict", str(run), "x.npy", "--json").out)
    assert len(found) == count
    colours = array.ndim > 2 and shape[-1] in (3, 4)
    if colours and array.ndim == 3:  # to the bit what the same pixels in a file give
        pillow.fromarray(array).save("x.png")
        (picture,) = json.loads(lenet("predict", str(run), "x.png", "--json").out)
        assert picture["top"] == found[0]["top"]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 20, 16), "can be read in two ways: it can be 3 gray pictures of 20 x 16 or one in colours"),
        ((20, 16, 4), "can be read in two ways: it can be 20 gray pictures of 16 x 4 or one in colours"),
        ((8, 8, 4), "can be read in two ways: it can be 8 gray pictures of 8 x 4 or one in colours"),
        ((3, 65), "or rows of 64 numbers, got [3, 65]"),
        ((65,), "or rows of 64 numbers"),
        ((2, 5, 8, 8), "wanted an array"),
        ((), "a single number"),
    ],
)
def test_arrays_that_can_be_read_in_two_ways_are_told(
    shape: tuple[int, ...], message: str, run: Path, lenet: Lenet
) -> None:
    np.save("x.npy", np.ones(shape, np.float32) if shape[2:] == (4,) else np.full(shape, 200, np.uint8))
    found = lenet("predict", str(run), "x.npy")
    assert (found.code, found.out) == (3, "")
    assert message in found.err
    assert found.err.count("\n") == 1


@pytest.fixture
def run(lenet: Lenet) -> Path:
    """A run on pictures [1, 8, 8] of bytes."""
    x = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    np.savez("a.npz", x_train=x, y_train=np.arange(20) % 2, x_test=x, y_test=np.arange(20) % 2)
    write_config("{type: NPZ, path: a.npz}", "1, 8, 8")
    assert lenet("train", "net.yaml", "--out", "run", "--progress", "off").code == 0
    return Path("run")


def test_a_parquet_set_of_a_hub_is_trained_on_as_it_lies(lenet: Lenet) -> None:
    pictures = [cell((10 * i, 0, 0)) for i in range(12)]
    parquet_file(Path("set/mnist/train-00000-of-00001.parquet"), pictures, [i % 2 for i in range(12)])
    parquet_file(Path("set/mnist/test-00000-of-00001.parquet"), pictures, [-1] * 12)
    write_config("{type: Parquet, root: set}")
    found = lenet("train", "net.yaml", "--out", "run", "--progress", "plain")
    assert found.code == 0
    assert "left out: 12 test pictures without labels (set/mnist/test-00000-of-00001.parquet, ...)" in found.err
    assert json.loads(lenet("eval", "run", "--json").out)["count"] == 2
