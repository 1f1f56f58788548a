"""The progress bar that all long work shows, where a terminal can draw it again and again."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

from lenetcli.background import begun
from lenetcli.report.console import is_animated

PAUSE = 0.1  # seconds, as rich's own


class Bar(Progress):
    """Rich's progress bar, which a thread draws; where none can begin, the steps that are told draw it.

    Args:
        console: where it goes; it stays away from a pipe, and from a terminal that cannot move its cursor (TERM=dumb).
    """

    def __init__(self, *columns: ProgressColumn, console: Console, **options: Any) -> None:
        off = not is_animated(console)
        super().__init__(*columns, console=console, auto_refresh=bool(begun(int)), disable=off, **options)
        self._drawn = 0.0

    def start(self) -> None:
        """See rich."""
        try:
            super().start()
        except (RuntimeError, MemoryError):  # other threads have begun since, and this one cannot
            self.live.stop()
            self.live.auto_refresh = False
            super().start()

    def update(self, task_id: TaskID, **told: Any) -> None:
        """See rich."""
        super().update(task_id, **told)
        if not self.live.auto_refresh and time.monotonic() - self._drawn > PAUSE:
            self.refresh()
            self._drawn = time.monotonic()
