"""What a command writes to a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT


def told(
    place: Path,
    words: Sequence[str],
    variables: Mapping[str, str],
    size: tuple[int, int] | None = None,
    reads: bool = False,
) -> str:
    """What `lenet WORDS` writes in a directory, where it has to end well.

    Args:
        variables: of the environment, instead of this process's own size and colours.
        size: lines and columns of the terminal.
        reads: its input comes from the terminal, too.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    if size is not None:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    known = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    running = subprocess.Popen(
        [sys.executable, "-m", "lenetcli", *words],
        cwd=place,
        env={**known, "PYTHONPATH": str(ROOT), **variables},
        stdin=theirs if reads else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert running.wait() == 0, shown.decode()
    return shown.decode()
