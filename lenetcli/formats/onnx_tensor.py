"""Arrays of ONNX files: in the file itself in one of four forms, or in a file beside it."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from lenetcli.disk import Unreadable, check_inside, read_within
from lenetcli.errors import DataError
from lenetcli.formats.protobuf import BYTES, VARINT, Array, Damaged, Message, integers, name_of, numbers, text

LARGEST = 1 << 36  # bytes of a file with arrays
_MOST_DIMS, _MOST_TEXTS = 16, 64
FLOAT16, BFLOAT16, TEXT = 10, 16, 8
KINDS = {
    1: "<f4", 2: "<u1", 3: "<i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", FLOAT16: "<f2", 11: "<f8",
    12: "<u4", 13: "<u8", BFLOAT16: "<u2",
}  # fmt: skip  # numbers of ONNX's types, and NumPy's words for them
STRANGE = {
    TEXT: "text", 14: "complex64", 15: "complex128", 17: "float8", 18: "float8", 19: "float8", 20: "float8",
    21: "uint4", 22: "int4", 23: "float4", 24: "float8", 25: "uint2", 26: "int2",
}  # fmt: skip


class Files:
    """The files beside an ONNX file that hold arrays, each mapped once.

    Args:
        folder: that of the ONNX file, which none may leave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, memoryview] = {}

    def part(self, location: str, offset: int, length: int | None, name: str) -> memoryview:
        """Some bytes of a file.

        Args:
            length: None: all from the offset on.
            name: of the array, for messages.

        Raises:
            Damaged: the file is missing, outside of the folder, or too short.
        """
        content = self._content(location, name)
        end = len(content) if length is None else offset + length
        if not 0 <= offset <= end <= len(content):
            raise Damaged(
                f"{name!r} lies at bytes {offset:,} to {end:,} of {location!r}, which has {len(content):,} bytes"
            )
        return content[offset:end]

    def _content(self, location: str, name: str) -> memoryview:
        if location in self._read:
            return self._read[location]
        parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
        absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
        if not location or absolute or ".." in parts or "\0" in location:
            raise Damaged(f"{name!r} is said to be in {location!r}: only files in the folder of the ONNX file are read")
        path = self.folder / location
        try:
            self._read[location] = memoryview(read_within(check_inside(self.folder, path), LARGEST))
        except Unreadable:
            raise
        except DataError as error:
            raise Damaged(f"{name!r} is said to be in a file beside it: {error}") from None
        return self._read[location]


def tensor(message: Message, files: Files) -> tuple[str, Array]:
    """Name and array of a TensorProto.

    Raises:
        Damaged: it has a type that is not read, or not as many numbers as its sizes say.
    """
    dims: list[int] = []
    kind, name, elsewhere = 0, "", False
    raw: memoryview | None = None
    lists: list[Array] = []
    external: dict[str, str] = {}
    for number, wire, value in message.fields():
        if number == 1:
            dims += integers(wire, value).tolist() if wire == VARINT or len(value) <= 10 * _MOST_DIMS else [-1]
        elif number == 2 and wire == VARINT:
            kind = value
        elif number == 4:
            lists.append(numbers(wire, value, "<f4"))
        elif number in (5, 7, 11):
            lists.append(integers(wire, value))
        elif number == 8 and wire == BYTES:
            name = name_of(value)
        elif number == 9 and wire == BYTES:
            raw = value
        elif number == 10:
            lists.append(numbers(wire, value, "<f8"))
        elif number == 13 and wire == BYTES:
            _entry(message.inner(value), external)
        elif number == 14 and wire == VARINT:
            elsewhere = value == 1
    if kind not in KINDS:
        raise Damaged(f"{name!r} is of type {STRANGE.get(kind, f'number {kind}')}, which is not read")
    if len(dims) > _MOST_DIMS or min(dims, default=0) < 0 or math.prod(dims) >= 1 << 48:
        raise Damaged(f"{name!r} has sizes that no array has: {dims[:_MOST_DIMS]}")
    count, word = math.prod(dims), np.dtype(KINDS[kind])
    if elsewhere or external:
        offset, length = _number(external, "offset", name), _number(external, "length", name)
        wanted = count * word.itemsize
        if length not in (None, wanted):
            raise Damaged(f"{name!r} has {length:,} bytes for sizes {dims}, which take {wanted:,}")
        raw = files.part(external.get("location", ""), offset or 0, wanted, name)
    if raw is not None and (len(raw) or not lists):
        if len(raw) != count * word.itemsize:
            raise Damaged(f"{name!r} has {len(raw):,} bytes for sizes {dims}, which take {count * word.itemsize:,}")
        array = np.frombuffer(raw, word)
    else:
        array = _listed(lists, kind, word)
        if array.size != count:
            raise Damaged(f"{name!r} has {array.size:,} numbers for sizes {dims}")
    return name, _widened(array, kind).reshape(dims)


def _listed(lists: list[Array], kind: int, word: np.dtype[Any]) -> Array:
    """Numbers that are not raw bytes: half floats and small integers stand in a list of integers."""
    if not lists:
        return np.zeros(0, word)
    found = np.concatenate(lists)
    if kind in (FLOAT16, BFLOAT16):
        return found.astype(np.uint16).view(word)
    return found.astype(word)


def _widened(array: Array, kind: int) -> Array:
    """float32 where NumPy or the engine has no such type; the machine's byte order."""
    if kind == BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    if kind == FLOAT16:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _entry(message: Message, found: dict[str, str]) -> None:
    key = said = ""
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            key = name_of(value)
        elif number == 2 and wire == BYTES:
            said = text(value)
    found[key] = said


def _number(external: dict[str, str], key: str, name: str) -> int | None:
    said = external.get(key)
    if said is None:
        return None
    if not said.isascii() or not said.isdigit() or len(said) > 18:
        raise Damaged(f"{name!r} has an {key} that is no number: {said[:40]!r}")
    return int(said)
