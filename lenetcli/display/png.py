"""PNG pictures, written by hand: what a page needs of the format is these few lines."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, COLOR = 0, 2  # the format's numbers of colour types

Pixels = npt.NDArray[np.uint8]


def png(pixels: Pixels) -> bytes:
    """A picture, gray (H, W) or in colours (H, W, 3), as the content of a PNG file.

    Source: W3C, Portable Network Graphics (PNG) Specification, sections 5 and 11.

    Example:
        >>> import numpy as np
        >>> png(np.zeros((2, 3), np.uint8))[:8]
        b'\\x89PNG\\r\\n\\x1a\\n'
    """
    rows, columns = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", columns, rows, 8, GRAY if pixels.ndim == 2 else COLOR, 0, 0, 0)
    lines = np.zeros((rows, 1 + pixels[0].size), np.uint8)  # each begins with the number of its filter: 0 is none
    lines[:, 1:] = pixels.reshape(rows, -1)
    return (
        SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_uri(pixels: Pixels) -> str:
    """The picture as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def picture(image: npt.NDArray[Any]) -> Pixels:
    """An image (C, H, W) from 0 to 1 as pixels: colours where C is 3, else gray (the mean over C)."""
    bytes_ = (np.nan_to_num(image).clip(0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(bytes_.transpose(1, 2, 0)) if len(image) == 3 else _gray(image)


def _gray(image: npt.NDArray[Any]) -> Pixels:
    mean = np.nan_to_num(image).clip(0, 1).mean(axis=0)
    return (mean * 255).round().astype(np.uint8)


def signed(values: npt.NDArray[Any], most: float) -> Pixels:
    """Numbers (H, W) as colours: orange for `-most`, white for 0, blue for `most`."""
    share = np.nan_to_num(values / most).clip(-1, 1)[..., None] if most > 0 else np.zeros((*values.shape, 1))
    ends = np.where(share < 0, np.array([179.0, 88.0, 6.0]), np.array([5.0, 84.0, 156.0]))
    return (255 + (ends - 255) * np.abs(share)).round().astype(np.uint8)
