"""Files of others, told by their content: the kind, the words, and that no name's ending misleads."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet_library
from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.weights import npz_bytes, read_weights, safetensors_bytes
from lenetcli.formats import torch_zip
from lenetcli.formats.recognise import Kind, recognise
from tests.cli.conftest import Lenet
from tests.formats import make_torch_files

MODEL = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return content.getvalue()


def onnx_bytes() -> bytes:
    pytest.importorskip("onnx")
    from lenetcli.export.onnx_file import onnx_model

    return onnx_model(nn.Sequential(nn.Linear(3, 2)), (3,))


def of_torch() -> bytes:
    return torch_zip.write({key: tensor.array for key, tensor in MODEL.state_dict().items()})


def of_r(name: str = "", change: Any = None) -> bytes:
    """As R's torch 0.17 writes a module: the object in a tensor of bytes, notes that are JSON in a text."""
    weights = {key: tensor.numpy() for key, tensor in MODEL.state_dict().items()}
    weights["__robj__"] = np.frombuffer(b"X\n\0\0\0\3 serialized", np.uint8)
    at, header, data = 0, {"__metadata__": {"..r": json.dumps({"type": "module", "version": 3})}}, b""
    for key, array in weights.items():
        kind = {"float32": "F32", "int64": "I64", "uint8": "U8"}[str(array.dtype)]
        header[key] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at, data = at + array.nbytes, data + array.tobytes()
    if change is not None:
        change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


FILES: dict[Kind, Any] = {
    Kind.safetensors: lambda: safetensors_bytes(MODEL),
    Kind.npz: lambda: npz_bytes(MODEL),
    Kind.npy: lambda: (lambda f: (np.save(f, np.ones(3)), f.getvalue())[1])(io.BytesIO()),
    Kind.onnx: onnx_bytes,
    Kind.torch: of_torch,
    Kind.torchscript: lambda: archive("net/data.pkl", "net/constants.pkl", "net/code/net.py"),
    Kind.program: lambda: archive("net/archive_format", "net/models/model.json", "net/data/weights/0"),
    Kind.pickle: lambda: pickle.dumps({"w": np.ones(3)}),
    Kind.keras: lambda: archive("metadata.json", "config.json", "model.weights.h5"),
    Kind.hdf5: lambda: b"\x89HDF\r\n\x1a\n" + bytes(100),
    Kind.tflite: lambda: b"\x1c\0\0\0TFL3" + bytes(100),
    Kind.gguf: lambda: b"GGUF\3\0\0\0" + bytes(100),
    Kind.rds: lambda: gzip.compress(b"X\n\0\0\0\3"),
    Kind.zip: lambda: archive("a.txt", "b.npy"),
    Kind.tar: lambda: b"storages".ljust(257, b"\0") + b"ustar\x0000" + bytes(248),
    Kind.picture: lambda: b"\x89PNG\r\n\x1a\n" + bytes(100),
    Kind.page: lambda: b"\n<!DOCTYPE html><html><body>404</body></html>",
    Kind.pointer: lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    Kind.text: lambda: b"model: {input: [1, 2]}\n",
    Kind.empty: lambda: b"",
    Kind.unknown: lambda: b"\xfe\0\1\2" * 30,
}
ENDINGS = (".safetensors", ".npz", ".onnx", ".pt", ".keras", "")
OTHERS = (".pth", ".h5", ".bin")  # that no reader tells from one of these


def test_each_kind_has_an_example() -> None:
    assert set(FILES) == set(Kind)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_a_file_is_known_by_its_content(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILES[kind]())
    assert recognise(path) is kind


def test_older_files_of_torch_are_known() -> None:
    assert recognise(make_torch_files.PLACE / "state_dict.pth") is Kind.torch


@pytest.mark.parametrize("ending", [*ENDINGS, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_reader_says_what_a_file_is(
    kind: Kind,
    ending: str,
    lenet: Lenet,
    place: Path,
) -> None:
    """import, inspect-params, diff and load, of each kind under each name: read, or one line that names the kind."""
    name = f"file{ending}"
    (place / name).write_bytes(FILES[kind]())
    readable = kind in (Kind.safetensors, Kind.npz, Kind.torch, Kind.onnx)
    shown = lenet("inspect-params", name, "--json")
    if readable:
        assert (shown.code, shown.err) == (0, "")
        names = {row["name"] for row in json.loads(shown.out)["parameters"]}
        assert names == {"0.weight", "0.bias"} if kind is Kind.onnx else set(MODEL.state_dict())
    else:
        assert shown.code in (2, 3)
        assert shown.out == ""
    imported = lenet("import", name, "--config", "configs/mlp.yaml", "--out", "new")
    assert imported.code in ((2, 3) if kind in (Kind.keras, Kind.hdf5) else (3,))  # 2 without h5py
    assert "not of this model" in imported.err if readable else imported.err.count("\n") == 1, imported.err
    assert not (place / "new").exists()
    compared = lenet("diff", name, name)
    assert compared.code in ((0,) if readable else (2, 3))
    known = Kind.keras if (kind, ending) == (Kind.zip, ".keras") else kind  # a ZIP archive by that name was to be one
    for done in (shown, imported, compared):
        if not readable and kind not in (Kind.unknown, Kind.empty, Kind.text):  # taken for a configuration by some
            assert known.what in done.err, done.err
    if kind in (Kind.safetensors, Kind.npz, Kind.onnx, Kind.npy, Kind.picture):
        assert "pickle" not in shown.err + imported.err + compared.err
    if kind in (Kind.safetensors, Kind.torch):
        assert set(lenet_library.load(place / name)) == set(MODEL.state_dict())
    else:
        with pytest.raises(DataError):
            lenet_library.load(place / name)


def test_own_arrays_come_back(lenet: Lenet, place: Path) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "train.limit_batches=2", "--out", "run")
    assert done.code == 0
    assert lenet("export", "run", "-o", "w.npz").code == 0
    done = lenet("import", "w.npz", "--config", "configs/mlp.yaml", "--out", "again")
    assert (done.code, done.err) == (0, "")
    first, again = (lenet_library.load(place / run / "model.safetensors") for run in ("run", "again"))
    assert {k: v.tolist() for k, v in first.items()} == {k: v.tolist() for k, v in again.items()}
    assert lenet("eval", "again").code == 0
    for option in ("--tree", "--histogram", "--values"):
        assert lenet("inspect-params", "w.npz", option).code == 0
    done = lenet("inspect-params", "w.npz", "--diff", "run", "--json")
    assert done.code == 0


@pytest.mark.parametrize("ending", [".safetensors", ".pt", ""])
def test_what_r_has_saved_is_read_without_its_object(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{ending}"
    path.write_bytes(of_r())
    found = read_weights(path)
    assert list(found) == list(MODEL.state_dict())
    assert all(np.array_equal(found[key].numpy(), tensor.numpy()) for key, tensor in MODEL.state_dict().items())


def test_what_r_saved_before_is_read_too(tmp_path: Path) -> None:
    """Notes that are no text, and the object behind the tensors."""

    def change(header: dict[str, Any]) -> None:
        header["__metadata__"] = {"..r": {"type": "module", "requires_grad": {"0.weight": True}}}
        del header["__robj__"]

    path = tmp_path / "net.pt"
    path.write_bytes(of_r(change=change))
    assert list(lenet_library.load(path)) == list(MODEL.state_dict())


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["0.weight"].update(data_offsets=[0, 1 << 40]),
        lambda h: h["0.weight"].update(data_offsets=[-4, 20]),
        lambda h: h["0.weight"].update(data_offsets="x"),
        lambda h: h["0.weight"].update(shape=[1 << 40]),
        lambda h: h["0.weight"].update(shape=[2, -3]),
        lambda h: h["0.weight"].update(dtype=7),
        lambda h: h.update({"0.weight": 3}),
        lambda h: h["0.weight"].pop("data_offsets"),
        lambda h: h.update({f"more{i}": h["0.weight"] for i in range(1000)}),
        lambda h: h.update(__metadata__="text"),
    ],
)
def test_a_damaged_file_of_r_is_one_line(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(of_r(change=change))
    with pytest.raises(DataError) as caught:
        lenet_library.load(path)
    assert "\n" not in str(caught.value)


def test_a_bomb_of_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez_compressed(path, w=np.zeros(1 << 27, np.uint8))
    with pytest.raises(DataError, match="would unpack to"):
        read_weights(path)


def test_a_bomb_of_arrays_whose_directory_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez_compressed(path, w=np.zeros(1 << 27, np.uint8))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 20  # the packed size, in the archive's directory
    content[at : at + 4] = (1 << 27).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a sound ZIP file: .* would take 134,217,728 bytes"):
        read_weights(path)


def test_arrays_that_are_objects_or_cut_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, w=np.array([{}], object))
    with pytest.raises(DataError, match="wanted numbers, got objects"):
        read_weights(path)
    np.savez(path, w=np.ones(1000))
    path.write_bytes(path.read_bytes().replace(b"(1000,)", b"(9000,)"))
    with pytest.raises(DataError, match=r"w\.npz"):
        read_weights(path)


@pytest.mark.parametrize("checkpoint", [False, True], ids=["state dict", "checkpoint"])
def test_a_file_of_torch_becomes_a_run(checkpoint: bool, lenet: Lenet, place: Path) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "train.limit_batches=2", "--out", "run")
    assert done.code == 0
    weights = lenet_library.load(place / "run" / "model.safetensors")
    given = {"epoch": 3, "optimizer": {"state": {}, "param_groups": []}, "model": weights} if checkpoint else weights
    lenet_library.save(given, place / "w.pth")
    done = lenet("import", "w.pth", "--config", "configs/mlp.yaml", "--out", "again")
    assert (done.code, done.err) == (0, "")
    again = lenet_library.load(place / "again" / "model.safetensors")
    assert {k: v.tolist() for k, v in again.items()} == {k: v.tolist() for k, v in weights.items()}
    assert lenet("inspect-params", "w.pth", "--diff", "run", "--json").code == 0
    assert lenet("inspect-params", "w.pth", "--tree").code == 0


def test_of_several_state_dicts_none_is_taken_in_silence(lenet: Lenet, place: Path) -> None:
    weights = {"w": lenet_library.ones(2)}
    lenet_library.save({"G": weights, "D": weights, "epoch": 1}, place / "gan.pt")
    for words in (["import", "gan.pt", "--config", "configs/mlp.yaml"], ["inspect-params", "gan.pt"]):
        done = lenet(*words)
        assert done.code == 3
        assert "'G', 'D'" in done.err
    lenet_library.save(lenet_library.load(place / "gan.pt")["G"], place / "g.pt")  # as the message says
    assert lenet("inspect-params", "g.pt").code == 0


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, {}])
def test_a_file_of_torch_without_weights_is_one_line(value: object, lenet: Lenet, place: Path) -> None:
    lenet_library.save(value, place / "w.pt")
    for words in (["import", "w.pt", "--config", "configs/mlp.yaml"], ["inspect-params", "w.pt"]):
        done = lenet(*words)
        assert done.err.count("\n") <= 13
        assert (done.code == 3) == (value != {} or words[0] == "import"), done.err
