"""What a file is, by its content whatever its name ends in; and words for what is not read here.

Nothing of a file is interpreted but its first bytes, the names in a ZIP archive and the outer fields of an ONNX file.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from lenetcli.disk import check_regular, is_regular, opened
from lenetcli.formats.zip_directory import check_directory

_LARGEST = 1 << 40  # bytes of a file
SUFFIXES = ".safetensors", ".pt", ".pth", ".npz"  # of weights
_START = 1 << 16  # bytes that are looked at


class Kind(Enum):
    """What a file can be: what it is called in messages, and what to do with it, as far as that can be said."""

    safetensors = "a safetensors file", ""
    npz = "an .npz file of NumPy's", "`lenet import` makes it a run where its names are a model's; numpy.load reads it"
    npy = "an .npy file of NumPy's, one array", "`lenet predict` takes it as pictures; numpy.load reads it"
    onnx = (
        "an ONNX file, a graph with its weights",
        "`lenet import` makes it a run, with a configuration of its own",
    )
    torch = (
        "a file of torch.save",
        "`lenet import` makes it a run where its names are a model's; lenetcli.load reads it",
    )
    torchscript = (
        "a TorchScript archive",
        "it holds code. Save its weights where torch is: torch.save(torch.jit.load(FILE).state_dict(), 'NAME.pt')",
    )
    program = (
        "a program of torch.export",
        "save its weights where torch is: torch.save(torch.export.load(FILE).state_dict, 'NAME.pt')",
    )
    pickle = "a pickle", "a pickle can run code while it is read. Write the arrays with numpy.savez or as safetensors"
    keras = "a model of Keras", "`lenet import --config` reads its weights into a model of the same layers"
    hdf5 = (
        "an HDF5 file, as Keras has them",
        "`lenet import --config` reads weights of Keras 3 into a model of the same layers",
    )
    tflite = "a model of TensorFlow Lite", "it holds no names of a model's weights"
    gguf = "a GGUF file, weights of a language model", "it is not read here"
    rds = (
        "a compressed file, as gzip or R's saveRDS writes it",
        "unpack it; in R: torch_save of torch 0.17 writes safetensors",
    )
    zip = "a ZIP archive", "unpack it"
    tar = "a tar archive", "unpack it; torch before 0.2 wrote such files: torch.save it anew"
    picture = "a picture", "`lenet predict RUN FILE` classes it"
    page = "a page of HTML", "a download that went wrong, as a rule: fetch the file itself"
    pointer = "a pointer of Git LFS, not the file itself", "`git lfs pull` fetches it"
    text = "a text file", "weights are no text; a configuration goes with --config"
    empty = "an empty file", "write it again"
    unknown = "a file of no format that is known here", "weights are .safetensors, .pt, .pth, or .npz with their names"

    @property
    def what(self) -> str:
        """With its article."""
        return self.value[0]

    @property
    def advice(self) -> str:
        """What to do with it."""
        return self.value[1]


OF_OTHERS = (Kind.onnx, Kind.keras, Kind.hdf5)  # weights in another layout, or under other names, than torch's


def recognise(path: str | os.PathLike[str]) -> Kind:
    """What a file is.

    Raises:
        DataError: no such file, or no ordinary one.

    Example:
        >>> import numpy as np, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.pt")
        >>> with open(path, "wb") as file:
        ...     np.savez(file, w=np.ones(2))
        >>> recognise(path).what
        "an .npz file of NumPy's"
    """
    path = Path(path)
    size = check_regular(path, _LARGEST)
    with opened(path) as file:
        start = file.read(_START)
    if not start:
        return Kind.empty
    if _is_safetensors(start, size):  # first: the length that it begins with may look like any sign
        return Kind.safetensors
    for kind, is_one in _SIGNS:
        if is_one(start):
            return kind
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        kind = _archive(path)
        return Kind.keras if kind is Kind.zip and path.suffix == ".keras" else kind
    if _is_onnx(start, size):
        return Kind.onnx
    if b"\0" not in start and _is_text(start):
        return Kind.text
    return _DAMAGED.get(path.suffix, Kind.unknown)


def is_weights(what: str) -> bool:
    """Whether a file holds no text, whatever its name ends in; one that is not there goes by its name."""
    path = Path(what)
    if not is_regular(path):
        return path.suffix in SUFFIXES and not path.is_dir()
    return path.suffix in SUFFIXES or recognise(path) not in (Kind.text, Kind.empty)


def refusal(path: str | os.PathLike[str], kind: Kind, wanted: str) -> str:
    """Words for a file of another kind than wanted.

    Example:
        >>> refusal("a.pt", Kind.hdf5, "only .npz files are read")[:61]
        'a.pt: is an HDF5 file, as Keras has them; only .npz files are'
    """
    return f"{path}: is {kind.what}; {wanted}: {kind.advice}"


_DAMAGED = {".onnx": Kind.onnx, ".h5": Kind.hdf5}  # what no content tells any more: its reader says what is wrong

_TORCH_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # the number that torch's old files begin with
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def _begins(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(signs)


_SIGNS: tuple[tuple[Kind, Callable[[bytes], bool]], ...] = (
    (Kind.hdf5, _begins(b"\x89HDF\r\n\x1a\n")),
    (Kind.npy, _begins(b"\x93NUMPY")),
    (Kind.gguf, _begins(b"GGUF")),
    (Kind.rds, _begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")),
    (Kind.page, lambda start: start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))),
    (Kind.pointer, _begins(b"version https://git-lfs.github.com/spec/")),
    (Kind.tflite, lambda start: start[4:8] == b"TFL3"),
    (Kind.torch, lambda start: start[:1] == b"\x80" and start[2:].startswith(_TORCH_MAGIC)),
    (Kind.pickle, lambda start: len(start) > 2 and start[0] == 0x80 and start[1] in (2, 3, 4, 5)),
    (Kind.picture, _begins(*_PICTURES)),
    (Kind.tar, lambda start: start[257:262] == b"ustar"),
    (Kind.picture, lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP"),
)


def _archive(path: Path) -> Kind:
    """A ZIP archive, by the names in it."""
    with opened(path) as file:
        try:
            check_directory(file, os.fstat(file.fileno()).st_size)
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except Exception:  # whatever zipfile raises on damage
            return Kind.zip
    files = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in files:
        return Kind.torchscript if "constants.pkl" in files else Kind.torch
    if "archive_format" in files and any("/models/" in name for name in names):
        return Kind.program
    if "model.weights.h5" in files:
        return Kind.keras
    return Kind.npz if names and all(name.endswith(".npy") for name in names) else Kind.zip


def _is_safetensors(start: bytes, size: int) -> bool:
    """A length that the file has room for, and a JSON object from there on."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}  # ModelProto: number, wire type


def _is_onnx(start: bytes, size: int) -> bool:
    """Fields of ONNX's ModelProto one after the other, the graph among them, that end with the file."""
    at, seen = 0, set()
    while at < size:
        if at >= len(start):  # behind the graph, which was within the file
            return 7 in seen
        key, at = _varint(start, at)
        number, wire = key >> 3, key & 7
        if _FIELDS.get(number) != wire:
            return False
        value, at = _varint(start, at)
        at += value if wire == 2 else 0
        seen.add(number)
    return at == size and 7 in seen


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of protobuf's, and the place behind it; one that is cut is far too large."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
    return 1 << 64, at


def _is_text(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4 and len(start) == _START  # a character that is cut
    return True
