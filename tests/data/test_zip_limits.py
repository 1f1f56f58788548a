"""Small ZIP files that would fill the memory, and directories that lie about them."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lenetcli.data import NPZ
from lenetcli.errors import DataError
from lenetcli.export.weights import read_weights

TEST = {"x_test": np.zeros((1, 8, 8), np.uint8), "y_test": np.arange(1)}


@pytest.mark.parametrize("claimed", [2**31, "overlapping"])
def test_an_npz_whose_directory_lies_about_packed_bytes_is_refused(tmp_path: Path, claimed: int | str) -> None:
    path = tmp_path / "x.npz"
    zeros = np.zeros((1600, 1, 224, 224), np.uint8)  # 80 MB in 80 KB
    np.savez_compressed(path, x_train=zeros, y_train=np.zeros(1600, np.int64), x_test=zeros, y_test=zeros[:, 0, 0, 0])
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    packed = int.from_bytes(content[at + 20 : at + 24], "little")
    value = claimed if isinstance(claimed, int) else packed + 100
    content[at + 20 : at + 24] = value.to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match="not a sound ZIP file"):
        NPZ(str(path)).load("train")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_bomb_is_refused_and_arrays_that_pack_well_are_read(tmp_path: Path) -> None:
    rows = {"x_train": np.zeros((9, 8, 8), np.uint8), "y_train": np.arange(9), **TEST}
    for name, rest in (("sound", rows), ("bomb", {**rows, "x_train": np.zeros((1600, 1, 224, 224), np.uint8)})):
        np.savez_compressed(tmp_path / f"{name}.npz", **rest)
    assert len(NPZ(str(tmp_path / "sound.npz")).load("train")) == 9
    with pytest.raises(DataError, match="would unpack to"):
        NPZ(str(tmp_path / "bomb.npz")).load("train")


@pytest.mark.parametrize("what", ["encrypted", "there twice"])
def test_parts_that_cannot_be_told_apart_or_read_are_named(tmp_path: Path, what: str) -> None:
    path, arrays = tmp_path / "x.npz", {name: np.zeros(4) for name in ("y_train", "y_tesx", "y_test")}
    np.savez(path, x_train=np.zeros((4, 2, 2)), x_test=np.zeros((4, 2, 2)), **arrays)
    content = path.read_bytes()
    if what == "there twice":
        content = content.replace(b"y_tesx", b"y_test")
    else:
        at = content.rindex(b"PK\x01\x02")
        content = content[: at + 8] + b"\x01" + content[at + 9 :]
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"not a sound ZIP file: 'y_test.npy' is {what}"):
        NPZ(str(path)).load("test")


@pytest.mark.parametrize("compressed", [False, True])
def test_what_lies_before_or_behind_an_npz_is_refused(tmp_path: Path, compressed: bool) -> None:
    path, rows = tmp_path / "x.npz", {"x_train": np.zeros((9, 8, 8), np.uint8), "y_train": np.arange(9), **TEST}
    (np.savez_compressed if compressed else np.savez)(path, **rows)
    content = path.read_bytes()
    for put, said in ((b"#!/bin/sh\n" + content, "10 bytes before"), (content + b"\n", "left over after its end")):
        path.write_bytes(put)
        with pytest.raises(DataError, match=said):
            NPZ(str(path)).load("train")
        with pytest.raises(DataError, match=f"{said}|of no format that is known here"):
            read_weights(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"a comment is a part of the file"
        for name, array in rows.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    assert len(NPZ(str(path)).load("train")) == 9
