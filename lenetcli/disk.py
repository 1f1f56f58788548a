"""Files on disk: written whole or not at all, read only within bounds.

Everything that must survive a kill or a full disk goes through this file, and each step that the disk sees is one call
of a function of `os`: so the fault tests can stop the program at every one of them.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from lenetcli.errors import DataError, LenetError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not hold us up
_BLOCK = 1 << 20


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that is not there yet, and waits until its content is on disk.

    Raises:
        OSError: it is there, or the system cannot write it.
    """
    handle = os.open(path, _NEW, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file by new content, all or nothing: a temporary file beside it, flushed to disk, then renamed.

    Raises:
        LenetError: the file cannot be written; the old one is untouched.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            write_new(temporary, data)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LenetError(f"cannot write {path}: {error.strerror or error}; nothing was changed there") from None
    try:
        sync_directory(target.parent)
    except OSError as error:
        raise LenetError(f"{path}: written, but not safely on disk yet: {error.strerror or error}") from None


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed `write_atomically` left."""
    return name.startswith(".") and name.endswith(".tmp")


def sync_directory(path: Path) -> None:
    """Waits until the names in a directory are on disk."""
    if os.name == "nt":
        return  # directories cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> int:
    """Waits until what was written to a file is on disk; gives its size.

    Raises:
        OSError: it is not there, or the system cannot write it.
    """
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def check_regular(path: Path, most: int) -> int:
    """The size of an ordinary file, looked at before anything of it is read.

    Raises:
        DataError: missing, a directory, pipe or device, or larger than `most` bytes.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path}: cannot be read: not a regular file")
    if found.st_size > most:
        raise DataError(f"{path}: has {found.st_size:,} bytes, more than the {most:,} that such a file may have")
    return found.st_size


def read_within(path: Path, most: int) -> bytes:
    """The content of an ordinary file of at most `most` bytes.

    Raises:
        DataError: as `check_regular`; or it cannot be read.
    """
    check_regular(path, most)
    try:
        handle = os.open(path, _READ)
        with os.fdopen(handle, "rb") as file:
            size = os.fstat(handle).st_size
            data = file.read(min(size, most) + 1)  # which reserves so many bytes: not `most`, for a small file
            if len(data) > size:  # it grows while it is read
                data += file.read(most + 1 - len(data))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > most:
        raise DataError(f"{path}: grew past {most:,} bytes while it was read")
    return data


def sha256_within(path: Path, most: int) -> str:
    """The hash of an ordinary file of at most `most` bytes.

    Raises:
        DataError: as `check_regular`; or it cannot be read.
    """
    left = check_regular(path, most)
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                digest.update(block)
                left -= len(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def check_inside(directory: Path, path: Path) -> Path:
    """The path, if it leads to a place below the directory with all links followed.

    Raises:
        DataError: a link leads out of the directory.
    """
    root = os.path.realpath(directory)
    place = os.path.realpath(path)
    if place != root and not place.startswith(root.rstrip(os.sep) + os.sep):
        raise DataError(f"{path}: a link that leads out of {directory}, to {place}; refused")
    return path
