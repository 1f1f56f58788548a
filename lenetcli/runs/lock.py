"""One training at a time in a run directory, which stays the training's own wherever it is moved to."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lenetcli.disk import make_way
from lenetcli.errors import ConfigError, LenetError
from lenetcli.file_lock import NoLocks, excludes, same_file, take, try_lock

NAME = "lock"
_LOOK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_F_GETPATH = 50  # macOS: the fcntl that tells an open file's path


class Busy(ConfigError):
    """A run directory in which another process trains."""


class Lost(LenetError):
    """A run directory that was taken away while a training was running there."""


class Held:
    """A run directory in which this process trains.

    The directory and its lock are open: so it is found again when it is moved or renamed, and another one that gets its
    name, or its lock, is not taken for it.

    Args:
        directory: what it is called.
        handle: of its lock.
    """

    def __init__(self, directory: Path, handle: int) -> None:
        self.directory, self._lock = directory, handle
        self._handle = None if os.name == "nt" else os.open(directory, _DIRECTORY)
        self._way = None if self._handle is None else _way(self._handle)

    @property
    def way(self) -> Path:
        """What leads into the directory whatever it is called by then: Linux has paths by way of what is open.

        Elsewhere its name, which another directory may get between a look and a write.
        """
        return self._way or self.directory

    @contextmanager
    def called_by_name(self) -> Iterator[None]:
        """Within the block, errors that tell of the way tell of the name."""
        try:
            yield
        except LenetError as error:
            way, name = str(self.way), str(self.directory)
            error.args = tuple(each.replace(way, name) if isinstance(each, str) else each for each in error.args)
            raise

    def place(self) -> Path:
        """What the directory is called now; to be asked before anything is written there.

        Raises:
            Lost: it is not there any more, or another process has taken it over.
        """
        if self.is_at(self.directory):
            return self.directory
        found = self.directory if self._is_ours(self.directory) else self._moved_to()
        if found is None or not self._is_ours(found):
            raise Lost(
                f"{self.directory}: moved or removed while a training was running there; nothing more is written"
            )
        self.directory = found
        if not same_file(self._lock, self.way / NAME):
            self._lock_again()
        return found

    def is_at(self, directory: Path) -> bool:
        """Whether a directory is this one."""
        return same_file(self._lock, directory / NAME)

    def leave(self) -> None:
        """Gives the lock back, and takes away its file where that is still this one."""
        with suppress(OSError, LenetError):
            self.place()
            os.unlink(self.way / NAME)  # the file alone is no lock
        os.close(self._lock)
        if self._handle is not None:
            os.close(self._handle)

    def _is_ours(self, place: Path) -> bool:
        try:
            return self._handle is None or same_file(self._handle, place)
        except OSError:
            return False

    def _moved_to(self) -> Path | None:
        """The path by which the system knows the open directory."""
        if self._handle is None:
            return None
        try:
            if sys.platform == "darwin":
                import fcntl

                found = os.fsdecode(fcntl.fcntl(self._handle, _F_GETPATH, bytes(1024)).rstrip(b"\0"))
            else:
                found = os.readlink(f"/proc/self/fd/{self._handle}")
        except OSError:
            return None
        inside = os.path.relpath(found)
        return Path(found if inside.startswith("..") else inside)

    def _lock_again(self) -> None:
        """Puts back a lock that was taken away, unless another process has put one there."""
        path, place = self.way / NAME, self.directory
        make_way(path)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            raise Lost(f"{place}: another process has locked it; nothing more is written") from None
        except OSError as error:
            raise Lost(f"{place}: its lock was taken away, and cannot be put back: {error.strerror or error}") from None
        try:
            free = try_lock(handle)
        except NoLocks:
            free = _alone
        if not free:
            os.close(handle)
            raise Lost(f"{place}: another process has locked it; nothing more is written")
        with suppress(OSError):
            os.write(handle, json.dumps(_self()).encode())
        os.close(self._lock)
        self._lock = handle


def _way(handle: int) -> Path | None:
    """A path that leads into an open directory; None where the system has none."""
    path = Path(f"/proc/self/fd/{handle}")
    with suppress(OSError):
        if same_file(handle, path):
            return path
    return None


_HELD: list[Held] = []  # by this process


def held(directory: Path) -> Held | None:
    """This process's hold on a run directory; None where it has none."""
    return next((found for found in _HELD if found.is_at(directory)), None)


@contextmanager
def locked(directory: Path) -> Iterator[Held]:
    """Holds the run directory's lock within the block.

    The lock is the system's own, on the file `lock`, so that it ends with the process however that ends: a file left by
    a killed one is no lock. The file says who holds it.

    Raises:
        Busy: another process trains there; the message names it.
        LenetError: the file cannot be made, or there are no locks here and `go_without` was not said.
    """
    path = directory / NAME
    try:
        handle = _taken(path)
        found = None if handle is None else _signed(directory, handle)
    except NoLocks as error:
        raise LenetError(
            f"{directory}: cannot lock {NAME}: {error.strerror}: another training here would not be noticed; choose "
            "another place with --out, or say that nobody else is there with --no-lock (in Python, no_lock=True)"
        ) from None
    except OSError as error:
        raise LenetError(f"cannot write to {directory}: {error.strerror or error}") from None
    if found is None:
        raise Busy(f"{directory}: another training is running there: {holder(directory)}")
    _HELD.append(found)
    try:
        with numbered(directory):
            yield found
    finally:
        _HELD.remove(found)
        found.leave()


_alone = False  # whether somebody has said that nobody else is there


def go_without() -> None:
    """For this process: where there are no locks, trains without."""
    global _alone
    _alone = True


@contextmanager
def going_without(allowed: bool = True) -> Iterator[None]:
    """As `go_without`, within the block.

    Args:
        allowed: False changes nothing.
    """
    global _alone
    before, _alone = _alone, _alone or allowed
    try:
        yield
    finally:
        _alone = before


def _taken(path: Path) -> int | None:
    """The lock's file, locked where that can be; None where another process has it.

    Raises:
        NoLocks: there are none here, and nobody has said that nobody else is there.
    """
    was_there = path.exists()
    try:
        handle = take(path)
        if handle is not None and not _alone:
            _check(handle, path)
        return handle
    except OSError as error:
        if isinstance(error, NoLocks) and _alone:
            return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        if not was_there:
            with suppress(OSError):
                os.unlink(path)
        raise


def _check(handle: int, path: Path) -> None:
    """Refuses a lock that keeps nobody out, and gives it back."""
    try:
        if not excludes(handle, path):
            raise NoLocks(errno.ENOLCK, "the locks of this system keep nobody out")
    except BaseException:
        os.close(handle)
        raise


# Numbers of runs: runs/<name>/001 keeps its number while its training lives, also where it is renamed


def is_taken(parent: Path, number: int) -> bool:
    """Whether a training that lives was given this number, though its directory may have another name by now."""
    return _is_locked(_reservation(parent, f"{number:03d}"))


@contextmanager
def numbered(directory: Path) -> Iterator[None]:
    """Keeps the number that a directory has, where it is one of runs/<name>/<NNN>, for the block."""
    place = Path(os.path.realpath(directory))
    is_number = re.fullmatch("[0-9]{3,9}", place.name) and f"{int(place.name):03d}" == place.name
    path = handle = None
    if is_number and place.parent.parent.name == "runs":
        path = _reservation(place.parent, place.name)
        with suppress(OSError):  # then it is only the directory that keeps the number
            handle = take(path, 0.0)
    try:
        yield
    finally:
        if handle is not None and path is not None:
            with suppress(OSError):
                if same_file(handle, path):
                    os.unlink(path)
            os.close(handle)


def _reservation(parent: Path, number: str) -> Path:
    return parent / f".{number}.lock"


def is_locked(directory: Path) -> bool:
    """Whether a training is running in a run directory, on this machine or on one that shares the file's locks."""
    return _is_locked(directory / NAME)


def _is_locked(path: Path) -> bool:
    try:
        handle = os.open(path, _LOOK)
    except OSError:
        return False
    try:
        return not try_lock(handle, shared=True)
    except OSError:
        return False
    finally:
        os.close(handle)


def _signed(directory: Path, handle: int) -> Held:
    """Writes down who holds the lock; where that cannot be, nobody does."""
    try:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(_self()).encode())
        return Held(directory, handle)
    except BaseException:
        with suppress(OSError):
            os.unlink(directory / NAME)
        os.close(handle)
        raise


def _self() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def holder(directory: Path) -> str:
    """Who holds the lock of a run directory, in words."""
    try:
        with (directory / NAME).open("rb") as file:
            found = json.loads(file.read(1000))
        return f"process {int(found['pid'])} on {str(found['host'])[:60]}, since {str(found['since'])[:20]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said yet which process it is"
