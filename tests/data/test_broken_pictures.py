"""Broken pictures: all of them listed in one go, or left out; and Parquet sets as hubs have them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.data import DataLoader, ImageFolder, Parquet, Source
from lenetcli.errors import ConfigError, DataError
from tests.data.test_own_pictures import cell, encoded, make_folder, parquet_file

pytest.importorskip("PIL")


def damage(place: Path, *paths: str) -> None:
    for path in paths:
        (place / path).write_bytes((place / path).read_bytes()[:-9])


def broken_folder(root: Path) -> tuple[Path, list[str]]:
    place = make_folder(root, {"cat": 20, "dog": 20})
    bad = ["cat/003.png", "cat/017.png", "dog/000.png", "dog/005.png", "dog/019.png"]
    damage(place, *bad)
    (place / "dog" / "000.png").write_bytes(b"")
    return place, bad


def broken_parquet(root: Path) -> tuple[Path, list[str]]:
    bad = [3, 17, 20]
    cells = [{"bytes": b"no picture", "path": None} if i in bad else cell((i, 0, 0)) for i in range(40)]
    parquet_file(root / "train.parquet", cells, [i % 2 for i in range(40)])
    return root, [f" picture {i}:" for i in bad]


KINDS: dict[str, tuple[Any, Any]] = {"ImageFolder": (ImageFolder, broken_folder), "Parquet": (Parquet, broken_parquet)}


def read_all(source: Source) -> int:
    count = 0
    for part in (source.train, source.test):
        count += sum(len(inputs) for inputs, _ in DataLoader(part, 4).batches(0))
    return count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resize", [None, (4, 4)])
def test_all_broken_pictures_of_both_splits_are_listed_in_one_go(
    kind: str, resize: tuple[int, int] | None, tmp_path: Path
) -> None:
    make, build = KINDS[kind]
    place, bad = build(tmp_path)
    source = make(str(place), resize=resize)
    _ = source.train, source.test  # as a training begins
    with pytest.raises(DataError) as caught:
        read_all(source)
    text = str(caught.value)
    assert text.startswith(f"{len(bad)} of 40 pictures are broken:\n")
    assert all(name in text for name in bad)
    assert text.endswith("data.broken=skip leaves them out")


@pytest.mark.parametrize("kind", KINDS)
def test_skipped_pictures_are_counted_and_the_others_stay_what_they_were(kind: str, tmp_path: Path) -> None:
    make, build = KINDS[kind]
    place, bad = build(tmp_path)
    source = make(str(place), broken="skip")
    assert read_all(source) == 40 - len(bad)
    assert not source.train.is_slow
    (skipped,) = (part for part in source.left_out if part.why == "broken pictures")
    assert skipped.count == len(bad)
    again = make(str(place), broken="skip")
    for one, other in ((source.train, again.train), (source.test, again.test)):
        numbers = np.arange(len(one))
        assert all(np.array_equal(a, b) for a, b in zip(one.gather(numbers), other.gather(numbers)))
        assert [one.origin(i) for i in numbers] == [other.origin(i) for i in numbers]
    if kind == "ImageFolder":
        inputs, targets = source.train.gather(np.arange(len(source.train)))
        for i, (row, label) in enumerate(zip(np.rint(inputs[:, :, 0, 0] * 255), targets)):
            origin = Path(source.train.origin(i))
            assert (origin.parent.name, int(origin.stem)) == (source.classes[label], int(row[1]))
            assert row[0] == label * 50


def test_where_nothing_is_broken_skip_changes_no_bit(tmp_path: Path) -> None:
    place = str(make_folder(tmp_path, {"cat": 9, "dog": 9}))
    plain, skipping = ImageFolder(place), ImageFolder(place, broken="skip")
    numbers = np.arange(len(plain.train))
    assert all(np.array_equal(a, b) for a, b in zip(plain.train.gather(numbers), skipping.train.gather(numbers)))
    assert skipping.left_out == ()


def test_more_broken_pictures_than_a_message_holds_are_counted(tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 60})
    damage(place, *(f"cat/{i:03}.png" for i in range(5, 50)))
    source = ImageFolder(str(place), resize=(6, 8), test_fraction=0.05)
    _ = source.train, source.test
    with pytest.raises(DataError) as caught:
        read_all(source)
    lines = str(caught.value).splitlines()
    assert lines[0] == "45 of 60 pictures are broken:"
    assert lines[21:] == ["... and 25 more", "data.broken=skip leaves them out"]


def test_a_class_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 5, "dog": 3})
    damage(place, *(f"dog/{i:03}.png" for i in range(3)))
    with pytest.raises(DataError, match="every picture of dog to train on is broken"):
        _ = ImageFolder(str(place), broken="skip", test_fraction=0.3).train


def test_pictures_of_another_size_are_not_broken(tmp_path: Path) -> None:
    place = make_folder(tmp_path, {"cat": 9})
    for i in (4, 7):
        (place / "cat" / f"{i:03}.png").write_bytes(encoded((1, 2, 3), (7, 7)))
    for broken in ("refuse", "skip"):
        with pytest.raises(DataError) as caught:
            read_all(ImageFolder(str(place), broken=broken, test_fraction=0.2))  # type: ignore[arg-type]
        assert "7 rows x 7 columns, the first picture has 6 x 8; data.resize" in str(caught.value)
        assert "broken" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_never_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_folder(tmp_path, {"cat": 5})
    from lenetcli.data import image_folder

    def refused(path: Path, most: int) -> bytes:
        if path.name == "003.png":
            raise DataError(f"{path}: cannot be read: Input/output error")
        return path.read_bytes()

    monkeypatch.setattr(image_folder, "read_within", refused)
    with pytest.raises(DataError, match=r"003\.png: cannot be read: Input/output error"):
        read_all(ImageFolder(str(place), broken="skip"))


@pytest.mark.parametrize("arguments", [{"broken": "drop"}, {"max_pixels": 0}, {"max_pixels": 1 << 31}])
@pytest.mark.parametrize("kind", KINDS)
def test_unfit_values_are_refused(kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="wanted"):
        KINDS[kind][0]("x", **arguments)


# Parquet as hubs have it

PICTURES = [cell((i, 0, 0)) for i in range(20)]
LABELS = [i % 2 for i in range(20)]


@pytest.mark.parametrize("labels", [[-1] * 6, [None] * 6], ids=["-1", "empty"])
def test_a_test_file_without_labels_is_left_out_and_a_share_is_held_back(labels: list[Any], tmp_path: Path) -> None:
    import pyarrow

    parquet_file(tmp_path / "train.parquet", PICTURES, LABELS)
    parquet_file(tmp_path / "test.parquet", PICTURES[:6], pyarrow.array(labels, pyarrow.int64()).to_pylist())
    source = Parquet(str(tmp_path))
    assert (len(source.train), len(source.test)) == (16, 4)
    (part,) = source.left_out
    assert (part.why, part.count) == ("test pictures without labels", 6)
    parquet_file(tmp_path / "validation.parquet", PICTURES[:5], [0, 1, 0, 1, 1])
    other = Parquet(str(tmp_path))
    assert (len(other.train), len(other.test)) == (20, 5)


def test_training_pictures_without_labels_are_refused(tmp_path: Path) -> None:
    parquet_file(tmp_path / "train.parquet", PICTURES, [-1] * 20)
    with pytest.raises(DataError, match=r"train\.parquet: none of its 20 pictures has a label"):
        _ = Parquet(str(tmp_path)).train
    parquet_file(tmp_path / "train.parquet", PICTURES, [*LABELS[:-2], -1, -1])
    with pytest.raises(DataError, match="class number -1 in row 18, one of 2 such rows"):
        _ = Parquet(str(tmp_path)).train


@pytest.mark.parametrize(
    "path",
    [
        "train-00000-of-00001.parquet", "data/train-00000-of-00001.parquet", "mnist/train-00000-of-00001.parquet",
        "mnist/train/0000.parquet", "train/0000.parquet", "default/mnist/train.parquet", "mnist-train.parquet",
    ],
)  # fmt: skip
def test_files_are_found_from_the_root(path: str, tmp_path: Path) -> None:
    parquet_file(tmp_path / path, PICTURES, LABELS)
    parquet_file(tmp_path / path.replace("train", "test"), PICTURES[:4], LABELS[:4])
    source = Parquet(str(tmp_path))
    assert (len(source.train), len(source.test)) == (20, 4)


def test_several_configurations_are_for_the_user_to_choose(tmp_path: Path) -> None:
    for name in ("digits", "letters"):
        parquet_file(tmp_path / name / "train.parquet", PICTURES, LABELS)
    with pytest.raises(DataError, match=r"several configurations in it \(digits, letters\); choose one: data.root="):
        _ = Parquet(str(tmp_path)).train
    assert len(Parquet(str(tmp_path / "digits")).train) == 16


def table(path: Path, **columns: Any) -> None:
    arrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(
        arrow.table({k: arrow.array(v) for k, v in columns.items()}), path
    )


@pytest.mark.parametrize("image", ["image", "img", "picture", "scan"])
@pytest.mark.parametrize("label", ["label", "labels", "target", "digit"])
def test_columns_are_found_by_common_names_and_by_type(image: str, label: str, tmp_path: Path) -> None:
    table(tmp_path / "train.parquet", **{"id": [str(i) for i in range(20)], image: PICTURES, label: LABELS})
    source = Parquet(str(tmp_path))
    assert len(source.train) + len(source.test) == 20


def test_columns_that_several_may_be_are_for_the_user_to_choose(tmp_path: Path) -> None:
    table(tmp_path / "train.parquet", img=PICTURES, fine_label=LABELS, coarse_label=LABELS)
    with pytest.raises(
        DataError, match=r"no column 'label'; .*several may be meant: choose one, data.label=fine_label"
    ):
        _ = Parquet(str(tmp_path)).train
    assert len(Parquet(str(tmp_path), label="coarse_label").train) == 16


def test_labels_may_be_true_or_false(tmp_path: Path) -> None:
    table(tmp_path / "train.parquet", image=PICTURES, label=[bool(i) for i in LABELS])
    source = Parquet(str(tmp_path))
    assert source.classes == ("false", "true")
    assert sorted(np.concatenate([source.train.targets, source.test.targets]).tolist()) == [0] * 10 + [1] * 10


def test_cells_as_datasets_writes_16_bit_arrays_are_read(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    cells = []
    for i in range(10):
        held = io.BytesIO()
        pillow.fromarray(np.full((4, 5), i * 257, np.uint16)).save(held, "TIFF")
        cells.append({"bytes": held.getvalue(), "path": None})
    table(tmp_path / "train.parquet", image=cells, label=[i % 2 for i in range(10)])
    source = Parquet(str(tmp_path), channels=1)
    found = [np.rint(part.gather(np.arange(len(part)))[0][:, 0, 0, 0] * 255) for part in (source.train, source.test)]
    assert sorted(np.concatenate(found).tolist()) == list(range(10))
