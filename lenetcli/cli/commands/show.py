"""`lenet show`: a configuration with everything filled in, and the branches of its model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from lenetcli.cli.options import Config, Json, Overrides, check_place
from lenetcli.errors import ConfigError, DataError, printable


def show(
    config: Config,
    overrides: Overrides = None,
    graph: Annotated[bool, typer.Option("--graph", help="Draw the model's layers and what each takes.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with that drawing.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a configuration fully resolved: section files, changes, inferred arguments and defaults written in.

    In a terminal, a model with branches is drawn below it, in comment lines. A class of a file that you have not
    trained with stays as it is written: nothing is imported to be shown.

    Example: lenet show configs/lenet.yaml optimizer.lr=0.1
    """
    from lenetcli import config as configuration
    from lenetcli.build.model import follow
    from lenetcli.build.notes import notes_of
    from lenetcli.build.parts import resolved
    from lenetcli.build.scheduler import with_lengths
    from lenetcli.config import consent
    from lenetcli.config.writing import plain
    from lenetcli.disk import write_file
    from lenetcli.report.console import results

    check_place(html, "--html")
    with consent.under(look=True):
        found = with_lengths(resolved(configuration.load(config, overrides or [])))
        strangers = found.strangers()
        notes: tuple[str, ...] = ()
        if found.model.init is not None and not strangers:
            try:
                notes = notes_of(found, follow(found))
            except DataError as error:  # to be shown, a configuration needs no file
                notes = (str(error),)
    if strangers:
        names = ", ".join(dict.fromkeys(stranger.what for stranger in strangers))
        print(printable(f"{config}: {names} is not imported: what follows from it stays as it is"), file=sys.stderr)
    for note in notes:
        print(printable(f"{config}: {note}"), file=sys.stderr)
    if strangers and (graph or html is not None):
        raise ConfigError("the model cannot be drawn while a class of it is not imported: --allow-code does")
    console = results()
    branches = any(layer.inputs for layer in _all(found.model.layers))
    if html is not None or graph or (branches and console.is_terminal and not as_json and not strangers):
        from lenetcli.inspection.model.wiring import wired
        from lenetcli.report.model.wiring import draw, page

        sample = tuple(found.model.input)
        places = wired(follow(found).model, sample)
    if html is not None:
        text = page(found.name, places, sample, configuration.dump(found))
        write_file(html, text.encode())
        print(printable(f"{html}: {len(text.encode()) / 1000:,.0f} kB"), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(plain(found)))
    elif graph:
        for part in draw(places, sample):
            console.print(part, crop=False)
    elif html is None:
        print(configuration.dump(found, sys.stdout.encoding), end="")
        if branches and console.is_terminal and not strangers:
            console.width -= 2
            with console.capture() as drawing:
                for part in draw(places, sample):
                    console.print(part)
            print("\n".join(f"# {line}".rstrip() for line in drawing.get().splitlines()))


def _all(layers: Any) -> Iterator[Any]:
    """The layers of a configuration, with those within others."""
    for layer in layers:
        yield layer
        yield from _all(layer.layers)
