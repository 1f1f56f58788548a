"""What a command writes to a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.commands import called, exit_code, forked


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
    known = dict.fromkeys(("COLUMNS", "FORCE_COLOR", "NO_COLOR"))
    with open(os.devnull) as nothing:
        streams = {0: theirs if reads else nothing.fileno(), 1: theirs, 2: theirs}
        child = forked(lambda: called(words), place, streams, **{**known, **variables})
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
    assert exit_code(child) == 0, shown.decode()
    return shown.decode()
