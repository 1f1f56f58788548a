"""`lenet layers`: what a configuration may name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import Json, show


def layers(
    name: Annotated[
        str | None, typer.Argument(help="Show this one in full.", show_default=False, autocompletion=completion.layers)
    ] = None,
    as_json: Json = False,
) -> None:
    """List every layer, loss, optimizer, scheduler and data source with its arguments and its place in the source.

    Example: lenet layers Conv2d
    """
    from lenetcli.inspection.model.catalogue import offer, offers

    found = [offer(name)] if name else offers()

    def drawing(_: Any) -> Any:
        from lenetcli.report.model.catalogue import described, tables

        return described(found[0]) if name else tables(found)

    show([one.record() for one in found], drawing, as_json)


def describe(
    name: Annotated[
        str,
        typer.Argument(
            help="A layer, loss, optimizer, scheduler or data source.", metavar="NAME", autocompletion=completion.layers
        ),
    ],
    as_json: Json = False,
) -> None:
    """Describe what a configuration may name: formula, arguments, shapes, example; as `lenet layers NAME` does.

    Example: lenet describe Conv2d
    """
    layers(name, as_json)
