"""Files on disk: read only within bounds, and one that cannot be read just now is told from one that is not there."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lenetcli.errors import DataError

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not hold us up
_BLOCK = 1 << 20


class Unreadable(DataError):
    """A file that is there and cannot be read just now (no permission, a disk or network that fails): it may be whole.

    Whoever sets damaged files aside leaves such a one alone.
    """


def unreadable(path: Path, error: Exception) -> DataError:
    """The error of a file that could not be read: Unreadable, unless it is not there at all."""
    message = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
    absent = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR)
    lasting = not isinstance(error, OSError) or error.errno in (None, *absent)  # None: not the system's, gzip's
    return DataError(message) if lasting else Unreadable(message)


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, links followed.

    Raises:
        Unreadable: the system does not say.
    """
    return _mode(path) is not None


def may_be_there(path: Path) -> bool:
    """Whether there is anything of that name, or the system does not say: whoever reads it is told."""
    try:
        return is_there(path)
    except Unreadable:
        return True


def is_regular(path: Path) -> bool:
    """Whether there is an ordinary file of that name, links followed.

    Raises:
        Unreadable: the system does not say.
    """
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def has_content(path: Path) -> bool:
    """Whether there is an ordinary file of that name, links followed, that is not empty.

    Raises:
        Unreadable: the system does not say.
    """
    return is_regular(path) and path.stat().st_size > 0


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except ValueError:  # a NUL character in the path
        return None
    except OSError as error:
        found = unreadable(path, error)
        if isinstance(found, Unreadable):
            raise found from None
        return None


def check_regular(path: Path, most: int) -> int:
    """The size of an ordinary file, looked at before anything of it is read.

    Raises:
        DataError: missing, a directory, pipe or device, or larger than `most` bytes.
        Unreadable: the system does not say.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: cannot be read: not a regular file")
    if found.st_size > most:
        raise DataError(f"{path}: has {found.st_size:,} bytes, more than the {most:,} that such a file may have")
    return found.st_size


def read_within(path: Path, most: int) -> bytes:
    """The content of an ordinary file of at most `most` bytes.

    Raises:
        DataError: as `check_regular`.
        Unreadable: it is there and cannot be read.
    """
    size = check_regular(path, most)
    try:
        handle = os.open(path, _READ)
        with os.fdopen(handle, "rb") as file:
            data = file.read(min(size, most) + 1)  # which reserves so many bytes: not `most`, for a small file
            if len(data) > size:  # it has grown since
                data += file.read(most + 1 - len(data))
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > most:
        raise DataError(f"{path}: grew past {most:,} bytes while it was read")
    return data


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """An ordinary file, open, for a reader of its format that takes a read that fails for damage, as zipfile does.

    Raises:
        DataError: it is not there.
        Unreadable: it is there and cannot be read, now or within the block, whatever came of that there.
    """
    try:
        raw = _Watched(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise unreadable(path, error) from None
    try:
        with io.BufferedReader(raw) as file:
            yield file
    except Exception:
        if raw.failure is None:
            raise
    if raw.failure is not None:
        raise unreadable(path, raw.failure)


class _Watched(io.FileIO):
    """A file that keeps the error of a read that failed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb", opener=lambda name, _: os.open(name, _READ))
        self.failure: OSError | None = None

    def readinto(self, buffer: Any) -> int | None:
        """As of any file."""
        return self._watched(super().readinto, buffer)

    def readall(self) -> Any:
        """As of any file."""
        return self._watched(super().readall)

    def _watched(self, read: Any, *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except OSError as error:
            self.failure = error
            raise


def sha256_within(path: Path, most: int) -> str:
    """The hash of an ordinary file of at most `most` bytes.

    Raises:
        DataError: as `check_regular`.
        Unreadable: it is there and cannot be read.
    """
    left = check_regular(path, most)
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                digest.update(block)
                left -= len(block)
    except OSError as error:
        raise unreadable(path, error) from None
    return digest.hexdigest()


def md5_of(path: Path) -> str:
    """The hash that data sets are published with; it says that a file is whole, not where it is from."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes where a file becomes another one, or is written to; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_inside(directory: Path, path: Path) -> Path:
    """The path, if it leads to a place below the directory with all links followed.

    Raises:
        DataError: a link leads out of the directory.
    """
    root, before = os.path.realpath(directory), None
    while root != before:  # or it was renamed between the two looks
        place, before, root = os.path.realpath(path), root, os.path.realpath(directory)
    if place != root and not place.startswith(root.rstrip(os.sep) + os.sep):
        raise DataError(f"{path}: a link that leads out of {directory}, to {place}; refused")
    return path
