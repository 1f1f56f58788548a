"""Runs a command line in this process or in a fork of it: what a new process does, but for half a second of imports."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    def assert_refused(self, code: int, message: str) -> None:
        """It said what is wrong, and nothing else."""
        assert (self.code, self.out) == (code, ""), self.err
        assert message in self.err, self.err


def called(words: Sequence[str]) -> int:
    """The exit code of `lenet WORDS`; it prints to wherever this process prints."""
    from lenetcli.cli.app import main

    main_module = sys.modules["__main__"]  # what `lenet` is called in usages and by shells depends on it
    with mock.patch.object(sys, "argv", ["lenet", *words]), mock.patch.object(main_module, "__package__", None):
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def run(words: Sequence[str], directory: Path, together: bool = False, **variables: str) -> Result:
    """Exit code and output of `lenet WORDS` in a directory, printed to no terminal; `together` as in `2>&1`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        inside(directory),
        mock.patch.dict(os.environ, variables),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out if together else err),
    ):
        code = called(words)
    return Result(code, *(stream.buffer.getvalue().decode("utf-8") for stream in (out, err)))


@contextlib.contextmanager
def inside(directory: Path) -> Iterator[None]:
    """In another working directory (contextlib.chdir, which Python 3.10 does not have)."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def forked(work: Callable[[], int], directory: Path, streams: Mapping[int, int], **variables: str | None) -> int:
    """The id of a process that does some work: a fork of this one, which has all imported.

    Args:
        work: gives the exit code.
        streams: 0, 1 or 2, and the descriptor that it is.
        variables: of the environment; None: not set.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: the parent has threads that do not matter
        child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.chdir(directory)
        for name, value in variables.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        for number, handle in streams.items():
            os.dup2(handle, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww")
        )
        code = work()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def exit_code(child: int) -> int:
    """Waits for the end of a process; minus the signal's number where one ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
