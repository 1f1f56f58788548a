"""The processes of one training, and how they talk: sums, broadcasts, and what happens when one of them fails.

All waiting is done here in Python, with MPI's non-blocking calls: a rank looks for the others' answer a while and then
sleeps in between. On a busy machine that is many times faster than MPI's own waiting, which keeps the core that the
other rank needs; signals are heard; and a rank whose others do not answer any more ends with a message.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from lenetcli.errors import CheckFailed, ConfigError, DataError, DivergedError, LenetError, printable

Array = npt.NDArray[Any]
ERRORS = {error.exit_code: error for error in (LenetError, ConfigError, DataError, DivergedError, CheckFailed)}
PATIENCE = "LENET_MPI_TIMEOUT"  # seconds that a rank waits for the others
GRACE = 3.0  # seconds in which the others may fail, too, before one that failed stops them
LOOKS, NAP = 1000, 5e-5  # a few hundred microseconds of looking, then naps of so many seconds
UNUSUAL = 0.4  # seconds of waiting after a signal before a warning; Open MPI kills a second after it asks to end


class Silent(SystemExit):
    """Ends a process whose failure rank 0 tells."""


class Communicator:
    """All processes ("ranks") of a training. Rank 0 writes the run directory and prints.

    What talks to the others is called by all ranks at the same point of their work.
    """

    def __init__(self) -> None:
        import mpi4py

        mpi4py.rc.thread_level = "funneled"
        from mpi4py import MPI

        self._comm: Any = MPI.COMM_WORLD
        self._failures: Any = self._comm.Dup()  # never mixed up with what the others wait for
        self._in_place, self._errors = MPI.IN_PLACE, MPI.Exception
        self._failed_together = False
        self.library = " ".join(MPI.Get_library_version().split()[:3]).strip(",")
        self.rank, self.size, self.host = int(self._comm.rank), int(self._comm.size), platform.node()
        self.calls = self.bytes = 0  # of `all_reduce`
        self.advice: Callable[[], str] = str  # what a message about the end adds
        self.stopped: Callable[[], str | None] = lambda: None  # the signal that asked this rank to end
        self._patience = patience()

    @property
    def name(self) -> str:
        """This rank, as messages call it."""
        return f"rank {self.rank} on {self.host}"

    # Talking

    def all_reduce(self, array: Array) -> Array:
        """Adds the array up over all ranks, in place; every rank gets the same bits."""
        self.calls, self.bytes = self.calls + 1, self.bytes + array.nbytes
        self._wait(self._comm.Iallreduce(self._in_place, array))
        return array

    def broadcast(self, arrays: list[Array]) -> None:
        """Overwrites the arrays with those of rank 0."""
        for array in arrays:
            copy = np.array(array, order="C")
            self._wait(self._comm.Ibcast(copy))
            array[...] = copy

    def all_gather(self, value: Any) -> list[Any]:
        """The values (plain data) of all ranks, in their order."""
        own = np.frombuffer(json.dumps(value).encode(), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(np.array([own.size]), sizes))
        texts = np.empty(sizes.sum(), np.uint8)
        self._wait(self._comm.Iallgatherv(own, (texts, sizes)))
        return [json.loads(part.tobytes()) for part in np.split(texts, np.cumsum(sizes)[:-1])]

    def _wait(self, request: Any) -> None:
        """Until the others have done their part."""
        looks = 0
        began = warned = 0.0
        while not request.Test():
            looks += 1
            if looks < LOOKS:
                continue
            now = time.monotonic()
            began = began or now
            if now - began > self._patience:
                what = f"no answer from the other ranks for {self._patience:g} s ({PATIENCE})"
                self._abort(LenetError.exit_code, f"{what}: one hangs or has died")
            if self.rank < 2 and not warned and now - began > UNUSUAL and self.stopped():  # one of two that is alive
                self._say(f"got {self.stopped()} while waiting for the other ranks: has one died?")
                warned = now
            time.sleep(NAP)

    # Failing

    @contextmanager
    def barrier(self) -> Iterator[None]:
        """A failure of any rank within the block is one of all of them, after it.

        Raises:
            LenetError: on rank 0; it tells who failed and why, and has the exit code of the first that did.
            Silent: on the others.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        failures = self.all_gather(self._record(failure))
        if any(failures):
            self._end(failure, failures)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within the block an exception ends all ranks: in order where all fail alike, else by MPI's abort.

        Ranks that end well leave it together, since a launcher ends the others when one has ended with an exit code.
        """
        try:
            yield
            self._wait(self._comm.Ibarrier())
        except Exception as error:
            if self._failed_together:
                raise
            failed = self._record(error)
            request, patience = self._failures.Ibarrier(), time.monotonic() + GRACE
            while not request.Test():
                if time.monotonic() > patience:
                    self._abort(*failed[:2])
                time.sleep(0.01)
            self._end(error, self.all_gather(failed))  # all have failed: nobody waits for anything else
        except Silent:
            raise
        except (SystemExit, KeyboardInterrupt) as stopped:  # a second signal
            self._abort(stopped.code if isinstance(stopped, SystemExit) else 130, "interrupted")

    def _record(self, failure: Exception | None) -> Any:
        if failure is None:
            return None
        if isinstance(failure, LenetError):
            return [failure.exit_code, str(failure), self.name]
        return [LenetError.exit_code, f"{type(failure).__name__}: {failure}", self.name]

    def _end(self, failure: Exception | None, failures: list[Any]) -> NoReturn:
        """Ends all ranks with their failures; the same message of several is printed once."""
        self._failed_together = True
        failed = [entry for entry in failures if entry is not None]
        code, first = failed[0][:2]
        if self.rank != 0:
            raise Silent(code)
        if failure is not None and all(text == first for _, text, _ in failed):
            raise failure
        raise ERRORS[code]("; ".join(f"{name}: {text}" for _, text, name in failed))

    def _abort(self, code: Any, text: str) -> NoReturn:
        self._say(f"{text}; all ranks end.")
        self._comm.Abort(code)
        os._exit(code)  # where MPI's abort comes back

    def _say(self, text: str) -> None:
        print(printable(f"{self.name}: {text}{self.advice()}"), file=sys.stderr, flush=True)


def patience() -> float:
    """How long a rank waits for the others, in seconds: LENET_MPI_TIMEOUT, or ten minutes.

    Raises:
        ConfigError: that is no number above 0.
    """
    text = os.environ.get(PATIENCE, "600")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"{PATIENCE}: wanted a number of seconds above 0, got {text!r}")
    return seconds
