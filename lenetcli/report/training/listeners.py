"""What shows a run while it trains: progress and, where it was asked for, TensorBoard's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from lenetcli.report.training.outlet import outlets
from lenetcli.report.training.progress import Listener, Mode, listener
from lenetcli.report.training.tensorboard import TensorBoard
from lenetcli.runs.session import Session


@contextmanager
def showing(session: Session, mode: Mode, tensorboard: bool = False) -> Iterator[list[Listener]]:
    """The listeners that show a session's run, closed after the block; where nobody looks any more, it goes on."""
    with outlets(), ExitStack() as opened:
        run, place = session.run, session.directory
        found: list[Listener] = [opened.enter_context(closing(listener(mode, run.epochs, run.steps)))]
        if tensorboard:
            assert place is not None, "a run in memory is refused"
            found.append(opened.enter_context(closing(TensorBoard(run, place))))
        yield found
