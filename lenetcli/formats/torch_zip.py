"""torch's zip format: `NAME/data.pkl`, `NAME/data/KEY` for each storage, `NAME/version`, `NAME/byteorder`.

NAME is any folder. Local headers may hold no sizes, so the central directory counts. Files are written as torch writes
them, but with one date and one name, so that equal content has equal bytes; storages begin at multiples of 64 bytes,
which `torch.load(mmap=True)` wants.

Source: torch/serialization.py and caffe2/serialize/inline_container.cc of torch 2.13.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from lenetcli.errors import in_a_line
from lenetcli.formats import pickle_subset
from lenetcli.formats.pickle_subset import Refused
from lenetcli.formats.torch_names import KINDS, NAMES, Array, Kind, Storage, refusal
from lenetcli.formats.zip_contents import Contents
from lenetcli.formats.zip_directory import check_directory

LARGEST_PICKLE = 1 << 26  # bytes
_ALIGNMENT = 64
_DATE = (1980, 1, 1, 0, 0, 0)


def read(file: BinaryIO, size: int) -> Any:
    """What a file holds, tensors as SavedTensor.

    Args:
        file: open at any place.
        size: of the file, in bytes.

    Raises:
        Refused: no such file, or a damaged or hostile one.
    """
    check_directory(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.header_offset + 30 + member.compress_size > size:  # the directory's word proves nothing
                    raise Refused(f"its zip is damaged: {member.filename!r} would end after the file does")
            return _read(archive)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        ValueError,
        struct.error,
        OverflowError,
    ) as error:
        raise Refused(f"its zip is damaged: {in_a_line(error, 120)}") from None


def _read(archive: zipfile.ZipFile) -> Any:
    members = {member.filename: member for member in archive.infolist()}
    top = next((name.partition("/")[0] for name in members if name.partition("/")[2] == "data.pkl"), None)
    if top is None:
        raise Refused("it is a ZIP archive of other things, not torch's")
    if not all(name.startswith(f"{top}/") for name in members):
        raise Refused("it is a ZIP archive with files outside of its folder, not torch's")
    if f"{top}/constants.pkl" in members or any(name.startswith(f"{top}/code/") for name in members):
        raise Refused(f"it is a TorchScript archive ({top}): save the state_dict() of its module")
    if f"{top}/version" not in members:
        raise Refused("it is a zip without torch's version record")
    if len(members) < len(archive.infolist()):
        raise Refused("its zip has two members of one name, of which readers take different ones")
    contents = Contents(archive)

    def content(name: str, most: int) -> bytes:
        """A small member; empty where it is missing."""
        member = members.get(f"{top}/{name}")
        if member is None:
            return b""
        if member.file_size > most:
            raise Refused(f"its {name} has {member.file_size:,} bytes")
        return contents.bytes_of(member)

    order = content("byteorder", 16).decode("ascii", "replace") or "little"
    if order not in ("little", "big"):
        raise Refused(f"it has the byte order {order!r}; wanted little or big")
    storages: dict[str, Storage] = {}

    def persistent(entry: Any) -> Storage:
        kind, key, count = storage_entry(entry)
        if key not in storages:
            member = members.get(f"{top}/data/{key}")
            if member is None:
                raise Refused(f"its storage {key!r} is missing")
            wanted = count * (1 if kind is None else kind.bytes)
            if member.file_size != wanted:
                raise Refused(f"its storage {key!r} has {member.file_size:,} bytes, its pickle says {wanted:,}")
            storages[key] = Storage(kind, contents.memory(member), order != sys.byteorder)
        return storages[key]._replace(kind=kind)

    stream = io.BytesIO(content("data.pkl", LARGEST_PICKLE))
    value = pickle_subset.read(stream, NAMES, refusal, persistent)
    contents.fill()
    return value


def storage_entry(entry: Any) -> tuple[Kind | None, str, int]:
    """Kind, key and number of elements of a persistent id.

    Raises:
        Refused: it is none of a storage.
    """
    if isinstance(entry, tuple) and entry and entry[0] == "module":
        raise Refused(refusal(str(entry[2] if len(entry) > 2 else "a module")))
    if not isinstance(entry, tuple) or len(entry) not in (5, 6) or entry[0] != "storage":
        raise Refused("its pickle refers to something else than a storage")
    _, kind, key, _, count = entry[:5]
    key = str(key) if isinstance(key, (str, int)) else None
    if not (kind is None or isinstance(kind, Kind)) or key is None or type(count) is not int or count < 0:
        raise Refused("its pickle has a storage of no known kind")
    return kind, key, count


# Writing


def write(value: Any) -> bytes:
    """A file that `torch.load(weights_only=True)` reads. Equal values have equal bytes.

    Args:
        value: dictionaries, lists, tuples, numbers, text, None and NumPy arrays (an array that is there twice is
            stored once).

    Raises:
        TypeError: something else; the message begins with its type.
    """
    emitter = _Emitter()
    stream = emitter.stream(value)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in (("data.pkl", stream), (".format_version", b"1"), ("byteorder", b"little")):
            _put(archive, written, name, content)
        for key, array in enumerate(emitter.arrays):
            _put(archive, written, f"data/{key}", np.asarray(array, array.dtype.newbyteorder("<"), order="C").data)
        _put(archive, written, "version", b"3\n")
    return written.getvalue()


def _put(archive: zipfile.ZipFile, written: BinaryIO, name: str, content: Any) -> None:
    member = zipfile.ZipInfo(f"archive/{name}", _DATE)
    before = written.tell() + 30 + len(member.filename) + 4  # local header, and that of the padding
    padding = -before % _ALIGNMENT
    member.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    archive.writestr(member, content)


class _Emitter:
    """Writes pickle opcodes of protocol 2."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.arrays: list[Array] = []
        self.keys: dict[int, int] = {}

    def stream(self, value: Any) -> bytes:
        self.parts = [pickle.PROTO + b"\x02"]
        self.put(value)
        return b"".join([*self.parts, pickle.STOP])

    def put(self, value: Any) -> None:
        parts = self.parts
        if isinstance(value, np.ndarray):
            self.put_tensor(value)
        elif isinstance(value, dict):
            parts += [pickle.EMPTY_DICT, pickle.MARK]
            for key, item in value.items():
                self.put(key)
                self.put(item)
            parts.append(pickle.SETITEMS)
        elif isinstance(value, list):
            self.put_all(pickle.EMPTY_LIST + pickle.MARK, value, pickle.APPENDS)
        elif isinstance(value, tuple):
            self.put_all(pickle.MARK, value, pickle.TUPLE)
        else:
            parts.append(_plain(value))

    def put_all(self, begin: bytes, values: Iterable[Any], end: bytes) -> None:
        self.parts.append(begin)
        for value in values:
            self.put(value)
        self.parts.append(end)

    def put_tensor(self, array: Array) -> None:
        """torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())"""
        storage = next((name for name, kind in _BY_TYPE.items() if kind == array.dtype), None)
        if storage is None:
            raise TypeError(f"{array.dtype} has no counterpart in torch's files")
        key = self.keys.setdefault(id(array), len(self.arrays))
        if key == len(self.arrays):
            self.arrays.append(array)
        call, mark = pickle.REDUCE, pickle.MARK
        self.parts += [b"ctorch._utils\n_rebuild_tensor_v2\n", mark]
        self.parts += [mark, _plain("storage"), f"ctorch\n{storage}\n".encode(), _plain(str(key)), _plain("cpu")]
        self.parts += [_plain(array.size), pickle.TUPLE, pickle.BINPERSID, _plain(0)]
        self.put(array.shape)
        self.put(tuple(_strides(array.shape)))
        self.parts += [pickle.NEWFALSE, b"ccollections\nOrderedDict\n", pickle.EMPTY_TUPLE, call, pickle.TUPLE, call]


def _strides(shape: tuple[int, ...]) -> Iterable[int]:
    """In elements, of an array without gaps."""
    sizes = [1]
    for size in shape[:0:-1]:
        sizes.append(sizes[-1] * max(size, 1))
    return reversed(sizes[: len(shape)])


def _plain(value: Any) -> bytes:
    if value is None or isinstance(value, (bool, int, float, str)):
        return _text(value) if isinstance(value, str) else pickle.dumps(value, 2)[2:-1]  # without PROTO and STOP
    raise TypeError(f"{type(value).__name__}; wanted tensors, numbers, text, lists, dicts")


def _text(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


_BY_TYPE = {f"{name}Storage": np.dtype(KINDS[kind].numpy) for name, kind in (
    ("Double", "float64"), ("Float", "float32"), ("Half", "float16"), ("Long", "int64"), ("Int", "int32"),
    ("Short", "int16"), ("Char", "int8"), ("Byte", "uint8"), ("Bool", "bool"),
)}  # fmt: skip
