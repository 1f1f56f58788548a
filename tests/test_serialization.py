"""Weights files: whole round trips, torch's files both ways, and every kind of bad file."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.disk import write_atomically
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.tensors.serialization import load_metadata
from tests.ops.sample import normal

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


def assert_same(found: Any, expected: Any) -> None:
    """Equal structure, types and bits."""
    if isinstance(expected, (lenet.Tensor, np.ndarray)):
        array = expected.detach().numpy() if isinstance(expected, lenet.Tensor) else expected
        assert isinstance(found, lenet.Tensor)
        assert found.numpy().dtype == array.dtype
        np.testing.assert_array_equal(found.numpy(), array)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for f, e in zip(found, expected):
            assert_same(f, e)
    else:
        assert type(found) is type(expected)
        assert found == expected or (found != found and expected != expected)


# Round trips


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_and_shape_comes_back(kind: str, shape: tuple[int, ...], path: Path) -> None:
    values = lenet.from_numpy(np.asarray(normal(*shape) * 3)).to(getattr(lenet, kind))
    lenet.save({"values": values}, path)
    assert_same(lenet.load(path), {"values": values})


def test_special_numbers_and_memory_orders_come_back(path: Path) -> None:
    special = np.float32([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38])
    image, strided = np.moveaxis(normal(3, 4, 5, 2), -1, 0), normal(6)[::2]
    state = {"image": lenet.from_numpy(image), "special": lenet.tensor(special), "strided": lenet.from_numpy(strided)}
    lenet.save(state, path)
    assert_same(lenet.load(path), state)
    assert lenet.load(path)["special"].numpy().tobytes() == special.tobytes()


def test_loaded_tensors_may_be_changed(path: Path) -> None:
    lenet.save({"a": lenet.zeros(2)}, path)
    loaded = lenet.load(path)["a"]
    loaded += 1
    assert loaded.tolist() == [1, 1]


def small_net() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), flat=nn.Flatten(), fc=nn.Linear(8, 3))
    )


def test_a_model_comes_back_with_its_buffers(path: Path) -> None:
    net = small_net()
    net(lenet.tensor(normal(4, 1, 4, 4)))
    lenet.save(net.state_dict(), path)
    loaded, state = lenet.load(path), net.state_dict()
    assert_same({key: loaded[key] for key in state}, dict(state))
    other = small_net()
    other.load_state_dict(loaded)
    x = lenet.tensor(normal(2, 1, 4, 4))
    assert bool((net.eval()(x) == other.eval()(x)).all())


def test_an_optimizer_comes_back(path: Path) -> None:
    net = nn.Linear(3, 2)
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    net(lenet.ones(1, 3)).sum().backward()
    optimizer.step()
    lenet.save(optimizer.state_dict(), path)
    assert_same(lenet.load(path), optimizer.state_dict())


def test_a_nested_structure_comes_back(path: Path) -> None:
    state = {
        "a.b": lenet.ones(1),
        "a": {"b": lenet.zeros(1), 3: [lenet.ones(2), (1, 2.5, "text", None, True)]},
        "empty": {"dict": {}, "list": [], "tuple": ()},
        "odd numbers": [float("nan"), float("inf"), 2**60, -1e-300],
        7: "an integer as key",
    }
    lenet.save(state, path)
    assert_same(lenet.load(path), state)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5)
arrays = st.lists(st.integers(0, 255), max_size=4).map(lambda v: lenet.tensor(np.array(v, np.uint8)))
trees = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(-9, 9), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(state=st.dictionaries(st.text(max_size=6), trees, max_size=4))
def test_any_structure_comes_back(state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    lenet.save(state, path)
    assert_same(lenet.load(path), state)


def test_metadata_is_kept_beside_the_tensors(path: Path) -> None:
    lenet.save({"a": {"b": lenet.ones(1)}}, path, {"epoch": "3", "": "empty"})
    assert load_metadata(path) == {"epoch": "3", "": "empty"}
    lenet.save({"a": lenet.ones(1)}, path)
    assert load_metadata(path) == {}


# torch's files


def test_files_go_both_ways_between_torch_and_here(torch: Any, path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def net(n: Any) -> Any:
        return n.Sequential(n.Linear(3, 4), n.BatchNorm1d(4), n.Linear(4, 2))

    ours, theirs = net(nn), net(torch.nn)
    save_file(theirs.state_dict(), path)
    ours.load_state_dict(lenet.load(path))
    x = normal(5, 3)
    y, expected = ours.eval()(lenet.tensor(x)), theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    ours[0].weight.data *= 2
    lenet.save(ours.state_dict(), path)
    theirs.load_state_dict(load_file(path))
    np.testing.assert_array_equal(ours[0].weight.detach().numpy(), theirs[0].weight.detach().numpy())


# Writing


def test_a_file_that_cannot_be_written_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lenet.save({"a": lenet.ones(1)}, path)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LenetError, match="No space left"):
        lenet.save({"a": lenet.zeros(1)}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_missing_directory_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LenetError, match="cannot write"):
        lenet.save({"a": lenet.ones(1)}, tmp_path / "nowhere" / "a.safetensors")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("obj", "error", "text"),
    [
        (lenet.ones(1), TypeError, "state_dict"),
        ({"a": object()}, TypeError, "a: cannot save object"),
        ({"a": {"b": [1, lambda: 1]}}, TypeError, r"a\.b\.1: cannot save function"),
        ({"a": {1.5: 2}}, TypeError, "keys must be text or integers"),
        ({"a": {True: 2}}, TypeError, "keys must be text or integers"),
        ({"a": np.array([1j])}, TypeError, "complex"),
        ({"a": np.array(["x"])}, TypeError, "a"),
    ],
)
def test_what_cannot_be_saved_is_named(obj: Any, error: type[Exception], text: str, path: Path) -> None:
    with pytest.raises(error, match=text):
        lenet.save(obj, path)
    assert not path.exists()


def test_other_suffixes_and_metadata_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights\.safetensors"):
        lenet.save({}, tmp_path / "weights.bin")
    for metadata in ({"epoch": 3}, {"lenet.structure": "mine"}):
        with pytest.raises(TypeError, match="metadata must be text"):
            lenet.save({}, tmp_path / "a.safetensors", metadata)  # type: ignore[arg-type]  # the point


def test_a_tensor_may_have_the_name_of_the_metadata(path: Path) -> None:
    state = {"__metadata__": lenet.ones(2), "a": lenet.zeros(1)}
    lenet.save(state, path)
    assert_same(lenet.load(path), state)


# Bad files


def file(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(kind: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(offsets)}


def structure(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return file({"__metadata__": {"lenet.structure": text}, "a": entry()}, bytes(8))


BAD: dict[str, bytes] = {
    "empty": b"",
    "three bytes": b"abc",
    "a header of no length": bytes(8),
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a pickle in a zip": b"PK\x03\x04" + bytes(200),
    "a header longer than the file": file({"a": entry()}, bytes(8), length=10_000),
    "a header of 2^63 bytes": file({"a": entry()}, bytes(8), length=2**63),
    "a header of 2^64 - 1 bytes": file({"a": entry()}, bytes(8), length=2**64 - 1),
    "a header that is no text": file(b"\xff\xfe\xfd" * 20),
    "a header that is no JSON": file(b"{" * 50),
    "a header that is a list": file([1, 2]),
    "a header that is a number": file(b"3         "),
    "a header nested too deep": file(b"[" * 100_000),
    "a name twice": file(b'{"a":%s,"a":%s}' % (2 * (json.dumps(entry()).encode(),)), bytes(8)),
    "an entry that is no object": file({"a": 3}, bytes(8)),
    "an entry without type": file({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "an unknown type": file({"a": entry("F99")}, bytes(8)),
    "a type that has no counterpart": file({"a": entry("BF16", (4,))}, bytes(8)),
    "a shape that does not fit the bytes": file({"a": entry("F32", (3,))}, bytes(8)),
    "a negative size": file({"a": entry("F32", (-2,))}, bytes(8)),
    "an absurd size": file({"a": entry("F32", (2**62, 8))}, bytes(8)),
    "a fractional size": file({"a": entry("F32", (2.5,))}, bytes(8)),
    "offsets in the wrong order": file({"a": entry(offsets=(8, 0))}, bytes(8)),
    "offsets beyond the end": file({"a": entry(offsets=(0, 8))}, bytes(4)),
    "offsets that overlap": file({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "a hole": file({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
    "trailing bytes": file({"a": entry()}, bytes(9)),
    "booleans that are neither": file({"a": entry("BOOL", (8,))}, b"\x00\x01\x02" + bytes(5)),
    "metadata that is no text": file({"__metadata__": {"epoch": 3}, "a": entry()}, bytes(8)),
    "metadata that is a list": file({"__metadata__": [], "a": entry()}, bytes(8)),
    "structure that is no JSON": structure("{"),
    "structure that is a list": structure([1]),
    "structure that is a number": structure(3),
    "structure of an unknown kind": structure({"set": []}),
    "structure with two kinds": structure({"dict": [], "list": []}),
    "structure with a missing tensor": structure({"dict": [["x", {"tensor": "b"}]]}),
    "structure with a tensor without name": structure({"dict": [["x", {"tensor": ["b"]}]]}),
    "structure with a triple": structure({"dict": [["x", 1, 2]]}),
    "structure with a key that is a list": structure({"dict": [[[1], 2]]}),
    "structure with a bare list": structure({"dict": [["x", [1]]]}),
    "structure nested too deep": structure('{"list":[' * 20_000 + "]}" * 20_000),
    "structure that is one tensor": structure({"tensor": "a"}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_line(name: str, path: Path) -> None:
    path.write_bytes(BAD[name])
    with pytest.raises(DataError) as error:
        lenet.load(path)
    assert error.value.exit_code == 3
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 600
    assert path.read_bytes() == BAD[name]


@pytest.mark.parametrize("name", [n for n in BAD if "structure" not in n and n != "booleans that are neither"])
def test_metadata_of_a_bad_file_is_not_read_either(name: str, path: Path) -> None:
    path.write_bytes(BAD[name])
    with pytest.raises(DataError):
        load_metadata(path)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    lenet.save({"a": lenet.ones(3), "b": {"c": lenet.zeros(2)}}, path)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError):
            lenet.load(path)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_flipped_byte_gives_tensors_or_a_data_error(
    at: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    lenet.save({"a": lenet.ones(3), "b": {"c": lenet.zeros(2), "d": [1, "x"]}}, path)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = byte
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        assert isinstance(lenet.load(path), dict)


@pytest.mark.parametrize("call", [lenet.load, load_metadata], ids=["load", "load_metadata"])
def test_missing_files_directories_and_pickles_are_refused(call: Callable[[Any], Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        call(tmp_path / "none.safetensors")
    (tmp_path / "directory.safetensors").mkdir()
    with pytest.raises(DataError, match="directory"):
        call(tmp_path / "directory.safetensors")
    (tmp_path / "weights.bin").write_bytes(b"GGUF")
    with pytest.raises(DataError, match="is a GGUF file, weights of a language model"):
        call(tmp_path / "weights.bin")
