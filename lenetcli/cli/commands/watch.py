"""`lenet watch`: a run of another process, while it trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import check_place, without_places
from lenetcli.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from lenetcli.report.live.watching import Watch


def watch(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run directories, or directories of runs.", metavar="RUN... [K=V ...]", autocompletion=completion.runs
        ),
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page of one run, again and again while it trains.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show that page to browsers on this machine, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --serve; 0 is any that is free.")] = 8765,
    image: Annotated[
        int, typer.Option(min=0, metavar="INDEX", help="The test sample whose feature maps the page shows.")
    ] = 0,
) -> None:
    """Watch runs while they train: curves, rate, speed, time left, gradients of the layers, confusion.

    They are read from their metrics.jsonl as it grows, so that they may be another process's, or another machine's on a
    shared disk. Of a run that is over, the last picture is printed. Ctrl-C ends the view, not the training.

    The page shows filters, feature maps and the graph of the next step, too, as the newest checkpoint has them.

    Example: lenet watch runs/lenet/001
    """
    from lenetcli.report.console import Terminal, is_looked_at, results
    from lenetcli.report.live.watching import watch

    if html is not None and serve:
        raise ConfigError("--html and --serve: give one")
    check_place(html, "--html")
    words, changed = without_places(runs)
    found = _found(list(map(Path, words)))
    if html is None and not serve:
        if changed:
            raise ConfigError(f"{' '.join(changed)}: only the page, of --html or --serve, needs a run's data")
        watch(found, Terminal(highlight=False) if is_looked_at(sys.stdout) else results())
        return
    if len(found) > 1:
        raise ConfigError(f"a page shows one run, these are {len(found)}: lenet report RUN... compares them")
    _show_page(found[0], changed, html, port, image)


def _found(runs: list[Path]) -> list[Watch]:
    """The runs that can be watched; of several, one that cannot is told and left out."""
    from lenetcli.report.live.watching import Watch
    from lenetcli.runs.selection import select, tell_left_out

    if not runs:
        raise ConfigError("which run? Name a run directory")
    places, others = select(runs)
    tell_left_out(others)
    found, failed = [], None
    for place in places:
        try:
            one = Watch(place)
            if not one.goes_on:
                one.growing.gathered.check(place / "metrics.jsonl")
            found.append(one)
        except DataError as error:
            if len(places) > 1:
                print(printable(f"left out: {error}"), file=sys.stderr)
            failed = error
    if not found:
        assert failed is not None, "there is a run at least"
        raise failed
    return found


def _show_page(found: Watch, changed: list[str], html: Path | None, port: int, image: int) -> None:
    from lenetcli.inspection.training.newest import Newest
    from lenetcli.report.live.page_watching import LivePage, serve, write_pages

    live = LivePage(found, Newest(found.place, changed, image))
    if html is not None:
        write_pages(live, html)
        print(f"{html}: {len(live.data) / 1000:,.0f} kB")
    else:
        serve(live, port, lambda address: print(f"{address} (Ctrl-C ends it)", flush=True))
