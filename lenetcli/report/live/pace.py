"""How often something is drawn: so seldom that it takes next to nothing of the processor's time."""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.004  # of the thread's time
LEAST = 0.25  # seconds between two drawings


class Pace:
    """Says when to draw: what a drawing costs decides when the next one may come.

    Example:
        >>> pace = Pace()
        >>> pace.draw(lambda: None), pace.due()
        (None, False)
    """

    def __init__(self, share: float = SHARE, least: float = LEAST) -> None:
        self.share, self.least = share, least
        self._next = 0.0

    def due(self) -> bool:
        """Whether the time has come."""
        return time.monotonic() >= self._next

    def draw(self, drawing: Callable[[], None]) -> None:
        """Draws, and notes what that took."""
        began = time.thread_time()
        try:
            drawing()
        finally:
            cost = time.thread_time() - began
            self._next = time.monotonic() + max(self.least, cost / self.share)
