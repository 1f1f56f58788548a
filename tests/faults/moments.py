"""What a training in a child process is at, and signals that are sent to it at that moment.

The child marks what it does in memory that it shares with its parent; the parent waits for a phase to begin for the
nth time, and a little longer, and sends.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import struct
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

PHASES = ("start", "a step", "evaluation", "saving", "end", "over")  # over: nothing more is written
START, STEP, EVALUATION, SAVING, END, OVER = range(len(PHASES))
_LOOK = 0.0003  # seconds between two looks
_PATIENCE = 30.0  # for a phase to come
_STOPPED = 0.05  # seconds for which SIGSTOP stops


class Marks:
    """Phases that a process has been in: the last one, and how often each began."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 64)

    def clear(self) -> None:
        """Before a process begins."""
        self._memory[:64] = bytes(64)

    def begin(self, phase: int) -> int:
        """The process comes to a phase; gives the one that it was in."""
        before = self.now()
        struct.pack_into("q", self._memory, 8 + 8 * phase, self.times(phase) + 1)
        struct.pack_into("q", self._memory, 0, phase)
        return before

    def now(self) -> int:
        """The phase that it is in."""
        return int(struct.unpack_from("q", self._memory, 0)[0])

    def times(self, phase: int) -> int:
        """How often it has come to one."""
        return int(struct.unpack_from("q", self._memory, 8 + 8 * phase)[0])

    def watch(self) -> None:
        """From now on this process marks what its trainings do."""
        from lenetcli import __main__ as program
        from lenetcli.runs.checkpoint import Checkpoints
        from lenetcli.runs.session import Session
        from lenetcli.train import loop

        real = loop.train_epoch

        def train_epoch(run: Any) -> Generator[Any, None, Any]:
            self.begin(STEP)
            return (yield from real(run))

        program._run = self._around(START, program._run, stay=True)  # its handlers are there
        loop.train_epoch = train_epoch
        loop.evaluate_split = self._around(EVALUATION, loop.evaluate_split)
        loop.evaluate_best = self._around(END, loop.evaluate_best, stay=True)
        follow = Session.follow

        def followed(*arguments: Any) -> Any:
            ended = follow(*arguments)
            self.begin(OVER)
            return ended

        Session.follow = followed  # type: ignore[method-assign]
        Checkpoints.save = self._around(SAVING, Checkpoints.save)  # type: ignore[method-assign]

    def _around(self, phase: int, work: Callable[..., Any], stay: bool = False) -> Callable[..., Any]:
        def marked(*arguments: Any) -> Any:
            before = self.begin(phase)
            try:
                return work(*arguments)
            finally:
                if not stay:
                    self.begin(before)

        return marked


def send(child: int, marks: Marks, wish: dict[str, Any]) -> str | None:
    """Sends a signal when its moment has come; gives the phase that the process was in, None where it had ended.

    Args:
        wish: {"signal": name, "phase": number, "nth": how often it must have begun, "after": seconds since then};
            in place of a signal {"take": path, "how": as `take_away` knows it, "other": what comes in its place}.
    """
    end = time.monotonic() + _PATIENCE
    while marks.times(wish["phase"]) < wish["nth"] and time.monotonic() < end:
        if _over(child):
            return None
        time.sleep(_LOOK)
    time.sleep(wish["after"])
    if _over(child):
        return None
    phase = PHASES[marks.now()]
    if "take" in wish:
        done = take_away(Path(wish["take"]), wish["how"])
        if done and "other" in wish:
            shutil.copytree(wish["other"], wish["take"])
        phase = PHASES[OVER] if marks.now() == OVER else phase  # it may have come to that meanwhile
        return phase if done else None
    number = getattr(signal, f"SIG{wish['signal']}")
    os.kill(child, number)
    if number == signal.SIGSTOP:
        time.sleep(_STOPPED)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
    return phase


def take_away(path: Path, how: str) -> bool:
    """Does to a file or directory what its user might; false where it is not there.

    Args:
        how: "renamed", "removed", "emptied", "replaced" by something of another kind, "linked" to where it is now.
    """
    if not path.exists():
        return False
    away, folder = path.with_name(f"{path.name}-away"), path.is_dir()
    try:
        if how == "emptied" and not folder:
            os.truncate(path, 0)
            return True
        path.rename(away)  # at once
        if how in ("removed", "emptied"):
            shutil.rmtree(away) if folder else away.unlink()
        if how == "emptied" or (how == "replaced" and not folder):
            path.mkdir()
        elif how == "replaced":
            path.write_bytes(b"something else")
        elif how == "linked":
            path.symlink_to(away)
    except OSError:  # the training was faster
        return False
    return True


def _over(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
