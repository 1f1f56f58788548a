"""torch's own files: read without running anything of them, equal to torch's own reading, and written for it."""

from __future__ import annotations

import argparse
import types
from collections import Counter, defaultdict, deque
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.errors import ConfigError, DataError
from lenetcli.formats import torch_file, zip_contents
from lenetcli.formats.torch_names import SavedTensor
from tests.formats import make_torch_files
from tests.formats.rewritten import rewritten

FILES = sorted(make_torch_files.PLACE.iterdir())
BASE = np.arange(24.0).reshape(4, 6)
BFLOAT = -float.fromhex("0x1.c4p+127")  # the bfloat16 nearest to -3e38


def raw(path: Path) -> Any:
    return torch_file.read(path, lambda saved: saved)


@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_every_kind_of_value_is_read(suffix: str) -> None:
    place = make_torch_files.PLACE
    tensors = lenet.load(place / f"tensors.{suffix}")
    assert [(t.dtype, t.tolist()) for t in tensors] == [
        (lenet.float64, [1.5, -2]), (lenet.float32, [[1.5], [-2]]), (lenet.float32, [1.5, 65504]),
        (lenet.float32, [1.5, BFLOAT]), (lenet.int64, [2**40, -1]), (lenet.int32, [-7]),
        (lenet.int16, [300]), (lenet.int8, [-128]), (lenet.uint8, [255]), (lenet.bool, [True, False]),
    ]  # fmt: skip
    views = lenet.load(place / f"views.{suffix}")
    wanted = {"all": BASE, "rows": BASE[1:3], "turned": BASE.T, "every": BASE[:, ::2], "one": BASE[2, 3]}
    wanted |= {"none": BASE[:0], "spread": np.ones((3, 2)), "last": np.ones((2, 3, 4, 5))}
    assert {name: t.tolist() for name, t in views.items()} == {name: w.tolist() for name, w in wanted.items()}
    assert np.shares_memory(views["all"].array, views["rows"].array), "tensors that share a storage share memory"
    assert views["last"].array.strides == (240, 4, 60, 12), "strides are those of the file"
    leaf, parameter, frozen = lenet.load(place / f"parameters.{suffix}").values()
    assert (leaf.requires_grad, parameter.requires_grad, frozen.requires_grad) == (True, True, False)
    assert lenet.load(place / f"marks.{suffix}") == {
        "size": (2, 3), "device": "cuda:1", "type": "torch.bfloat16", "set": {1, 2}, "tuple": (1, (2.5, "a")),
        "large": 2**70, "list": [[], {}],
    }  # fmt: skip
    assert lenet.load(place / f"alone.{suffix}").tolist() == [[1, 1], [1, 1]]
    checkpoint = lenet.load(place / f"checkpoint.{suffix}")
    assert list(checkpoint["model"]) == list(lenet.load(place / f"state_dict.{suffix}"))
    assert checkpoint["scheduler"]["milestones"] == {2: 1, 4: 2}
    assert (checkpoint["epoch"], checkpoint["name"], checkpoint["note"]) == (3, "Netz ü", None)


def test_a_checkpoint_of_torch_goes_on_here() -> None:
    checkpoint = lenet.load(make_torch_files.PLACE / "checkpoint.pt")
    net = lenet.nn.Sequential(lenet.nn.Conv2d(1, 2, 3), lenet.nn.BatchNorm2d(2), lenet.nn.Linear(2, 3))
    net.load_state_dict(checkpoint["model"])
    optimizer = lenet.optim.Adam(net.parameters(), lr=1.0)
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.state[net[2].bias]["step"].item() == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_torch_reads_the_same(path: Path, torch: Any) -> None:
    assert_like(torch.load(path, weights_only=False, map_location="cpu"), raw(path))


def test_torch_files_of_every_pickle_protocol_are_read(tmp_path: Path, torch: Any) -> None:
    make_torch_files.make(torch, tmp_path)
    for path in tmp_path.iterdir():
        assert_like(torch.load(path, weights_only=False, map_location="cpu"), raw(path))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_torch_negates_as_it_is_read_is_negated(zipped: bool, tmp_path: Path, torch: Any) -> None:
    conjugated = torch.conj(torch.tensor([1 + 2j, 3 - 4j])).imag
    assert conjugated.is_neg()
    torch.save(
        {"a": conjugated, "p": torch.nn.Parameter(conjugated)}, tmp_path / "n.pt", _use_new_zipfile_serialization=zipped
    )
    assert {name: tensor.tolist() for name, tensor in lenet.load(tmp_path / "n.pt").items()} == {
        "a": [-2, 4],
        "p": [-2, 4],
    }


def test_results_of_numpy_beside_the_weights_are_read(tmp_path: Path, torch: Any) -> None:
    value = {"best": np.float64(0.5), "count": np.int64(3), "curve": np.arange(6.0, dtype=">f4").reshape(2, 3).T}
    for protocol in range(2, 6):
        torch.save(value, tmp_path / "n.pt", pickle_protocol=protocol)
        found = raw(tmp_path / "n.pt")
        assert (found["best"], found["count"], found["curve"].array.tolist()) == (0.5, 3, value["curve"].tolist())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_scripts_keep_beside_the_weights_is_read(protocol: int, tmp_path: Path, torch: Any) -> None:
    """Arguments, paths, histories, states of random numbers: plain data for which no code is needed."""
    arguments = argparse.Namespace(
        lr=0.1, out=PurePosixPath("a/b"), inner=argparse.Namespace(device=torch.device("cpu"))
    )
    value = {
        "args": arguments,
        "more": types.SimpleNamespace(a=[1]),
        "paths": [PurePosixPath("/a/b.pt"), PureWindowsPath("C:\\a"), Path("x") / "y"],
        "history": defaultdict(list, {"loss": [1.0, 0.5]}),
        "sets": defaultdict(set),
        "classes": Counter("aab"),
        "types": [int, float, list],
        "random": np.random.get_state(),
        "window": deque([1, 2], maxlen=2),
        "raw": bytearray(b"a\xff"),
        "root": 1 - 2j,
        "layout": torch.strided,
        "model": {"w": torch.ones(2)},
    }
    torch.save(value, tmp_path / "c.pt", pickle_protocol=protocol)
    found = raw(tmp_path / "c.pt")
    assert found["args"] == {"lr": 0.1, "out": "a/b", "inner": {"device": "cpu"}}
    assert found["more"] == {"a": [1]}
    assert found["paths"] == ["/a/b.pt", "C:\\a", "x/y"]
    assert (found["history"], found["sets"], found["classes"]) == ({"loss": [1.0, 0.5]}, {}, {"a": 2, "b": 1})
    assert found["types"] == ["int", "float", "list"]
    assert found["random"][1].array.shape == (624,)
    assert (found["window"], found["raw"], found["root"]) == ([1, 2], b"a\xff", 1 - 2j)
    assert found["layout"] == "torch.strided"
    assert found["model"]["w"].array.tolist() == [1, 1]


def assert_like(theirs: Any, ours: Any) -> None:
    """Fails where what was read differs from torch's reading, half floats widened."""
    kind = type(theirs).__module__.partition(".")[0]
    if kind == "torch" and hasattr(theirs, "untyped_storage"):
        assert isinstance(ours, SavedTensor)
        assert ours.requires_grad == theirs.requires_grad
        wanted = theirs.detach()
        wanted = (wanted.float() if str(wanted.dtype) in ("torch.float16", "torch.bfloat16") else wanted).numpy()
        np.testing.assert_array_equal(ours.array, wanted, strict=True)
    elif isinstance(theirs, dict):
        assert list(theirs) == list(ours)
        for key in theirs:
            assert_like(theirs[key], ours[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(theirs) == len(ours)
        for a, b in zip(theirs, ours):
            assert_like(a, b)
    else:
        assert ours == (str(theirs) if kind == "torch" else theirs)


# Other writers


@pytest.mark.parametrize("packed", [False, True])
def test_zips_of_other_releases_are_read(packed: bool, tmp_path: Path) -> None:
    """1.6 calls its folder archive and has neither byte order nor serialization id; others compress."""
    path = tmp_path / "old.pt"
    older = {"byteorder": None, ".format_version": None, ".storage_alignment": None, ".data/serialization_id": None}
    path.write_bytes(rewritten("checkpoint.pt", older, packed=packed) + b"trailing bytes")
    assert_same(raw(path), raw(make_torch_files.PLACE / "checkpoint.pt"))


def test_a_file_without_checksums_is_read(tmp_path: Path) -> None:
    """`torch.serialization.set_crc32_options(False)` writes 0 for each. One that is wrong is still found."""
    path = tmp_path / "w.pt"
    content = bytearray(rewritten("views.pt", {}))
    places = [at + 16 for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"]
    for place in places:
        content[place : place + 4] = bytes(4)
    path.write_bytes(content)
    assert_same(raw(path), raw(make_torch_files.PLACE / "views.pt"))
    content[places[-1]] = 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="another checksum"):
        lenet.load(path)


@pytest.mark.torch
def test_torch_without_checksums_is_read(tmp_path: Path, torch: Any) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(3.0)}, tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert lenet.load(tmp_path / "w.pt")["w"].tolist() == [0, 1, 2]


def test_files_of_machines_with_the_other_byte_order_are_read(tmp_path: Path) -> None:
    swapped = {"byteorder": b"big", "data/0": BASE.astype(">f4").tobytes(), "data/1": np.ones(1, ">f4").tobytes()}
    swapped["data/2"] = np.ones(120, ">f4").tobytes()
    (tmp_path / "w.pt").write_bytes(rewritten("views.pt", swapped))  # type: ignore[arg-type]  # bytes are bytes or None
    assert lenet.load(tmp_path / "w.pt")["turned"].tolist() == BASE.T.tolist()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_changed_byte_of_any_storage_is_found(at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large enough for several threads; small storages lie in one piece of memory, large ones in their own."""
    monkeypatch.setattr(zip_contents, "_AT_ONCE", at_once and zip_contents._AT_ONCE)
    sizes = (3, 0, 70_000, 1, 1_300_000, 2_000_000, 400_000, 1_500_001)
    value = {f"w{number}": np.full(size, number, np.float32) for number, size in enumerate(sizes)}
    path = tmp_path / "w.pt"
    lenet.save(value, path)
    found = lenet.load(path)
    for name, array in value.items():
        np.testing.assert_array_equal(found[name].array, array, strict=True)
    content = bytearray(path.read_bytes())
    for number, size in enumerate(sizes):
        if size and number:
            at = content.index(value[f"w{number}"].tobytes()[-4096:]) + 1
            content[at] ^= 16
            path.write_bytes(content)
            with pytest.raises(DataError, match=f"archive/data/{number} has another checksum"):
                lenet.load(path)
            content[at] ^= 16


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, SavedTensor):
        np.testing.assert_array_equal(a.array, b.array, strict=True)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    else:
        assert a == b


# Writing


KINDS = "float64", "int64", "int32", "int16", "int8", "uint8", "bool"


def everything() -> dict[str, Any]:
    weight = lenet.randn(3, 2)
    return {
        "weight": weight, "tied": weight, "turned": weight.t(), "scalar": lenet.tensor(2.5), "empty": lenet.zeros(0, 3),
        "kinds": [lenet.ones(2).to(getattr(lenet, k)) for k in KINDS],
        "numbers": (1, -(2**40), 2.5, True, None, float("inf"), 2**70), "text": "ü\n", 3: {"nested": {}},
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    path, value = tmp_path / f"w.{suffix}", everything()
    lenet.save(value, path)
    found = lenet.load(path)
    assert list(found) == list(value)
    assert found["tied"].array is found["weight"].array or np.shares_memory(found["tied"].array, found["weight"].array)
    for name in ("weight", "turned", "scalar", "empty"):
        assert (found[name].tolist(), found[name].shape) == (value[name].tolist(), value[name].shape)
    assert [t.dtype for t in found["kinds"]] == [t.dtype for t in value["kinds"]]
    assert (found["numbers"], found["text"], found[3]) == (value["numbers"], value["text"], value[3])


def test_equal_content_has_equal_bytes(tmp_path: Path) -> None:
    value = everything()
    lenet.save(value, tmp_path / "a.pt")
    lenet.save(lenet.load(tmp_path / "a.pt"), tmp_path / "another name.pth")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "another name.pth").read_bytes()


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_reads_what_is_written(mmap: bool, tmp_path: Path, torch: Any) -> None:
    path, value = tmp_path / "w.pt", everything()
    lenet.save(value, path)
    found = torch.load(path, weights_only=True, mmap=mmap)
    assert list(found) == list(value)
    assert found["turned"].tolist() == value["turned"].tolist()
    assert found["weight"].untyped_storage().data_ptr() == found["tied"].untyped_storage().data_ptr()
    assert [str(t.dtype) for t in found["kinds"]] == [str(t.dtype) for t in value["kinds"]]
    assert (found["numbers"], found["text"]) == (value["numbers"], value["text"])
    net, mine = torch.nn.Linear(3, 2), lenet.nn.Linear(3, 2)
    lenet.save(mine.state_dict(), path)
    net.load_state_dict(torch.load(path, weights_only=True, mmap=mmap))
    assert net.weight.tolist() == mine.weight.tolist()


def test_what_cannot_be_written_is_named_and_nothing_is(tmp_path: Path) -> None:
    for value, place in (({"a": [object()]}, r"a\.0: cannot save object"), ({"a": np.array([1j])}, "complex")):
        with pytest.raises(TypeError, match=place):
            lenet.save(value, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="no place for metadata"):
        lenet.save({}, tmp_path / "w.pt", {"a": "b"})
    assert list(tmp_path.iterdir()) == []
