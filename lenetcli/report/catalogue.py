"""What a configuration may name, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.config.wording import wanted
from lenetcli.inspect.catalogue import Offer, plain
from lenetcli.report.tables import plain_table


def tables(offers: list[Offer]) -> Iterator[RenderableType]:
    """A table for each section: name, arguments, place."""
    for section in dict.fromkeys(offer.section for offer in offers):
        place = "model.layers" if section == "layers" else section
        table = plain_table(place)
        table.add_column("type", no_wrap=True, style="bold")
        table.add_column(Text("arguments ([x] is inferred)" if section == "layers" else "arguments"))
        table.add_column("source", overflow="fold")
        for offer in (o for o in offers if o.section == section):
            table.add_row(offer.name, Text(offer.call), f"{offer.file}:{offer.line}")
        yield table
        yield ""


def described(offer: Offer) -> Iterator[RenderableType]:
    """One class in full: its docstring, a table of its arguments."""
    yield Text(f"{offer.name}  {offer.file}:{offer.line}", style="bold")
    yield ""
    yield Text(offer.doc, no_wrap=True, overflow="ignore")
    if not offer.arguments:
        return
    table = plain_table("\nin a configuration")
    for heading in ("key", "wanted", "default", "meaning"):
        table.add_column(heading)
    for a in offer.arguments:
        default = "inferred" if a.inferred else "required" if a.required else plain(a.default)
        want = "a mapping" + " or null" * (a.default is None) if a.keys else wanted(a.annotation)
        table.add_row(a.name, want, default, Text(a.description))
        for key in a.keys:
            table.add_row(f"  {key.name}", wanted(key.annotation), plain(key.default), Text(key.description))
    yield table
