"""`lenet layers`: what a configuration may name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lenetcli.cli import completion


def layers(
    name: Annotated[
        str | None, typer.Argument(help="Show this one in full.", show_default=False, autocompletion=completion.layers)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every layer, loss, optimizer, scheduler and data source with its arguments and its place in the source.

    Example: lenet layers Conv2d
    """
    from lenetcli.inspection.model.catalogue import offer, offers

    if as_json:
        found = [offer(name)] if name else offers()
        print(json.dumps([one.record() for one in found]))
        return
    from lenetcli.report.console import results
    from lenetcli.report.model.catalogue import described, tables

    console = results()
    for part in described(offer(name)) if name else tables(offers()):
        console.print(part)


def describe(
    name: Annotated[
        str,
        typer.Argument(
            help="A layer, loss, optimizer, scheduler or data source.", metavar="NAME", autocompletion=completion.layers
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe what a configuration may name: formula, arguments, shapes, example; as `lenet layers NAME` does.

    Example: lenet describe Conv2d
    """
    layers(name, as_json)
