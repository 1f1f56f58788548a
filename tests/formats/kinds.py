"""What kinds of files of weights are read, written or refused, by writer: the table of docs/torch-files.md.

python -m tests.formats.kinds --write      (needs no torch: the files of other writers are kept beside)

Every row is tried when the table is made: a file of the kind is read, and what is said of one that is not stands there.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.weights import npz_bytes, read_weights
from tests.conftest import ROOT

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "torch-files.md"
BEGIN, END = "<!-- kinds -->\n", "<!-- end of kinds -->\n"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        what: it is.
        writer: who writes it.
        file: of that kind, here or made in a place.
        written: `lenet.save` or `lenet export` writes it, too.
    """

    what: str
    writer: str
    file: Path
    written: str = ""


def kinds(place: Path) -> Iterator[Kind]:
    """Every kind of file that is known by its content; those that can be made here are made in the place."""
    files, old, foreign = HERE / "files", HERE / "old", HERE / "foreign"
    yield Kind("state dict, stacked pickles", "torch 1.0.0", old / "state_dict-1.0.0.pth")
    yield Kind("checkpoint, stacked pickles", "torch 1.0.0", old / "checkpoint-1.0.0.pth")
    yield Kind("state dict, zip", "torch 1.6.0", old / "state_dict-1.6.0.pt")
    yield Kind("checkpoint, zip", "torch 1.6.0", old / "checkpoint-1.6.0.pt")
    yield Kind("state dict, stacked pickles", "torch 2.13.0", files / "state_dict.pth")
    yield Kind("state dict, zip", "torch 2.13.0", files / "state_dict.pt", "`lenet.save`, `.pt` and `.pth`")
    yield Kind("checkpoint, zip", "torch 2.13.0", files / "checkpoint.pt", "`lenet.save`, `.pt` and `.pth`")
    yield Kind("one tensor", "torch 2.13.0", files / "alone.pt", "`lenet.save`, `.pt` and `.pth`")
    yield Kind("list of tensors", "torch 2.13.0", files / "tensors.pt", "`lenet.save`, `.pt` and `.pth`")
    yield Kind("whole pickled module, zip", "torch 2.13.0", foreign / "module.pt")
    yield Kind("TorchScript", "torch 2.13.0", foreign / "script.pt")
    yield Kind("sparse tensor", "torch 2.13.0", foreign / "sparse.pt")
    yield Kind("complex numbers", "torch 2.13.0", foreign / "complex.pt")
    net = nn.Sequential(nn.Linear(2, 2))
    for name in ("w.pt", "w.safetensors"):
        lenet.save(net.state_dict(), place / name)
    yield Kind("state dict, zip", "lenet", place / "w.pt", "`lenet.save`")
    yield Kind("safetensors", "lenet", place / "w.safetensors", "`lenet.save`, `lenet export`")
    safetensors.numpy.save_file({"w": np.ones(2, np.float32)}, place / "s.safetensors")
    yield Kind("safetensors", "safetensors", place / "s.safetensors", "`lenet.save`, `lenet export`")
    (place / "w.npz").write_bytes(npz_bytes(net))
    yield Kind("arrays by name, `.npz`", "NumPy", place / "w.npz", "`lenet export`")
    yield from _others(place)


def _others(place: Path) -> Iterator[Kind]:
    """What no reader here is for, told apart by its first bytes."""
    np.save(place / "w.npy", np.ones(2))
    contents: dict[str, bytes] = {
        "net.tflite": struct.pack("<I", 28) + b"TFL3" + bytes(64),
        "net.gguf": b"GGUF" + bytes(64),
        "list.pkl": pickle.dumps([1.0]),
        "page.pth": b"<!DOCTYPE html><html></html>",
        "pointer.pth": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "old.pth.tar": b"storages".ljust(257, b"\0") + b"ustar\x0000" + bytes(248),
        "nothing.pth": b"",
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    yield Kind("one array, `.npy`", "NumPy", place / "w.npy")
    with zipfile.ZipFile(place / "net.pt2", "w") as archive:
        for name in ("archive_format", "models/model.json", "data/weights/weight_0", "data/sample_inputs/model.pt"):
            archive.writestr(f"net/{name}", "pt2")
    yield Kind("program, `.pt2`", "torch.export", place / "net.pt2")
    nets = ROOT / "tests" / "onnx_import" / "files"
    yield Kind("model, `.keras`", "Keras 3", nets / "lenet.keras")
    yield Kind("weights, HDF5", "Keras 3", nets / "mlp.weights.h5")
    yield Kind("net, `.onnx`", "tf2onnx", nets / "lenet.tf2onnx18.onnx")
    yield Kind("model, `.tflite`", "TensorFlow Lite", place / "net.tflite")
    yield Kind("weights, GGUF", "llama.cpp", place / "net.gguf")
    yield Kind("tensors, tar", "torch before 0.2", place / "old.pth.tar")
    yield Kind("pickle", "Python", place / "list.pkl")
    yield Kind("page of HTML", "a failed download", place / "page.pth")
    yield Kind("pointer", "Git LFS", place / "pointer.pth")
    yield Kind("nothing", "a broken copy", place / "nothing.pth")


def outcome(kind: Kind) -> tuple[str, str]:
    """Whether `lenet.load` and `lenet import` read a file, and what they say where they do not."""
    said = []
    for read in (lenet.load, read_weights):
        try:
            found: Any = read(kind.file)
        except DataError as error:
            words = str(error).replace(f"{kind.file}: ", "").replace(str(kind.file), kind.file.name)
            said.append(words.removeprefix("load: "))
        else:
            assert found is not None
            said.append("")
    return said[0], said[1]


def table() -> str:
    """The rows, tried."""
    text = io.StringIO()
    text.write("| file | writer | `lenet.load` | `lenet import` | written by | words where it is refused |\n")
    text.write("|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as place:
        for kind in kinds(Path(place)):
            load, import_ = outcome(kind)
            words = (import_ or load).replace("|", "\\|").replace("\n", " ")
            marks = " | ".join("refused" if said else "read" for said in (load, import_))
            text.write(f"| {kind.what} | {kind.writer} | {marks} | {kind.written} | {words} |\n")
    return text.getvalue()


def page() -> str:
    """The page with the table as it is now."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        print(table())
