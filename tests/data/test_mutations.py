"""Damaged data files: whatever their bytes are, they are read or refused in a line."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.data as data
from lenetcli.data.idx import BLOCK, IMAGES, LABELS, QMNIST_LABELS, read_idx
from lenetcli.data.picture_csv import listing
from tests.data import layouts
from tests.data.test_sources import idx
from tests.mutation import largest_memory, mutations, survives

COUNT = 100  # of each format


def _npz(save: Callable[..., Any]) -> bytes:
    file = io.BytesIO()
    arrays = {"x": np.arange(48, dtype=np.uint8).reshape(3, 1, 4, 4), "y": np.arange(3)}
    save(file, **{f"{name}_{split}": array for split in ("train", "test") for name, array in arrays.items()})
    return file.getvalue()


def _csv() -> bytes:
    lines = [f"{i % 2},{i},0.5,-1e-3,2" for i in range(10)]
    return ("label,a,b,c,d\n" + "\n".join(lines) + "\n").encode()


def _weights(place: Path) -> bytes:
    lenet.save(
        {"state": {0: {"a": lenet.ones(3, 2)}}, "groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]}, place / "w.safetensors"
    )
    return (place / "w.safetensors").read_bytes()


PATHS = "path,label,split\n" + "".join(f"x{i}.png,cat,train\n" for i in range(20))
NAMES = "index,codepoint,char\n" + "".join(f"{i},U+3042,x\n" for i in range(49))


def _texts() -> bytes:
    lines = [f"{('cat', 'dog')[i % 2]};{i};0.5;-1e-3;2" for i in range(10)]
    return ("label;a;b;c;d\n" + "\n".join(lines) + "\n").encode()


def _medmnist(place: Path) -> bytes:
    layouts.LAYOUTS["MedMNIST"][0](place)
    return (place / "bloodmnist.npz").read_bytes()


def _stl10(place: Path) -> bytes:
    (place / "train_X.bin").write_bytes(bytes(12 * 3 * 96 * 96))
    return bytes([1, 2, 3] * 4)


FORMATS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], Any]]] = {
    "idx images": ("a", lambda _: idx(np.arange(18).reshape(2, 3, 3)), lambda p: read_idx(p, IMAGES)),
    "idx labels": ("a", lambda _: idx(np.arange(20)), lambda p: read_idx(p, LABELS)),
    "idx.gz": ("a.gz", lambda _: gzip.compress(idx(np.arange(180).reshape(20, 3, 3))), lambda p: read_idx(p, IMAGES)),
    "npz": ("a.npz", lambda _: _npz(np.savez), lambda p: data.NPZ(str(p)).train),
    "npz, compressed": ("a.npz", lambda _: _npz(np.savez_compressed), lambda p: data.NPZ(str(p)).test),
    "csv": ("a.csv", lambda _: _csv(), lambda p: data.CSV(str(p), (1, 2, 2)).classes),
    "csv, texts as labels": ("a.csv", lambda _: _texts(), lambda p: data.CSV(str(p), (1, 2, 2)).classes),
    "csv of paths": ("a.csv", lambda _: PATHS.encode(), listing),
    "QMNIST's labels": ("a", lambda _: layouts.idx(np.zeros((9, 8)), 0x0C), lambda p: read_idx(p, QMNIST_LABELS)),
    "MedMNIST": ("bloodmnist.npz", _medmnist, lambda p: data.NPZ(str(p)).classes),
    "safetensors": ("a.safetensors", _weights, lenet.load),
}
BESIDE: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], Any]]] = {  # files that others lie beside
    "EMNIST's mapping": (
        "emnist-letters-mapping.txt",
        lambda _: b"1 65 97\n2 66 98\n3 67 99\n",
        lambda p: data.EMNIST(str(p.parent), "letters").classes,
    ),
    "Kuzushiji-49's names": (
        "k49_classmap.csv", lambda _: NAMES.encode(), lambda p: data.KMNIST49(str(p.parent)).classes
    ),
    "STL-10's labels": ("train_y.bin", _stl10, lambda p: data.STL10(str(p.parent)).train),
}  # fmt: skip
ALL = {**FORMATS, **BESIDE}


@pytest.mark.parametrize("kind", ALL)
def test_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    name, make, read = ALL[kind]
    path = tmp_path / name
    content = make(tmp_path)
    before = largest_memory()
    assert survives(path, content, lambda: read(path))
    refused = sum(not survives(path, damaged, lambda: read(path)) for damaged in mutations(content, COUNT, seed=1))
    assert refused > COUNT / 4
    assert largest_memory() - before < 2**30


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_no_ordinary_file_is_refused(kind: str, tmp_path: Path) -> None:
    import os

    name, _, read = FORMATS[kind]
    (tmp_path / name).mkdir()
    with pytest.raises(lenet.errors.DataError, match="not a regular file"):
        read(tmp_path / name)
    (tmp_path / name).rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / name)  # reading it would wait for ever
        with pytest.raises(lenet.errors.DataError, match="not a regular file"):
            read(tmp_path / name)


def test_a_zipped_file_of_many_blocks_is_read_whole_and_no_further(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, 3 * BLOCK, np.uint8)  # no smaller when zipped
    content = LABELS.to_bytes(4, "big") + len(pixels).to_bytes(4, "big") + pixels.tobytes()
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content))
    assert np.array_equal(read_idx(path, LABELS), pixels)
    path.write_bytes(gzip.compress(content)[:-BLOCK])
    with pytest.raises(lenet.errors.DataError, match=r"truncated gzip file, after [0-9,]+ bytes"):
        read_idx(path, LABELS)
    path.write_bytes(gzip.compress(content + bytes(2 * BLOCK)))
    with pytest.raises(lenet.errors.DataError, match="bytes left over after the 786,432"):
        read_idx(path, LABELS)


# Small files that want much memory


def test_a_gzip_bomb_with_the_right_header_is_refused(tmp_path: Path) -> None:
    size = 2**28
    path = tmp_path / "a.gz"
    with gzip.open(path, "wb") as file:
        file.write(LABELS.to_bytes(4, "big") + size.to_bytes(4, "big") + bytes(size // 64))
    with pytest.raises(lenet.errors.DataError, match="would unpack to 268,435,448: refused"):
        read_idx(path, LABELS)


def test_an_npz_bomb_is_refused(tmp_path: Path) -> None:
    images = np.zeros((2**27 // 64, 1, 8, 8), np.uint8)
    np.savez_compressed(tmp_path / "a.npz", x_train=images, y_train=np.zeros(len(images), np.int64))
    with pytest.raises(lenet.errors.DataError, match="refused, no images shrink that much"):
        _ = data.NPZ(str(tmp_path / "a.npz")).train


def test_an_npz_bomb_whose_directory_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path, images = tmp_path / "a.npz", np.zeros((2**27 // 64, 1, 8, 8), np.uint8)
    np.savez_compressed(path, x_train=images, y_train=np.zeros(len(images), np.int64))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 20  # the packed size, in the archive's directory
    content[at : at + 4] = (2**27).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(lenet.errors.DataError, match=r"not a sound ZIP file: .* would take 134,217,728 bytes"):
        _ = data.NPZ(str(path)).train


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(-1,)", "(4, 99999999999999999999)"])
def test_an_npy_header_with_an_absurd_shape_is_refused(shape: str, tmp_path: Path) -> None:
    import zipfile

    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("x_train.npy", "y_train.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00v\x00" + header + bytes(64))
    with pytest.raises(lenet.errors.DataError, match=r"x_train: not a sound \.npz file: .* in 192 bytes"):
        _ = data.NPZ(str(tmp_path / "a.npz")).train


def test_npz_arrays_may_lie_in_columns(tmp_path: Path) -> None:
    images = np.asfortranarray(np.arange(48, dtype=np.uint8).reshape(3, 1, 4, 4))
    np.savez(tmp_path / "a.npz", x_train=images, y_train=np.arange(3), x_test=images, y_test=np.arange(3))
    assert np.array_equal(data.NPZ(str(tmp_path / "a.npz")).train.images, images)


def test_a_csv_file_of_one_endless_line_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(b"1")
        file.truncate(2**31)  # sparse
    with pytest.raises(lenet.errors.DataError, match=r"more than 1,320 characters for 5 columns|NUL"):
        _ = data.CSV(str(tmp_path / "a.csv"), (1, 2, 2)).train


def test_a_csv_class_number_beyond_all_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("0,1,2,3,4\n" * 9 + "4000000000,1,2,3,4\n")
    with pytest.raises(lenet.errors.DataError, match="class number 4000000000: at most 1,000,000"):
        _ = data.CSV(str(tmp_path / "a.csv"), (1, 2, 2)).train
