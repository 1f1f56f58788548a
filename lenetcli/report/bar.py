"""The progress bar that all long work shows."""

from __future__ import annotations

import time
from typing import Any

from rich.progress import Progress, ProgressColumn, TaskID

from lenetcli.background import begun

PAUSE = 0.1  # seconds, as rich's own


class Bar(Progress):
    """Rich's progress bar, which a thread draws; where none can begin, the steps that are told draw it."""

    def __init__(self, *columns: ProgressColumn, **options: Any) -> None:
        super().__init__(*columns, auto_refresh=bool(begun(int)), **options)
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
