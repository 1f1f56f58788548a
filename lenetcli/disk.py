"""Files on disk: written whole or not at all, read only within bounds.

Everything that must survive a kill or a full disk goes through this file, and each step that the disk sees is one call
of a function of `os`: so the fault tests can stop the program at every one of them.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lenetcli.errors import DataError, LenetError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not hold us up
_BLOCK = 1 << 20
_HANDLES = re.compile(r"/dev/(stdout|stderr|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")  # files that a process has open
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)  # what file systems without hard links say
PATIENCE = 30.0  # seconds to wait for a reader at the other end of a pipe


class Unreadable(DataError):
    """A file that is there and cannot be read just now (no permission, a disk or network that fails): it may be whole.

    Whoever sets damaged files aside leaves such a one alone.
    """


def write_new(path: Path | str, data: bytes) -> None:
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


def write_file(path: Path, data: bytes) -> None:
    """Writes the file that a user has named: as `write_atomically`, but what is there and no ordinary file (a device, a
    pipe, what the process has open as /dev/stdout) is written to as it is.

    Raises:
        LenetError: it cannot be written; an ordinary file that was there is untouched.
    """
    try:
        if _is_stream(path):
            _write_through(path, data)
            return
    except OSError as error:
        raise LenetError(f"cannot write {path}: {error.strerror or error}") from None
    write_atomically(path, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file by new content, all or nothing: a temporary file beside it, flushed to disk, then renamed.

    A link stays, and leads to the new content.

    Raises:
        LenetError: the file cannot be written, or what is there is no ordinary file; the old one is untouched.
    """
    target = Path(os.path.realpath(path))
    try:
        if _is_stream(target):
            raise OSError(errno.EINVAL, "not a regular file")
        temporary = _temporary(target)
        try:
            write_new(temporary, data)
            os.replace(temporary, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise LenetError(f"cannot write {path}: {error.strerror or error}; nothing was changed there") from None
    _sync_parent(path, target)


def write_once(path: Path, data: bytes) -> None:
    """Writes a file that is not there yet, whole or not at all.

    Raises:
        FileExistsError: something of that name is there.
        LenetError: it cannot be written; nothing is left of it.
    """
    try:
        temporary = _temporary(path)
        try:
            write_new(temporary, data)
            link_new(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        raise LenetError(f"cannot write {path}: {error.strerror or error}; nothing was changed there") from None
    _sync_parent(path, path)


def link_new(source: Path | str, target: Path) -> None:
    """Gives a file a second name that nothing has yet; where file systems have no such names, moves it there.

    Raises:
        FileExistsError: something has that name.
        OSError: the system cannot do it.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(source, target)


def _temporary(target: Path) -> str:
    """The path of a temporary file beside another; `is_temporary` knows it. Text: pathlib enters each part of a path in
    Python's table of names, which grows by megabytes where a long run thinks up new ones at every save."""
    return os.path.join(target.parent, f".{target.name[:50]}.{secrets.token_hex(4)}.tmp")


def _sync_parent(path: Path, target: Path) -> None:
    try:
        sync_directory(target.parent)
    except OSError as error:
        raise LenetError(f"{path}: written, but not safely on disk yet: {error.strerror or error}") from None


def _is_stream(path: Path) -> bool:
    """Whether something is there that has to be written to as it is: a device, a pipe, an open file of a process."""
    try:
        found = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except ValueError as error:  # a NUL character in the path
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return not stat.S_ISREG(found) or _HANDLES.fullmatch(os.path.abspath(path)) is not None


def _write_through(path: Path, data: bytes) -> None:
    handle = _opened_stream(path)
    try:
        os.set_blocking(handle, True)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        with suppress(OSError):  # pipes and many devices cannot
            os.fsync(handle)
    finally:
        os.close(handle)


def _opened_stream(path: Path) -> int:
    """A device or pipe, open to be written; a pipe's reader may come a while after us."""
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
            if time.monotonic() > until:
                raise OSError(error.errno, "a pipe that nobody reads") from None
        time.sleep(0.02)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed `write_atomically` left."""
    return name.startswith(".") and name.endswith(".tmp")


def sync_directory(path: Path | str) -> None:
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


def make_way(path: Path) -> None:
    """Puts aside what lies at the place of a file and is none, a directory or a pipe, so that the file can be written.

    Raises:
        LenetError: the system cannot do it.
    """
    if is_there(path) and not is_regular(path):
        put_aside(path)


def put_aside(path: Path) -> None:
    """Gives what lies somewhere another name beside it: it may be somebody's.

    Raises:
        LenetError: the system cannot do it.
    """
    try:
        os.rename(path, path.with_name(f"{path.name}.aside-{secrets.token_hex(4)}"))
    except OSError as error:
        raise LenetError(f"{path}: is in the way, and cannot be renamed: {error.strerror or error}") from None


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes where a file becomes another one, or is written to; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


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
