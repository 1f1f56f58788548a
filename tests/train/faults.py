"""Stops a training at any call that the disk sees: kills the process there, or makes the call fail."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

# every function through which lenetcli.disk, train and shutil.rmtree change what is on disk
CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir", "ftruncate")
REAL = {name: getattr(os, name) for name in CALLS}
LATER = (
    "write",
    "fsync",
    "close",
    "ftruncate",
    "unlink",
    "rmdir",
)  # make no names; what they take away is gone at once
FILLING = ("open", "write", "fsync", "mkdir")  # what a full disk refuses


class Boundary:
    """Counts the calls, and acts when its number comes. A write has two: before it, and with half of it on disk."""

    def __init__(self, number: int | None, act: Callable[[], None]) -> None:
        self.number, self.act, self.count = number, act, 0

    def passed(self, half: bool = False) -> bool:
        """Takes the next number, perhaps in the middle of a write; true where it was the one, and we still live."""
        self.count += 1
        if self.count == self.number:
            self.act()
            return True
        return False


class Changes(Boundary):
    """Notes the boundaries that find other files than the one before: a kill at any other leaves the very same ones.

    Args:
        place: the directory that is watched.
    """

    def __init__(self, place: Path) -> None:
        super().__init__(None, lambda: None)
        self.place, self.numbers = place, list[int]()
        self.files: dict[Path, bytes | None] | None = None

    def passed(self, half: bool = False) -> bool:
        """Compares names and contents; half a write is always news."""
        files = {path: path.read_bytes() if path.is_file() else None for path in self.place.rglob("*")}
        if half or files != self.files:
            self.numbers.append(self.count + 1)
        self.files = files
        return super().passed(half)


class Disk:
    """What a disk may lose when the power fails: bytes and names that were not synced.

    Args:
        place: the directory that is watched.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.aside = place, place.with_name("aside")
        self.sizes = {p.stat().st_ino: p.stat().st_size for p in place.rglob("*") if p.is_file()}
        self.undo: list[tuple[Path, Callable[[], Any]]] = []  # a directory, and what takes back a name in it

    def before(self, name: str, args: tuple[Any, ...]) -> None:
        """Notes how to take back a call that makes or moves a name."""
        path = Path(args[1] if name in ("rename", "replace") else args[0]) if args and name not in LATER else None
        if path is None or self.place not in (path, *path.parents):
            return
        if name == "mkdir":
            self.undo.append((path.parent, lambda: shutil.rmtree(path)))
        elif name == "open" and args[1] & os.O_CREAT and not path.exists():
            self.undo.append((path.parent, path.unlink))
        elif name in ("rename", "replace"):
            kept = self.aside / f"{len(self.undo)}"
            if path.is_file():
                self.aside.mkdir(exist_ok=True)
                kept.unlink(missing_ok=True)
                kept.hardlink_to(path)
                self.undo.append((path.parent, lambda: kept.replace(path)))
            self.undo.append((path.parent, lambda: path.rename(args[0])))

    def synced(self, handle: int) -> None:
        """Takes note that a file's bytes, or a directory's names, are on disk."""
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            safe = [d for d, _ in self.undo if d.exists() and os.path.samestat(found, d.stat())]
            self.undo = [(d, action) for d, action in self.undo if d not in safe]
        else:
            self.sizes[found.st_ino] = found.st_size

    def fail(self) -> None:
        """Loses all that may be lost."""
        for _, action in reversed(self.undo):
            with suppress(OSError):
                action()
        for path in self.place.rglob("*"):
            if path.is_file() and path.stat().st_size > self.sizes.get(path.stat().st_ino, 0):
                os.truncate(path, self.sizes.get(path.stat().st_ino, 0))


@contextmanager
def watched(boundary: Boundary, disk: Disk | None = None) -> Iterator[None]:
    """Within the block every call of CALLS is a boundary."""

    def wrapped(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            boundary.passed()
            if name == "write":
                half = len(args[1]) // 2
                if boundary.count + 1 == boundary.number:
                    real(args[0], args[1][:half])
                boundary.passed(half=True)
            if disk is not None:
                disk.before(name, args)
            result = real(*args, **options)
            if disk is not None and name == "fsync":
                disk.synced(args[0])
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name))
        yield


@contextmanager
def refusing(number: int, error: int, lasting: bool) -> Iterator[Boundary]:
    """Within the block the call of this number fails; with `lasting` also all later ones that need room on the disk."""
    boundary = Boundary(None, lambda: None)

    def wrapped(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            fills = name in FILLING and (name != "open" or args[1] & os.O_CREAT)
            if name == "close" or (lasting and not fills):  # close cannot fail for want of room
                return real(*args, **options)
            boundary.count += 1
            if boundary.count == number or (lasting and boundary.count > number):
                raise OSError(error, os.strerror(error))
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name))
        yield boundary


def boundaries(work: Callable[[], Any]) -> int:
    """How many boundaries the work has."""
    boundary = Boundary(None, lambda: None)
    with watched(boundary):
        work()
    return boundary.count


def changes(work: Callable[[], Any], place: Path) -> list[int]:
    """The boundaries of the work that find other files in a directory than the one before."""
    boundary = Changes(place)
    with watched(boundary):
        work()
    return boundary.numbers


def killed_at(number: int, work: Callable[[], Any], power: Path | None = None) -> bool:
    """Does the work in a process of its own that dies by SIGKILL at a boundary; whether it got that far.

    Args:
        power: the power fails there, too, and what is in this directory loses what it has not synced.
    """
    disk = None if power is None else Disk(power)

    def die() -> None:
        if disk is not None:
            for name in CALLS:
                setattr(os, name, REAL[name])
            disk.fail()
        os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12: the parent has threads; they do not matter here
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            with watched(Boundary(number, die), disk):
                work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed by itself"
    return False


NO_ROOM, BROKEN = errno.ENOSPC, errno.EIO
