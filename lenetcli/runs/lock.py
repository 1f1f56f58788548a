"""One training at a time in a run directory."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lenetcli.errors import ConfigError, LenetError

NAME = "lock"
_LOOK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Busy(ConfigError):
    """A run directory in which another process trains."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the run directory's lock within the block.

    The lock is the system's own, on the file `lock`, so that it ends with the process however that ends: a file left by
    a killed one is no lock. The file says who holds it.

    Raises:
        Busy: another process trains there; the message names it.
        LenetError: the file cannot be made.
    """
    path = directory / NAME
    try:
        handle = _taken(path)
    except OSError as error:
        raise LenetError(f"cannot write to {directory}: {error.strerror or error}") from None
    if handle is None:
        raise Busy(f"{directory}: another training is running there: {_holder(path)}")
    try:
        yield
    finally:
        with suppress(OSError):  # the file alone is no lock
            os.unlink(path)
        os.close(handle)


def is_locked(directory: Path) -> bool:
    """Whether a training is running in a run directory, on this machine or on one that shares the file's locks."""
    try:
        handle = os.open(directory / NAME, _LOOK)
    except OSError:
        return False
    try:
        return not _lock(handle, shared=True)
    except OSError:
        return False
    finally:
        os.close(handle)


def _taken(path: Path) -> int | None:
    """The locked file; None where another process has it."""
    while True:
        handle = os.open(path, _OPEN, 0o644)
        try:
            free = _lock(handle)
            if not free:
                time.sleep(0.05)  # `is_locked` holds it for a moment
                free = _lock(handle)
            if free and _same_file(handle, path):
                _sign(handle, path)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not free:
            return None
        # the holder before us took its file away between our two calls: once more, with the new one


def _sign(handle: int, path: Path) -> None:
    """Writes down who holds the lock; where that cannot be, nobody does."""
    try:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(_self()).encode())
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        raise


def _lock(handle: int, shared: bool = False) -> bool:
    """Asks the system for the lock; False where another process holds it."""
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
    return True


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _self() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def _holder(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(1000))
        return f"process {int(found['pid'])} on {str(found['host'])[:60]}, since {str(found['since'])[:20]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said yet which process it is"
