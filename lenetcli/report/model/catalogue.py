"""What a configuration may name, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.config.messages import wanted
from lenetcli.config.signature import Argument
from lenetcli.inspection.model.catalogue import Offer, plain
from lenetcli.report.columns import Column, Columns


def tables(offers: list[Offer]) -> Iterator[RenderableType]:
    """A table for each section: name, arguments, place."""
    for section in dict.fromkeys(offer.section for offer in offers):
        place = "model.layers" if section == "layers" else section
        inside = [o for o in offers if o.section == section]
        inferred = any(a.inferred for o in inside for a in o.arguments)
        title = "arguments ([x] is inferred)" if inferred else "arguments"
        yield Text(place, style="bold")
        yield Columns([
            Column("type", [o.name for o in inside], fold=True),
            Column(title, [o.call for o in inside],
                   fold=True),
            Column("source", [f"{o.file}:{o.line}" for o in inside], fold=True),
        ])  # fmt: skip
        yield ""


def described(offer: Offer) -> Iterator[RenderableType]:
    """One class in full: its docstring, a table of its arguments."""
    yield Text(f"{offer.name}  {offer.file}:{offer.line}", style="bold")
    yield ""
    yield Text(offer.doc, no_wrap=True, overflow="ignore")
    if not offer.arguments:
        return
    rows = [row for a in offer.arguments for row in _rows(a)]
    yield Text("\nin a configuration", style="bold")
    titles = ("key", "wanted", "default", "meaning")
    yield Columns([Column(title, [row[i] for row in rows], fold=True) for i, title in enumerate(titles)])


def _rows(a: Argument) -> Iterator[tuple[str, str, str, str]]:
    """An argument, and the keys of one that is a mapping."""
    default = "inferred" if a.inferred else "required" if a.required else plain(a.default)
    want = "a mapping" + " or null" * (a.default is None) if a.keys else wanted(a.annotation)
    yield a.name, want, default, a.description
    for key in a.keys:
        yield f"  {key.name}", wanted(key.annotation), plain(key.default), key.description
