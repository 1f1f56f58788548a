"""Downloads as they go: a bar in a terminal, a line a file elsewhere. All on stderr."""

from __future__ import annotations

from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from lenetcli.data.download import Progress as Step
from lenetcli.report.bar import Bar
from lenetcli.report.console import Terminal


class Downloads:
    """A context that is told every step of a download."""

    def __init__(self) -> None:
        self.console = Terminal(stderr=True, highlight=False, soft_wrap=True)
        self.bar = Bar(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )  # fmt: skip
        self.tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Downloads:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def __call__(self, step: Step) -> None:
        key = (step.file, step.mirror)
        if key not in self.tasks:
            self.tasks[key] = self.bar.add_task(step.file, total=step.total)
            if self.bar.disable:
                size = "" if step.total is None else f", {step.total:,} bytes"
                self.console.print(f"getting {step.file} from {step.mirror}{size}", markup=False)
        self.bar.update(self.tasks[key], completed=step.done)
