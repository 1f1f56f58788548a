"""Stops a training at any call that the disk sees: kills the process there, or makes the call fail."""

from __future__ import annotations

import errno
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# every function through which lenetcli.disk, train and shutil.rmtree change what is on disk
CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir", "ftruncate")
FILLING = ("open", "write", "fsync", "mkdir")  # what a full disk refuses


class Boundary:
    """Counts the calls, and acts when its number comes. A write has two: before it, and with half of it on disk."""

    def __init__(self, number: int | None, act: Callable[[], None]) -> None:
        self.number, self.act, self.count = number, act, 0

    def passed(self) -> bool:
        """Takes the next number; true where it was the one, and the action let us live."""
        self.count += 1
        if self.count == self.number:
            self.act()
            return True
        return False


@contextmanager
def watched(boundary: Boundary) -> Iterator[None]:
    """Within the block every call of CALLS is a boundary."""

    def wrapped(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            boundary.passed()
            if name == "write":
                half = len(args[1]) // 2
                if boundary.count + 1 == boundary.number:
                    real(args[0], args[1][:half])
                boundary.passed()
            return real(*args, **options)

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


def killed_at(number: int, work: Callable[[], Any]) -> bool:
    """Does the work in a process of its own that dies by SIGKILL at a boundary; whether it got that far."""

    def die() -> None:
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
            with watched(Boundary(number, die)):
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
