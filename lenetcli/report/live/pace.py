"""How often something is drawn: so seldom that it takes next to nothing of the processor's time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

SHARE = 0.002  # of the process's time
LEAST = 0.25  # seconds between two drawings
CPUS = os.cpu_count() or 1
MOST = 30.0  # the same, where the process hardly gets any time


class Pace:
    """Says when to draw: what a drawing costs decides when the next one may come.

    It is the process's own time that counts: on a machine that others use, too, there is less of it in a second.

    Example:
        >>> pace = Pace()
        >>> pace.draw(lambda: None), pace.due()
        (None, False)
    """

    def __init__(self, share: float = SHARE, least: float = LEAST) -> None:
        self.share, self.least = share, least
        self._next = self._latest = self._time = 0.0

    def due(self) -> bool:
        """Whether the time has come."""
        now = time.monotonic()
        if now < self._next:
            return False
        left = self._time - time.process_time()
        if left > 0 and now < self._latest:
            self._next = now + max(self.least, left / CPUS)  # it cannot come earlier
            return False
        return True

    def draw(self, drawing: Callable[[], None]) -> None:
        """Draws, and notes what that took."""
        began = time.thread_time()
        try:
            drawing()
        finally:
            cost = time.thread_time() - began
            now = time.monotonic()
            self._next, self._latest = now + self.least, now + MOST
            self._time = time.process_time() + cost / self.share
