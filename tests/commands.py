"""Runs a command line in this process: what a process of its own does, but for half a second of imports."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
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

    with mock.patch.object(sys, "argv", ["lenet", *words]):
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
