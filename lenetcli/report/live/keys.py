"""Keys pressed in a terminal, one by one, without waiting for them; none where there is no terminal.

Ctrl-C and Ctrl-Z stay what they are.
"""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from typing import Any


class Keys:
    """The keyboard of stdin, while it is open.

    A process in the background may not touch its terminal: there it reads nothing.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        self._before: Any = None

    def open(self) -> bool:
        """Lets single keys be read; False where none can."""
        try:
            import termios
            import tty

            fd = sys.stdin.fileno()
            if not os.isatty(fd) or os.tcgetpgrp(fd) != os.getpgrp():
                return False
            self._before = termios.tcgetattr(fd)
            tty.setcbreak(fd, termios.TCSANOW)
        except (ImportError, OSError, ValueError, AttributeError):
            return False
        except Exception as error:  # termios has an error of its own
            if type(error).__module__ != "termios":
                raise
            return False
        self._fd = fd
        return True

    def pressed(self, seconds: float = 0.0) -> str:
        """The keys that have been pressed; waits so long for one. Where none can be, it is only a pause."""
        if self._fd is None:
            if seconds:
                time.sleep(seconds)
            return ""
        try:
            if not select.select([self._fd], [], [], seconds)[0]:
                return ""
            found = os.read(self._fd, 64)
        except (OSError, ValueError):
            found = b""
        if not found:  # the terminal is closed: nobody will press any more
            self._fd = None
        return found.decode("ascii", "ignore")

    def close(self) -> None:
        """Makes the terminal what it was."""
        if self._before is not None:
            import termios

            with suppress(Exception):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
        self._fd = self._before = None
