"""torch's format before 1.6: pickles one after the other, then the storages.

    magic number, protocol version, system information, the object, the keys of its storages: a pickle each
    for each key: the number of elements as eight bytes, and the elements

Source: torch/serialization.py of torch 1.5 (`_legacy_save`), 2.13 (`_legacy_load`).
"""

from __future__ import annotations

import struct
import sys
from typing import Any, BinaryIO

import numpy as np

from lenetcli.formats import pickle_subset
from lenetcli.formats.pickle_subset import Refused
from lenetcli.formats.torch_names import NAMES, Array, Kind, SavedTensor, Storage, refusal
from lenetcli.formats.torch_zip import storage_entry

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read(file: BinaryIO, size: int) -> Any:
    """What a file holds, tensors as SavedTensor.

    Args:
        file: open at any place.
        size: of the file, in bytes.

    Raises:
        Refused: no such file, or a damaged or hostile one.
    """
    file.seek(0)
    other = "it is a pickle, but none of torch.save"
    if pickle_subset.read(file, {}, lambda _: other) != MAGIC:
        raise Refused(other)
    version = _plain(file)
    if version != _PROTOCOL:
        raise Refused(f"it has the protocol version {str(version)[:20]}; wanted {_PROTOCOL}")
    system = _plain(file)
    little = system.get("little_endian", True) if isinstance(system, dict) else True
    swapped = little != (sys.byteorder == "little")
    begin = file.tell()
    kinds = _storage_kinds(file, size)  # where the storages lie is known after the object, which is made of them
    places = _places(file, kinds, size)
    file.seek(begin)
    storages: dict[str, Array] = {}

    def persistent(entry: Any) -> Storage:
        kind, key, _ = storage_entry(entry)
        if key not in storages:
            storages[key] = _memory(file, *places[key])
        memory = storages[key]
        view = entry[5] if len(entry) == 6 else None
        if view is not None:
            _, offset, count = view
            step = 1 if kind is None else kind.bytes
            if not 0 <= offset <= offset + count <= len(memory) // step:
                raise Refused("it has a view that reaches beyond its storage")
            memory = memory[offset * step : (offset + count) * step]
        return Storage(kind, memory, swapped)

    return pickle_subset.read(_Returning(file), NAMES, refusal, persistent)  # type: ignore[arg-type]  # read, readline


class _Returning:
    """A stream that stands where it stood after something else was read from it, in the middle of a pickle."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.place = file, file.tell()

    def read(self, count: int) -> bytes:
        self.file.seek(self.place)
        found = self.file.read(count)
        self.place += len(found)
        return found

    def readline(self) -> bytes:
        self.file.seek(self.place)
        found = self.file.readline()
        self.place += len(found)
        return found


def _plain(file: BinaryIO) -> Any:
    return pickle_subset.read(file, {}, refusal)


def _storage_kinds(file: BinaryIO, size: int) -> dict[str, tuple[Kind | None, int]]:
    """Kind and number of elements of each storage of the object, by key; the file then stands behind the object."""
    kinds: dict[str, tuple[Kind | None, int]] = {}

    def persistent(entry: Any) -> Storage:
        kind, key, count = storage_entry(entry)
        if kinds.setdefault(key, (kind, count))[1] * (1 if kind is None else kind.bytes) > size:
            raise Refused(f"its storage {key!r} would have {count:,} elements")
        return Storage(None, np.zeros(0, np.uint8))

    nothing = SavedTensor(lambda: np.zeros(0))
    rebuild = {name: lambda *_: nothing for name in NAMES if "._rebuild" in name}
    pickle_subset.read(file, NAMES | rebuild, refusal, persistent)
    return kinds


def _places(file: BinaryIO, kinds: dict[str, tuple[Kind | None, int]], size: int) -> dict[str, tuple[int, int]]:
    """Where each storage begins and how many bytes it has."""
    keys = _plain(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(kinds):
        raise Refused("its list of storages is not that of its tensors")
    places = {}
    for key in map(str, keys):
        kind, wanted = kinds[key]
        header = file.read(8)
        count = struct.unpack("<q", header)[0] if len(header) == 8 else -1
        if count != wanted:
            raise Refused(f"its storage {key!r} has {count:,} elements, its pickle says {wanted:,}")
        length = count * (1 if kind is None else kind.bytes)
        begin = file.tell()
        if length > size - begin:
            raise Refused(f"it is truncated: its storage {key!r} has {length:,} bytes, {size - begin:,} are left")
        places[key] = begin, length
        file.seek(begin + length)
    return places


def _memory(file: BinaryIO, begin: int, length: int) -> Array:
    memory = np.empty(length, np.uint8)
    file.seek(begin)
    if file.readinto(memory.data) != length:  # type: ignore[attr-defined]  # of every open file
        raise Refused("it is truncated")
    return memory
