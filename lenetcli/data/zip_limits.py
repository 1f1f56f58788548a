"""Small files that would unpack to fill the memory."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from lenetcli.errors import DataError

_HARMLESS = 1 << 26  # bytes that any machine has
_HEADER = 30  # bytes before each part of a ZIP file, at least
_END = b"PK\x05\x06"  # what the end of its directory begins with, which is
_END_SIZE = 22  # bytes long, and a comment
_MOST = 200  # times; pictures shrink to a half or a tenth, a bomb to a thousandth


def check_packed(path: Path, archive: ZipFile, size: int) -> None:
    """Refuses a ZIP file whose parts would grow out of all proportion; its own words of packed bytes prove nothing.

    Args:
        size: bytes that the file has.

    Raises:
        DataError: the parts cannot lie in the file as they say, one is a bomb, or there is something before or behind.
    """
    entries, names = archive.infolist(), set()
    for entry in entries:
        if entry.flag_bits & 1 or entry.filename in names:
            what = "is encrypted" if entry.flag_bits & 1 else "is there twice"
            raise DataError(f"{path}: not a sound ZIP file: {entry.filename!r} {what}")
        names.add(entry.filename)
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end or entry.header_offset + _HEADER + entry.compress_size > size:
            raise DataError(
                f"{path}: not a sound ZIP file: {entry.filename!r} would take {entry.compress_size:,} bytes from "
                f"{entry.header_offset:,} on, of {size:,}, or some that another part has"
            )
        end = entry.header_offset + _HEADER + entry.compress_size
    for entry in entries:
        check_unpacked(path, entry.file_size, entry.compress_size)
    before = min((entry.header_offset for entry in entries), default=0)
    if before:
        raise DataError(f"{path}: not a sound ZIP file: {before:,} bytes before its first part")
    if not _ends(archive, size):
        raise DataError(f"{path}: not a sound ZIP file: bytes left over after its end")


def _ends(archive: ZipFile, size: int) -> bool:
    """Whether a ZIP file's directory is the last of the file: a reader looks for it in the last 64 KiB."""
    assert archive.fp is not None, "it is open"
    archive.fp.seek(max(0, size - _END_SIZE - len(archive.comment)))
    return archive.fp.read(len(_END)) == _END


def check_unpacked(path: Path, unpacked: int, packed: int) -> None:
    """Refuses to unpack a file that would grow out of all proportion.

    Args:
        unpacked: bytes that it states to have when unpacked.
        packed: bytes that it has.

    Raises:
        DataError: it is a bomb.
    """
    if unpacked > _HARMLESS and unpacked > _MOST * packed:
        raise DataError(f"{path}: {packed:,} bytes would unpack to {unpacked:,}: refused, no images shrink that much")
