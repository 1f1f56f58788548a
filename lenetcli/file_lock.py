"""The system's own lock on a file, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NONE_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # what systems without locks say
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
LOOK = 0.05  # seconds between two tries


class NoLocks(OSError):
    """A system, or a file system, without locks: it has none, or its locks keep nobody out."""


def try_lock(handle: int, shared: bool = False) -> bool:
    """Asks the system for the lock of an open file; False where another process holds it.

    Raises:
        NoLocks: there are none here.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # there on Windows only
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NONE_HERE:
            raise NoLocks(error.errno, os.strerror(error.errno)) from None
        raise
    return True


def excludes(handle: int, path: Path) -> bool:
    """Whether the lock that this process holds on a file keeps others out; in a browser, for one, it does not.

    Args:
        handle: the file, locked.
        path: where it lies.

    Raises:
        OSError: it cannot be opened once more.
    """
    other = os.open(path, _OPEN, 0o644)
    try:
        return not same_file(handle, path) or not try_lock(other)
    finally:
        os.close(other)


def same_file(handle: int, path: Path) -> bool:
    """Whether a path leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def take(path: Path, patience: float = LOOK) -> int | None:
    """The file, made if need be, open and locked; None where another process has it still after `patience` seconds.

    Raises:
        NoLocks: there are none here.
        OSError: it cannot be made.
    """
    until = time.monotonic() + patience  # others may hold it for a moment, to look
    while True:
        handle = os.open(path, _OPEN, 0o644)
        try:
            free = try_lock(handle)
            while not free and time.monotonic() < until:
                time.sleep(LOOK)
                free = try_lock(handle)
            if free and same_file(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not free:
            return None
        # the holder before us took its file away between our two calls: once more, with the new one


@contextmanager
def alone(path: Path, patience: float = float("inf")) -> Iterator[None]:
    """Waits for the lock of a file and holds it within the block; where the system has no locks, goes on without.

    Args:
        patience: seconds after which it goes on without, too: a process that has stopped may hold it for ever.
    """
    try:
        handle = take(path, patience)
    except OSError:
        handle = None
    if handle is None:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(path)
        os.close(handle)
