"""What a configuration may name, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lenetcli.config.wording import wanted
from lenetcli.inspect.catalogue import Offer, plain


def tables(offers: list[Offer]) -> Iterator[RenderableType]:
    """A table for each section: name, arguments, place."""
    for section in dict.fromkeys(offer.section for offer in offers):
        place = "model.layers" if section == "layers" else section
        table = Table(title=place, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, expand=False)
        table.add_column("type", no_wrap=True, style="bold")
        table.add_column("arguments ([x] is inferred)")
        table.add_column("source", no_wrap=True)
        for offer in (o for o in offers if o.section == section):
            table.add_row(offer.name, Text(offer.call), f"{offer.file}:{offer.line}")
        yield table


def described(offer: Offer) -> Iterator[RenderableType]:
    """One class in full: its docstring, a table of its arguments."""
    yield Text(f"{offer.name}  {offer.file}:{offer.line}", style="bold")
    yield ""
    yield Text(offer.doc)
    if not offer.arguments:
        return
    table = Table(title="in a configuration", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("key", "wanted", "default", "meaning"):
        table.add_column(heading)
    for a in offer.arguments:
        default = "inferred" if a.inferred else "required" if a.required else plain(a.default)
        table.add_row(a.name, wanted(a.annotation), default, Text(a.description))
    yield table
