"""What shows a run while it trains: progress and, where it was asked for, TensorBoard's files.

Whatever goes wrong with showing is said in a line. What the training is, and how it ends, does not change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from lenetcli.errors import printable
from lenetcli.report.console import Terminal, is_animated, is_looked_at
from lenetcli.report.training.outlet import outlets
from lenetcli.report.training.progress import Listener, Mode, listener
from lenetcli.runs.session import Session
from lenetcli.train.events import Event
from lenetcli.train.run import Run


@contextmanager
def showing(session: Session, mode: Mode, tensorboard: bool = False) -> Iterator[list[Listener]]:
    """The listeners that show a session's run, closed after the block; where nobody looks any more, it goes on."""
    with outlets(), ExitStack() as opened:
        run, place = session.run, session.directory
        shown = Forgiven(_progress(mode, run, place), "progress is not shown any more")
        found: list[Listener] = [opened.enter_context(closing(shown))]
        if tensorboard:
            from lenetcli.report.training.tensorboard import TensorBoard

            assert place is not None, "a run in memory is refused"
            files = Forgiven(TensorBoard(run, place, tell), "nothing more is written for TensorBoard")
            found.append(opened.enter_context(closing(files)))
        yield found


def _progress(mode: Mode, run: Run, place: Path | None) -> Listener:
    """In a notebook the modes that draw anew do so in the cell's output; a pipe and a dumb terminal get lines."""
    if mode in ("auto", "bar", "live") and in_notebook():
        from lenetcli.report.training.notebook_progress import NotebookTable

        return NotebookTable(run.epochs, run.steps)
    if mode == "live":
        from lenetcli.report.live.training import LiveView

        console = Terminal(highlight=False, force_jupyter=False)
        if is_looked_at(sys.stdout) and is_animated(console):
            return LiveView(run, str(place or "in memory"), console)
        mode = "plain"
    return listener(mode, run.epochs, run.steps)


def in_notebook() -> bool:
    """Whether Python runs in a kernel, whose outputs are cells and can be drawn anew."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class Forgiven:
    """A listener that ends when it fails, and the training does not.

    Args:
        loss: what is said then.
    """

    def __init__(self, shown: Listener, loss: str) -> None:
        self.shown, self.loss = shown, loss
        self.failed = False

    def __call__(self, event: Event) -> None:
        """Hands the event on."""
        if not self.failed:
            try:
                self.shown(event)
            except (Exception, SystemExit) as error:  # rich ends the program where nobody reads its output any more
                self._fail(error)

    def close(self) -> None:
        """Closes it, whatever state it is in."""
        try:
            self.shown.close()
        except (Exception, SystemExit) as error:
            if not self.failed:
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.failed = True
        tell(self.loss, error)


def tell(what: str, error: BaseException) -> None:
    """Says on stderr, if there is one, what is not shown and why; nothing where nobody reads any more."""
    if not isinstance(error, (BrokenPipeError, SystemExit)):
        with suppress(Exception):
            print(printable(f"{what} ({type(error).__name__}: {error}); the training goes on"), file=sys.stderr)
