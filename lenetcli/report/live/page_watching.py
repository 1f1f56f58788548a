"""`lenet watch --html` and `--serve`: the page of a run that goes on, made again as there is something new."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lenetcli.disk import write_file
from lenetcli.inspection.training.newest import Newest
from lenetcli.report.live.page import page
from lenetcli.report.live.server import serving
from lenetcli.report.live.watching import Watch
from lenetcli.train.signals import until_interrupted

PAUSE = 2.0  # seconds between two looks, and after which the page is read again


class LivePage:
    """The page of one run as it is now."""

    def __init__(self, watch: Watch, newest: Newest) -> None:
        self.watch, self.newest = watch, newest
        self.goes_on = True
        self.data = b""
        self.make()

    def make(self) -> bool:
        """Looks, and makes the page again where there is something new; True where it did."""
        news = [self.watch.read_on(), self.newest.look_on()]
        went_on, self.goes_on = self.goes_on, self.watch.goes_on
        if self.data and not any(news) and went_on == self.goes_on:
            return False
        refresh = PAUSE if self.goes_on else None
        self.data = page(self.watch.watched, self.newest.look, self.newest.problem, refresh).encode()
        return True


def write_pages(live: LivePage, place: Path) -> None:
    """Writes the page again and again until the run is over or somebody ends it by Ctrl-C."""
    write_file(place, live.data)
    with until_interrupted():
        while live.goes_on:
            time.sleep(PAUSE)
            if live.make():
                write_file(place, live.data)


def serve(live: LivePage, port: int, tell: Callable[[str], None]) -> None:
    """Gives the page to who asks for it on this machine, until somebody ends that by Ctrl-C.

    Args:
        tell: takes the address.

    Raises:
        ConfigError: another program has the port.
    """
    with until_interrupted(), serving(lambda: live.data, port) as address:
        tell(address)
        while True:
            time.sleep(PAUSE)
            live.make()
