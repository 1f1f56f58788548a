"""A tensor in a notebook: its values as text, and as a picture where there are enough of them to see something."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.display.markup import Markup, element
from lenetcli.display.png import data_uri, picture, signed

Array = npt.NDArray[Any]

LEAST = 16  # values from which there is a picture
TILES = 16  # pictures of a batch that are shown
LARGEST = 256  # pixels of a side: beyond them every second, third, ... value is shown
SIDE, SHORT = 96, 12  # longer and shorter side of a picture on the page, at least, in pixels
OPEN = 12  # lines of values that are shown beside the picture unasked
FRAME = "border:1px solid rgba(128,128,128,.35);border-radius:4px"


def tensor_html(array: Array, written: str) -> Markup:
    """The HTML of a tensor.

    Args:
        written: the tensor as it prints.

    Example:
        >>> import numpy as np
        >>> tensor_html(np.zeros(2), "tensor([0., 0.])")
        '<div><pre style="margin:0;font-family:monospace">tensor([0., 0.])</pre></div>'
    """
    tiles, left = _tiles(array)
    values = element("pre", written, style="margin:0;font-family:monospace")
    if not tiles:
        return element("div", values)
    return element(
        "div",
        element("div", tiles, style="display:flex;flex-wrap:wrap;gap:4px;margin:.2em 0"),
        element("div", _caption(array, left), style="font-size:85%;opacity:.75;margin:.2em 0"),
        element("details", element("summary", "values"), values, open=written.count("\n") < OPEN),
    )


def _caption(array: Array, left: int) -> str:
    values = array.astype(np.float64)
    with np.errstate(all="ignore"):
        finite = values[np.isfinite(values)]
    bad = values.size - finite.size
    parts = [f"{array.dtype}, {' × '.join(map(str, array.shape))}"]
    if finite.size:
        parts.append(f"from {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}")
    if bad:
        parts.append(f"{bad:,} NaN or infinite")
    if left:
        parts.append(f"{left:,} more")
    return "; ".join(parts)


def _tiles(array: Array) -> tuple[list[Markup], int]:
    """The pictures, and how many more there are."""
    if array.size < LEAST or array.dtype.kind not in "fiub" or 0 in array.shape:
        return [], 0
    if array.ndim >= 3 and array.shape[-3] in (1, 3):  # images (..., C, H, W)
        images = array.reshape(-1, *array.shape[-3:])
        return [_tile(_image(image)) for image in images[:TILES]], max(0, len(images) - TILES)
    planes = array.reshape(-1, *(array.shape[-2:] if array.ndim > 1 else (1, array.size)))
    shown = planes[:TILES].astype(np.float64)
    most = float(np.abs(shown[np.isfinite(shown)]).max(initial=0.0))
    return [_tile(signed(_thin(plane), most)) for plane in shown], max(0, len(planes) - TILES)


def _image(image: Array) -> npt.NDArray[np.uint8]:
    """An image (C, H, W), the lowest value black and the highest white."""
    thin = np.stack([_thin(plane) for plane in image]).astype(np.float64)
    finite = thin[np.isfinite(thin)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return picture((thin / 2 - low / 2) / ((high / 2 - low / 2) or 1.0))


def _thin(plane: Array) -> Array:
    rows, columns = (-(-size // LARGEST) for size in plane.shape)
    return plane[::rows, ::columns]


def _tile(pixels: npt.NDArray[np.uint8]) -> Markup:
    rows, columns = pixels.shape[:2]
    scale = max(1, -(-SIDE // max(rows, columns)))
    width, height = max(SHORT, columns * scale), max(SHORT, rows * scale)
    return element(
        "img", src=data_uri(pixels), width=width, height=height, alt=f"{rows} × {columns} values",
        style=f"height:{height}px;image-rendering:pixelated;{FRAME}",  # Jupyter's own style says height:auto
    )  # fmt: skip
