"""The directory at the end of a zip, looked at before it is read: a long one would fill the memory."""

from __future__ import annotations

import struct
from typing import BinaryIO

from lenetcli.formats.pickle_subset import Refused

LARGEST = 1 << 24  # bytes, for some 200,000 members
_END, _MOST_COMMENT = b"PK\x05\x06", 1 << 16


def check_directory(file: BinaryIO, size: int) -> None:
    """Refuses a directory of members so long that reading it would fill the memory, and one of a zip behind others."""
    file.seek(max(0, size - _MOST_COMMENT - 22))
    tail = file.read(_MOST_COMMENT + 22)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise Refused("its zip is damaged: it has no directory, as a truncated one")
    length, where = struct.unpack_from("<II", tail, at + 12)
    end = max(0, size - _MOST_COMMENT - 22) + at
    locator = at - 20
    if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):  # of a record for large files, which torch always has
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        if place > size - 56:
            raise Refused("its zip is damaged: its directory lies outside of it")
        file.seek(place)
        record, end = file.read(56), place
        length, where = struct.unpack_from("<QQ", record, 40) if record.startswith(b"PK\x06\x06") else (0, -1)
    if length > LARGEST:
        raise Refused(f"its zip has a directory of {length:,} bytes")
    if where + length != end:  # Python reads the last of several, torch none
        raise Refused("its zip is damaged: it begins later than the file does, as the second of two in one file would")
