"""The members of a zip, brought into memory: large ones at once by several threads, each checked against its checksum.

What a pickle refers to is given its memory first, and filled when the whole pickle has been looked at. Memory of small
members is cut from slabs: the system hands out large pages for those, which costs a third less than many small ones.

torch can be told to write no checksums (`torch.serialization.set_crc32_options(False)`); all of them are 0 then.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.background import mapped
from lenetcli.formats.pickle_subset import Refused
from lenetcli.kernels import dispatch as kernels

Array = npt.NDArray[np.uint8]

_BLOCK = 1 << 19  # bytes, read and checked while they are in the cache
_SLAB = 1 << 23
_SHARE = 1 << 23  # bytes for which another thread is worth its start
_ALIGNMENT = 64
_AT_ONCE = hasattr(os, "preadv")  # reading at a place, which threads can do without each other


class Contents:
    """Members of an archive in memory.

    Args:
        archive: an open one.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._file: Any = archive.fp
        self._wanted: list[tuple[zipfile.ZipInfo, Array]] = []
        self._left = sum(member.file_size for member in archive.infolist())
        self._slab = np.empty(0, np.uint8)
        self._checked = any(member.CRC for member in archive.infolist())

    def memory(self, member: zipfile.ZipInfo) -> Array:
        """Where a member's bytes will be after `fill`.

        Raises:
            Refused: it would take more than what it is packed in can hold.
        """
        _check_size(member)
        memory = self._room(member.file_size)
        self._wanted.append((member, memory))
        return memory

    def bytes_of(self, member: zipfile.ZipInfo) -> bytes:
        """A small member, read now.

        Raises:
            Refused: as of `memory` and `fill`.
        """
        _check_size(member)
        memory = np.empty(member.file_size, np.uint8)
        self._fill((member, memory))
        return memory.tobytes()

    def fill(self) -> None:
        """Reads what was given memory.

        Raises:
            Refused: a member is truncated, or not what its checksum says.
        """
        size = sum(member.file_size for member, _ in self._wanted)
        mapped(self._fill, self._wanted, min(size // _SHARE + 1, os.cpu_count() or 1) if _AT_ONCE else 1)

    def _room(self, size: int) -> Array:
        if size >= _SLAB // 2:
            return np.empty(size, np.uint8)
        if size > len(self._slab):
            self._slab = np.empty(max(size, min(self._left, _SLAB)), np.uint8)
        taken = size + -size % _ALIGNMENT
        self._left -= taken
        memory, self._slab = self._slab[:size], self._slab[taken:]
        return memory

    def _fill(self, wanted: tuple[zipfile.ZipInfo, Array]) -> None:
        member, memory = wanted
        if _is_stored(member):
            place = self._place(member)
            self._read(member, memory, lambda room, done: self._read_at(place + done, room))
        else:
            with self._archive.open(member) as opened:
                stream: Any = opened  # a raw stream, which its type does not say
                self._read(member, memory, lambda room, _: int(stream.readinto(room)))

    def _read(self, member: zipfile.ZipInfo, memory: Array, read: Callable[[memoryview, int], int]) -> None:
        room, done, checksum = memory.data, 0, 0
        while done < len(room):
            count = read(room[done : done + _BLOCK], done)
            if not count:
                raise Refused(f"its zip is damaged: {member.filename} is shorter than it says")
            if self._checked:
                checksum = kernels.crc32(memory[done : done + count], checksum)
            done += count
        if checksum != member.CRC:
            raise Refused(f"it is damaged: {member.filename} has another checksum than it was written with")

    def _place(self, member: zipfile.ZipInfo) -> int:
        """Where the bytes of a member lie in the file that is not packed."""
        header = bytearray(30)
        if self._read_at(member.header_offset, memoryview(header)) < 30 or not header.startswith(b"PK\x03\x04"):
            raise Refused("its zip is damaged: a member does not begin where its directory says")
        return member.header_offset + 30 + sum(struct.unpack_from("<HH", header, 26))

    def _read_at(self, place: int, room: memoryview) -> int:
        if _AT_ONCE:
            return os.preadv(self._file.fileno(), [room], place)
        self._file.seek(place)
        return int(self._file.readinto(room))


def _check_size(member: zipfile.ZipInfo) -> None:
    """Refuses a member that would take more memory than what it is packed in can hold."""
    size, packed = member.file_size, member.compress_size
    if member.flag_bits & 1:
        raise Refused("its zip is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"its {member.filename} is packed by method {member.compress_type}; only deflate's is read")
    if (_is_stored(member) and packed != size) or size > 1100 * packed:  # deflate makes 1/1032
        raise Refused(f"its {member.filename} of {size:,} bytes is packed in {packed:,}")


def _is_stored(member: zipfile.ZipInfo) -> bool:
    return member.compress_type == zipfile.ZIP_STORED
