"""Pictures of one's own: folders of PNG and JPEG files, Parquet files, CIFAR-10's binary files; and damaged ones."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli.data as data
from lenetcli.data import catalogue
from lenetcli.data.cifar import BATCHES, RECORD
from lenetcli.errors import ConfigError, DataError


def encoded(colour: tuple[int, int, int], size: tuple[int, int] = (6, 8), kind: str = "PNG") -> bytes:
    """A picture of one colour, `size` as (rows, columns)."""
    pillow = pytest.importorskip("PIL.Image")
    held = io.BytesIO()
    pillow.new("RGB", size[::-1], colour).save(held, kind)
    return held.getvalue()


def make_folder(root: Path, classes: dict[str, int], size: tuple[int, int] = (6, 8)) -> Path:
    """So many pictures of each class; the first channel tells the class, the second the picture."""
    for label, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i:03}.png").write_bytes(encoded((label * 50, i, 0), size))
    return root


def decode(source: data.Source) -> None:
    """Every picture of both splits."""
    for part in (source.train, source.test):
        part.gather(np.arange(len(part)))


def make_split_folder(root: Path) -> Path:
    make_folder(root / "train", {"cat": 3, "dog": 2})
    make_folder(root / "test", {"cat": 1, "dog": 2})
    return root


def parquet_file(path: Path, pictures: list[Any], labels: list[Any], names: list[str] | None = None) -> Path:
    """A Parquet file as `datasets` writes it."""
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(
        {"image": arrow.array(pictures) if pictures else arrow.array([], arrow.binary()), "label": arrow.array(labels)}
    )
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    return path


def cell(colour: tuple[int, int, int]) -> dict[str, Any]:
    return {"bytes": encoded(colour), "path": "a.png"}


def make_parquet(root: Path) -> Path:
    """Two files to train on, one to test on."""
    for i, place in enumerate(("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")):
        parquet_file(root / "data" / f"{place}.parquet", [cell((i, 0, 0)), cell((i, 1, 0))], [0, 1], ["cat", "dog"])
    return root


def make_cifar(root: Path, count: int = 4) -> Path:
    """The six binary files, small."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in (*BATCHES["train"], *BATCHES["test"]):
        records = rng.integers(0, 256, (count, RECORD), np.uint8)
        records[:, 0] = np.arange(count) % 10
        (root / name).write_bytes(records.tobytes())
    return root


def test_folders_name_the_classes_and_the_splits(tmp_path: Path) -> None:
    source = data.ImageFolder(str(make_split_folder(tmp_path)))
    assert source.classes == ("cat", "dog")
    assert source.train.targets.tolist() == [0, 0, 0, 1, 1]
    assert source.test.targets.tolist() == [0, 1, 1]
    inputs, targets = source.train.gather(np.array([4, 1]))
    assert inputs.shape == (2, 3, 6, 8)
    np.testing.assert_allclose(inputs[:, :, 0, 0] * 255, [[50, 1, 0], [0, 1, 0]], atol=1e-4)
    assert targets.tolist() == [1, 0]
    assert source.train.is_slow
    source.train.gather(np.arange(5))
    assert not source.train.is_slow


def test_the_folder_for_testing_may_have_another_name(tmp_path: Path) -> None:
    (make_split_folder(tmp_path) / "test").rename(tmp_path / "val")
    source = data.ImageFolder(str(tmp_path))
    assert (source.classes, len(source.train), len(source.test)) == (("cat", "dog"), 5, 3)


def test_a_lone_folder_train_is_split_as_the_root_would_be(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 10, "b": 20})
    source = data.ImageFolder(str(tmp_path))
    assert (source.classes, len(source.train), len(source.test)) == (("a", "b"), 24, 6)
    make_folder(tmp_path, {"car": 10})  # now train is a class: of trains
    with pytest.raises(DataError, match="train: pictures lie in its folders alone \\(a, b\\), beside car"):
        _ = data.ImageFolder(str(tmp_path)).train


def test_one_folder_is_split_by_class_and_seed(tmp_path: Path) -> None:
    place = str(make_folder(tmp_path, {"a": 10, "b": 20}))

    def split(seed: int) -> tuple[list[float], list[float]]:
        source = data.ImageFolder(place, test_fraction=0.2, seed=seed)
        assert np.bincount(source.test.targets).tolist() == [2, 4]
        assert np.bincount(source.train.targets).tolist() == [8, 16]
        whole = [part.gather(np.arange(len(part)))[0][:, :, 0, 0] for part in (source.train, source.test)]
        both = np.rint(np.concatenate(whole) * 255).astype(int)
        assert len({tuple(pixel) for pixel in both.tolist()}) == 30  # nothing twice, nothing lost
        return whole[0].tolist(), whole[1].tolist()

    assert split(0) == split(0)
    assert split(0) != split(1)


def test_pictures_of_all_sizes_and_kinds_are_resized(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i, (size, kind) in enumerate([((50, 40), "PNG"), ((5, 6), "JPEG"), ((16, 16), "PNG")]):
            (tmp_path / name / f"{i}.{kind.lower()}").write_bytes(encoded((200, 100, 50), size, kind))
    source = data.ImageFolder(str(tmp_path), resize=(16, 12), test_fraction=0.4)
    assert source.train.sample_shape == (3, 16, 12)
    inputs, _ = source.train.gather(np.arange(len(source.train)))
    np.testing.assert_allclose(inputs.mean(axis=(0, 2, 3)) * 255, [200, 100, 50], atol=3)
    gray = data.ImageFolder(str(tmp_path), resize=(16, 12), channels=1, test_fraction=0.4)
    assert gray.test.sample_shape == (1, 16, 12)


def test_without_resize_the_first_of_another_size_is_named(tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 5})
    (place / "cat" / "003.png").write_bytes(encoded((1, 2, 3), (7, 7)))
    train = data.ImageFolder(str(place), test_fraction=0.2, seed=3).train
    with pytest.raises(DataError, match=r"003.png: 7 rows x 7 columns, the first picture has 6 x 8; data.resize"):
        train.gather(np.arange(len(train)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged or truncated picture"),
        (b"GIF89a" + bytes(50), "damaged or truncated picture"),
        ("half", "damaged or truncated picture"),
        ("bomb", "more than the 16,777,216 allowed"),
    ],
)
def test_hostile_pictures_are_refused_by_name(content: bytes | str, message: str, tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 2, "dog": 2})
    if content == "half":
        content = encoded((1, 2, 3), (60, 60))[:-60]
    elif content == "bomb":
        content = encoded((0, 0, 0), (5000, 5000))
    assert isinstance(content, bytes)
    (place / "dog" / "000.png").write_bytes(content)
    source = data.ImageFolder(str(place), resize=(6, 8), test_fraction=0.5)
    with pytest.raises(DataError, match=rf"dog.000.png: .*{message}"):
        decode(source)


def test_damage_met_in_the_background_reaches_the_reader(tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 20})
    for i in range(3, 20):
        (place / "cat" / f"{i:03}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = data.ImageFolder(str(place), resize=(6, 8), test_fraction=0.1)
    with pytest.raises(DataError, match=r"0\d\d\.png: damaged"):
        list(data.DataLoader(source.train, 4).batches(0))


def test_unfit_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        _ = data.ImageFolder(str(tmp_path / "none")).train
    with pytest.raises(DataError, match="no folders in it"):
        _ = data.ImageFolder(str(tmp_path)).train
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="cat: no pictures in it"):
        _ = data.ImageFolder(str(tmp_path)).train
    place = make_split_folder(tmp_path / "split")
    make_folder(place / "test", {"cow": 1})
    with pytest.raises(DataError, match="cow: no class of that name"):
        _ = data.ImageFolder(str(place)).test


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"channels": 2}, "channels: wanted 1"), ({"test_fraction": 1.0}, "test_fraction: wanted more than 0")],
)
def test_unfit_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    for kind in (data.ImageFolder, data.Parquet):
        with pytest.raises(ConfigError, match=message):
            kind("x", **arguments)


def test_parquet_files_of_a_split_come_in_order(tmp_path: Path) -> None:
    source = data.Parquet(str(make_parquet(tmp_path)))
    assert source.classes == ("cat", "dog")
    assert (len(source.train), len(source.test)) == (4, 2)
    inputs, targets = source.train.gather(np.array([3, 0]))
    np.testing.assert_allclose(inputs[:, :2, 0, 0] * 255, [[1, 1], [0, 0]], atol=1e-4)
    assert targets.tolist() == [1, 0]


def test_parquet_without_test_files_is_split(tmp_path: Path) -> None:
    pictures, labels = [cell((i, 0, 0))["bytes"] for i in range(20)], [i % 2 for i in range(20)]
    parquet_file(tmp_path / "train.parquet", pictures, labels)
    source = data.Parquet(str(tmp_path), test_fraction=0.2)
    assert source.classes == ("0", "1")
    assert np.bincount(source.test.targets).tolist() == [2, 2]
    both = [part.gather(np.arange(len(part)))[0][:, 0, 0, 0] * 255 for part in (source.train, source.test)]
    assert sorted(np.rint(np.concatenate(both)).astype(int).tolist()) == list(range(20))


def test_unfit_parquet_files_are_refused(tmp_path: Path) -> None:
    def loaded() -> None:
        source = data.Parquet(str(tmp_path))
        source.train.gather(np.arange(len(source.train)))

    path = tmp_path / "train.parquet"
    good = cell((1, 2, 3))
    cases: list[tuple[list[Any], list[Any], str]] = [
        ([1, 2], [0, 1], "column 'image' holds int64"),
        ([good, good], ["a", None], "column 'label' holds empty cells"),
        ([good, good], [0.5, 1.5], "column 'label' holds double"),
        ([good, good], [0, None], "holds empty cells"),
        ([good, good], [0, -1], "class number -1"),
        ([good, good], [0, 10**7], "class number 10000000"),
        ([good, {"bytes": None, "path": "x"}] * 3, [0, 1] * 3, "no bytes in column"),
        ([good, {"bytes": b"zip", "path": "x"}] * 3, [0, 1] * 3, r"train picture \d: damaged or truncated"),
        ([], [], "column 'label' holds|no rows"),
    ]
    for pictures, labels, message in cases:
        parquet_file(path, pictures, labels)
        with pytest.raises(DataError, match=message):
            loaded()
    parquet_file(path, [good] * 4, [0, 1, 0, 1])
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-10], whole[: len(whole) // 2], whole[:60] + bytes(40) + whole[100:-8]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train\.parquet|train picture"):
            loaded()
    path.write_bytes(whole)
    with pytest.raises(DataError, match="no column 'photo'; it holds image, label"):
        _ = data.Parquet(str(tmp_path), image="photo").train
    with pytest.raises(DataError, match="none: cannot be read: No such file or directory"):
        _ = data.Parquet(str(tmp_path / "none")).train


def test_cifar_is_read_from_its_files_and_from_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_cifar(tmp_path / "files")
    plain = data.CIFAR10(str(files))
    assert (len(plain.train), len(plain.test)) == (20, 4)
    raw = np.frombuffer((files / "data_batch_2.bin").read_bytes(), np.uint8).reshape(-1, RECORD)
    np.testing.assert_array_equal(plain.train.images[5], raw[1, 1:].reshape(3, 32, 32))
    assert plain.train.targets[:5].tolist() == [0, 1, 2, 3, 0]
    zipped = tmp_path / "zipped"
    zipped.mkdir()
    archive = zipped / catalogue.CIFAR10_ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(files, "cifar-10-batches-bin")
    with pytest.raises(DataError, match="wrong md5: wanted c32a1d4a"):
        _ = data.CIFAR10(str(zipped)).train
    md5 = {archive.name: hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()}
    monkeypatch.setitem(catalogue.CATALOGUE, "CIFAR10", catalogue.Entry("CIFAR10", "", "", md5, ()))
    packed = data.CIFAR10(str(zipped))
    np.testing.assert_array_equal(packed.train.images, plain.train.images)
    np.testing.assert_array_equal(packed.test.targets, plain.test.targets)


def test_damaged_cifar_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither data_batch_1.bin nor cifar-10-binary.tar.gz .* data.download=true"):
        _ = data.CIFAR10(str(tmp_path)).train
    root = make_cifar(tmp_path)
    path = root / "data_batch_3.bin"
    good = path.read_bytes()
    for content, message in (
        (good[:-1], "data_batch_3.bin: .* no whole records"),
        (b"", "no whole records"),
        (b"\x0a" + good[1:], "data_batch_3.bin: label 10 of 10 classes"),
        (good * 2600, "more than the 30,730,000"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            _ = data.CIFAR10(str(root)).train
    path.unlink()
    with pytest.raises(DataError, match=r"data_batch_3.bin: cannot be read"):
        _ = data.CIFAR10(str(root)).train
