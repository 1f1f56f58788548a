"""stdout and stderr while a run trains: where nobody reads any more, or nothing more can be written, the run goes on.

What is shown is lost then; metrics.jsonl has it all.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lenetcli.errors import LenetError

_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN, errno.ENXIO, errno.EBADF)  # and EIO of a closed terminal


class Outlet:
    """A stream that may go away: from then on what is written to it is dropped.

    Attributes:
        failure: why nothing more could be written, though somebody may be there to read; None where there was no such
            reason.
    """

    def __init__(self, stream: Any) -> None:
        self.failure: OSError | None = None
        self._stream, self._lost = stream, stream is None  # None: the program was started without it
        self._is_terminal = self._ask("isatty")

    def write(self, text: str) -> int:
        """Writes the text, or drops it; what the stream's encoding lacks is escaped."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError, AttributeError) as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Sends what has been written on its way."""
        try:
            self._stream.flush()
        except (OSError, ValueError, AttributeError) as error:
            self._lose(error)

    def isatty(self) -> bool:
        """Whether it is, or was, a terminal."""
        return bool(self._is_terminal)

    def fileno(self) -> int:
        """The system's number of it."""
        if self._stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return int(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)

    def drop(self) -> None:
        """What a lost stream still holds goes nowhere, or Python would complain about it when the program ends."""
        if not self._lost:
            return
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def _ask(self, name: str) -> Any:
        with suppress(OSError, ValueError, AttributeError):
            return getattr(self._stream, name)()
        return False

    def _lose(self, error: Exception) -> None:
        if self._lost:
            return
        self._lost = True
        gone = not isinstance(error, OSError) or error.errno in _GONE
        if isinstance(error, OSError) and not gone and not (error.errno == errno.EIO and self._is_terminal):
            self.failure = error
        self._stream = _Nowhere(self._stream)


class _Nowhere:
    """Takes what is written; all else is the lost stream's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)


@contextmanager
def outlets() -> Iterator[Outlet]:
    """Within the block sys.stdout and sys.stderr may go away; gives the former."""
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdout, Outlet):
        yield sys.stdout
        return
    out, err = Outlet(sys.stdout), Outlet(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
        out.flush()
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def surviving_outlets() -> Iterator[None]:
    """For a command that trains: as `outlets`, and says at the end what stdout could not take.

    Raises:
        LenetError: it was a full or broken disk, say; of a reader that went away nothing is said.
    """
    with outlets() as out:
        yield
    out.drop()
    if out.failure is not None:
        reason = out.failure.strerror or str(out.failure)
        raise LenetError(f"stdout: cannot be written: {reason}; the run went on without, and is saved")
