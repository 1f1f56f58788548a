"""Attention and gates as pictures: in the terminal, and as one picture for a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from lenetcli.display.png import Pixels, signed
from lenetcli.errors import plain_text
from lenetcli.inspection.data.contact_sheet import Sheet
from lenetcli.inspection.model.inner_views import InnerMaps
from lenetcli.report.data.contact_sheet import ContactSheet

PAPER = 208  # gray between the pictures
GAP = 4
SIDE = 136  # pixels of a picture's longer side in a file, about
WIDEST = 768  # pixels of a picture's row in a file, about


def draw_inside(found: Sequence[InnerMaps], colours: bool, written: str | None = None) -> Iterator[RenderableType]:
    """A row of pictures for each layer.

    Args:
        colours: sign and size are told by colours; else by shades.
        written: the file that has the pictures; they are not drawn then.
    """
    for maps in found:
        names = ", ".join(maps.names)
        yield Text(f"{plain_text(maps.layer)} {maps.kind}: {names}; {told(maps, colours or written is not None)}")
        if written is None:
            yield ContactSheet(Sheet(np.stack(list(_drawn(maps, colours))), tuple(maps.names)))
    if written is not None:
        yield Text(f"written to {written}, in the order above")


def told(maps: InnerMaps, colours: bool) -> str:
    """What goes where, and what colours or shades say."""
    rows, columns = maps.maps[0].shape
    if maps.rows == "query":
        scale = f"{'white' if colours else 'dark'} 0, {'blue' if colours else 'light'} the largest of the layer"
    else:
        scale = "blue above 0, orange below, full at 1" if colours else "light 1, dark -1"
    return f"each {rows} × {columns}: down goes {maps.rows}, to the right {maps.columns}; {scale}"


def pixels(maps: InnerMaps) -> list[Pixels]:
    """Each picture in colours: attention beside the layer's largest, gates beside 1, a cell beside its own largest."""
    most = max((float(np.abs(np.nan_to_num(values)).max(initial=0)) for values in maps.maps), default=0.0)
    if maps.rows == "query":
        return [signed(values, most) for values in maps.maps]
    return [signed(values, max(1.0, float(np.abs(np.nan_to_num(values)).max(initial=0)))) for values in maps.maps]


def _drawn(maps: InnerMaps, colours: bool) -> Iterator[Pixels]:
    most = max(float(np.nan_to_num(values).max(initial=0)) for values in maps.maps)
    for values, colour in zip(maps.maps, pixels(maps)):
        shown = colour
        if not colours:  # 0 is black for attention, in the middle for gates
            light = np.nan_to_num(values) / (most or 1) if maps.rows == "query" else np.nan_to_num(values) / 2 + 0.5
            shown = np.repeat((light.clip(0, 1) * 255).round().astype(np.uint8)[..., None], 3, axis=2)
        zoom = max(1, 16 // max(shown.shape[:2]))
        yield shown.repeat(zoom, axis=0).repeat(zoom, axis=1)


def inner_picture(found: Sequence[InnerMaps]) -> Pixels:
    """All pictures as one: a row for each layer, or where they are wide for each of its pictures."""
    strips: list[list[Pixels]] = []
    for maps in found:
        parts = [_enlarged(part) for part in pixels(maps)]
        height, width = parts[0].shape[:2]
        strips += [[part] for part in parts] if width > 2 * height else [parts]
    width = max(sum(part.shape[1] + GAP for part in strip) for strip in strips) + GAP
    height = sum(strip[0].shape[0] + GAP for strip in strips) + GAP
    paper = np.full((height, width, 3), PAPER, np.uint8)
    y = GAP
    for strip in strips:
        x = GAP
        for part in strip:
            paper[y : y + part.shape[0], x : x + part.shape[1]] = part
            x += part.shape[1] + GAP
        y += strip[0].shape[0] + GAP
    return paper


def _enlarged(part: Pixels) -> Pixels:
    zoom = max(1, round(SIDE / min(part.shape[:2]) / 2), SIDE // max(part.shape[:2]))
    zoom = max(1, min(zoom, WIDEST // part.shape[1]))
    return part.repeat(zoom, axis=0).repeat(zoom, axis=1)
