"""A contact sheet: in the terminal, two pixels to a character; or as a PNG file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from unicodedata import combining, normalize

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from lenetcli.data.pictures import shrink
from lenetcli.errors import ConfigError, plain_text
from lenetcli.inspection.data.contact_sheet import Sheet

WIDEST = 32  # columns of a picture
UPPER_HALF = "▀"
SHADES, ASCII_SHADES = " ░▒▓█", " .:-=+*#%@"
ZOOM, LEAST = 4, 96  # a small picture is drawn larger in the file: at most so many times, to so many pixels

Pixels = npt.NDArray[np.uint8]


@dataclass
class ContactSheet:
    """The sheet, for `Console.print`: in colours where there are some, else in shades."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pictures = _fitted(self.sheet.pictures, min(WIDEST, options.max_width))
        names = [plain_text(name) for name in self.sheet.names]
        wide = max(pictures.shape[2], min(12, max(map(cell_len, names), default=0)))
        across = max(1, (options.max_width + 2) // (wide + 2))
        shades = ASCII_SHADES if options.ascii_only else SHADES
        for start in range(0, len(pictures), across):
            row, below = pictures[start : start + across], names[start : start + across]
            for line in range(0, pictures.shape[1], 2):
                for i, picture in enumerate(row):
                    pair = picture[line : line + 2]
                    yield from _colours(pair) if console.color_system else _shaded(pair, shades)
                    if i + 1 < len(row):
                        yield Segment(" " * (wide - pictures.shape[2] + 2))
                yield Segment.line()
            yield Segment("  ".join(_cut(name, wide) for name in below).rstrip())
            yield Segment("\n\n" if start + across < len(pictures) else "\n")


def _fitted(pictures: Pixels, columns: int) -> Pixels:
    """No wider than the columns; an even number of rows, the last one black where there was none."""
    h, w = pictures.shape[1:3]
    if w > columns:
        small = shrink(pictures.transpose(0, 3, 1, 2), (max(1, round(h * columns / w)), columns))
        pictures = np.clip(np.rint(small), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return pictures if pictures.shape[1] % 2 == 0 else np.pad(pictures, ((0, 0), (0, 1), (0, 0), (0, 0)))


def _colours(pair: Pixels) -> list[Segment]:
    """Two rows of pixels as one line: the upper in the ink, the lower in the paper."""
    return [
        Segment(UPPER_HALF, Style.from_color(Color.from_rgb(*upper), Color.from_rgb(*lower)))
        for upper, lower in pair.transpose(1, 0, 2).tolist()
    ]


def _shaded(pair: Pixels, shades: str) -> list[Segment]:
    level = pair.mean(axis=(0, 2)) / 255 * (len(shades) - 1)
    return [Segment("".join(shades[i] for i in np.rint(level).astype(int).tolist()))]


def _cut(name: str, width: int) -> str:
    return set_cell_size(name if cell_len(name) <= width else name[: max(0, width - 1)] + "…", width)


def png_sheet(sheet: Sheet, across: int = 10) -> bytes:
    """The sheet as a PNG file.

    Raises:
        ConfigError: Pillow, which draws the names, is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError("a contact sheet as PNG needs Pillow: python -m pip install 'lenet[images]'") from None
    n, h, w, _ = sheet.pictures.shape
    zoom = max(1, min(ZOOM, LEAST // max(h, w)))
    wide, tall, gap, label = w * zoom, h * zoom, 6, 14
    rows = -(-n // across)
    size = (gap + min(n, across) * (wide + gap), gap + rows * (tall + label + gap))
    paper = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    for i, (picture, name) in enumerate(zip(sheet.pictures, sheet.names)):
        x, y = gap + i % across * (wide + gap), gap + i // across * (tall + label + gap)
        paper.paste(Image.fromarray(picture).resize((wide, tall), Image.Resampling.NEAREST), (x, y))
        shown = "".join(c for c in normalize("NFKD", plain_text(name)) if not combining(c))  # the font has no accents
        while shown and draw.textlength(shown, font) > wide + gap:
            shown = shown[:-1]
        draw.text((x, y + tall), shown, "black", font)
    held = io.BytesIO()
    paper.save(held, "PNG")
    return held.getvalue()
