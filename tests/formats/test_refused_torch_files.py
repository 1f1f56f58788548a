"""torch's files that are refused, each with its words; damaged ones are that or read."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.errors import DataError
from tests.formats import make_torch_files
from tests.formats.rewritten import rewritten
from tests.mutation import largest_memory, mutations, survives

FILES = sorted(make_torch_files.PLACE.iterdir())


def pickled(body: bytes, protocol: int = 2) -> bytes:
    """A zip of torch with a data.pkl of these opcodes."""
    return rewritten("alone.pt", {"data.pkl": b"\x80" + bytes([protocol]) + body})


def calling(name: str, arguments: bytes = b"(t") -> bytes:
    module, _, attribute = name.rpartition(".")
    return pickled(f"c{module}\n{attribute}\n".encode() + arguments + b"R.")


def legacy(*parts: Any, tail: bytes = b"") -> bytes:
    return b"".join(part if isinstance(part, bytes) else pickle.dumps(part, 2) for part in parts) + tail


def twice(source: str, member: str) -> bytes:
    """A zip of torch with a member, empty, under a name that is there already."""
    made = io.BytesIO(rewritten(source, {}))
    with zipfile.ZipFile(made, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(f"archive/{member}", b"")
    return made.getvalue()


STORAGE = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK%ctQ"
HEAD = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})


def tensor_of(count: int, offset: int = 0, size: tuple[int, ...] = (2, 2), stride: tuple[int, ...] = (2, 1)) -> bytes:
    """A file of one tensor over the storage of alone.pt, of 4 floats, said to be `count`."""
    storage = b"(" + pickle.dumps("storage", 2)[2:-3] + b"ctorch\nFloatStorage\n" + pickle.dumps("0", 2)[2:-3]
    storage += pickle.dumps("cpu", 2)[2:-3] + pickle.dumps(count, 2)[2:-1] + b"tQ"
    numbers = b"".join(pickle.dumps(n, 2)[2:-1].replace(b"q\x00", b"") for n in (offset, size, stride))
    return pickled(
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers + b"\x89ccollections\nOrderedDict\n)RtR."
    )


REFUSED = {
    "no beginning": (b"\xfe\0\1 this is no pickle", "it begins neither as a zip nor as a pickle"),
    "bare pickle": (pickle.dumps({"a": 1}), "it is a pickle, but none of torch.save"),
    "zip of others": (rewritten("alone.pt", {"data.pkl": None}), "a ZIP archive of other things"),
    "no version": (rewritten("alone.pt", {"version": None}), "without torch's version record"),
    "no storage": (rewritten("alone.pt", {"data/0": None}), "its storage '0' is missing"),
    "short storage": (rewritten("alone.pt", {"data/0": b"1234"}), "has 4 bytes, its pickle says 16"),
    "byte order": (rewritten("alone.pt", {"byteorder": b"middle"}), "byte order 'middle'; wanted little or big"),
    "one name twice": (twice("alone.pt", "data/0"), "two members of one name"),
    "two zips": (rewritten("alone.pt", {}) * 2, "it begins later than the file does"),
    "tar": (bytes(257) + b"ustar" + bytes(250), "the tar format of torch before 0.2"),
    "tensors of pickle": (pickle.dumps(np.ones(2), 2), "it is a pickle, but none of torch.save"),
    "type of four bits": (calling("torch.float4_e2m1fn_x2"), "a tensor of type float4_e2m1fn_x2"),
    "truncated": (rewritten("alone.pt", {})[:-100], "no directory, as a truncated one"),
    "function": (calling("posix.system", b"X\x02\x00\x00\x00ls\x85"), "object of the class posix.system"),
    "builtin": (calling("builtins.eval", b"X\x01\x00\x00\x001\x85"), "class builtins.eval"),
    "module": (calling("__main__.Net"), r"class __main__.Net.*torch.save\(model.state_dict\(\)"),
    "layer": (calling("torch.nn.modules.linear.Linear"), "class torch.nn.modules.linear.Linear"),
    "script": (calling("torch.jit._serialization.ScriptModule"), "TorchScript module"),
    "sparse": (calling("torch._utils._rebuild_sparse_tensor"), "sparse or quantized tensor"),
    "meta": (calling("torch._utils._rebuild_meta_tensor_no_storage"), "of a kind that has no counterpart here"),
    "instance": (pickled(b"(i__main__\nNet\n."), "opcode INST"),
    "extension": (pickled(b"\x82\x01."), "opcode EXT1"),
    "no end": (pickled(b"N"), "its pickle is damaged: .*"),
    "endless list": (pickled(b"]q\x00h\x00a."), "its pickle holds itself"),
    "deep": (pickled(b"]" * 300 + b"a" * 299 + b"."), "more than 200 deep"),
    "many": (
        pickled(b"]q\x000" + b"".join(b"](" + b"h%c" % i * 9 + b"eq%c0" % (i + 1) for i in range(12)) + b"h\x0c."),
        "more than 10,000,000 values",
    ),
    "long integer": (pickled(b"\x8b\x00\x01\x00\x00" + b"\x01" * 256 + b"."), "an integer of"),
    "memory": (pickled(b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."), "its pickle is damaged: bytes of a int"),
    "key": (pickled(b"}](es."), "pickle is damaged"),
    "outside": (tensor_of(4, offset=1), "ends at element 4 of a storage of 4"),
    "negative": (tensor_of(4, size=(2, -1)), "a tensor of size"),
    "huge": (tensor_of(4, size=(2**40, 2**40), stride=(0, 0)), "over a storage of 4 elements"),
    "more than stored": (tensor_of(2**50), "its pickle says"),
    "old protocol": (legacy(HEAD[0], 1000, {}), "protocol version 1000"),
    "old module": (legacy(*HEAD, b"\x80\x02(X\x06\x00\x00\x00moduleNX\x01\x00\x00\x00MtQ."), "class M"),
    "old without storages": (legacy(*HEAD, {"a": 1}), "its pickle is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as refusal:
        lenet.load(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_file_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(rewritten("alone.pt", {}))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/file", b"")
    with pytest.raises(DataError, match="files outside of its folder"):
        lenet.load(path)


def test_a_flipped_bit_of_a_weight_is_noticed(tmp_path: Path) -> None:
    content = bytearray(rewritten("alone.pt", {}))
    at = content.index(struct.pack("<4f", 1, 1, 1, 1))
    content[at + 2] ^= 1
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(DataError, match="another checksum"):
        lenet.load(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.pth", "views.pt", "views.pth", "tensors.pth"])
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    content, path = (make_torch_files.PLACE / name).read_bytes(), tmp_path / name
    before = largest_memory()
    taken = sum(
        survives(path, damaged, lambda: lenet.load(path)) for damaged in mutations(content, 200, seed=len(name))
    )
    assert taken < 200
    assert largest_memory() - before < 1 << 28


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_packed_files_are_read_or_refused(count: int, tmp_path: Path) -> None:
    content = rewritten("checkpoint.pt", {}, packed=True)
    path = tmp_path / "w.pt"
    taken = sum(survives(path, damaged, lambda: lenet.load(path)) for damaged in mutations(content, count, seed=3))
    assert taken < count


def test_files_packed_otherwise_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(rewritten("alone.pt", {}))
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "new.pt", "w", zipfile.ZIP_BZIP2) as new:
        for name in archive.namelist():
            new.writestr(name, archive.read(name))
    with pytest.raises(DataError, match="is packed by method 12; only deflate's is read"):
        lenet.load(tmp_path / "new.pt")


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_many_damaged_files_are_read_or_refused(path: Path, tmp_path: Path) -> None:
    content, place = path.read_bytes(), tmp_path / path.name
    before = largest_memory()
    for damaged in mutations(content, 100_000 // len(FILES) + 1, seed=7):
        survives(place, damaged, lambda: lenet.load(place))
    assert largest_memory() - before < 1 << 29
