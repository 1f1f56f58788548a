"""Files on disk: written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from lenetcli.disk.reading import is_regular, is_there
from lenetcli.errors import LenetError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_HANDLES = re.compile(r"/dev/(stdout|stderr|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")  # files that a process has open
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)  # what file systems without hard links say
PATIENCE = 30.0  # seconds to wait for a reader at the other end of a pipe


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
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
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
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except FileExistsError:
        raise
    except OSError as error:
        raise LenetError(f"cannot write {path}: {error.strerror or error}; nothing was changed there") from None
    _drop_name(temporary, path)
    _sync_parent(path, path)


def _drop_name(name: str, path: Path) -> None:
    """Takes away a file's other name, at the second try if need be."""
    for last in (False, True):
        try:
            os.unlink(name)
        except FileNotFoundError:  # it was moved, where there are no second names
            return
        except OSError as error:
            if last:
                raise LenetError(f"{path}: written, but {name} cannot be removed: {error.strerror or error}") from None
        else:
            return


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
