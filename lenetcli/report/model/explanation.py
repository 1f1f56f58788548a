"""An explanation as pictures: the picture, and what the maps say of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.display.png import picture, signed
from lenetcli.inspection.data.contact_sheet import Sheet
from lenetcli.inspection.model.explanation import Explanation

Array = npt.NDArray[Any]
HOT = np.array([220.0, 30.0, 30.0])


def sheet_of(image: Array, found: Explanation, answer: str) -> Sheet:
    """The picture and its maps, side by side.

    Args:
        image: (C, H, W) from 0 to 1.
        answer: what the model said.
    """
    plain = _coloured(picture(image))
    parts = [(plain, answer)]
    if found.activation is not None:
        parts.append((_over(plain, found.activation), "class activation"))
    parts.append((_over(plain, found.gradient), "gradient"))
    most = float(np.abs(found.occlusion).max(initial=0))
    parts.append((signed(found.occlusion, most), "covered: blue falls"))
    return Sheet(np.stack([pixels for pixels, _ in parts]), tuple(name for _, name in parts))


def _coloured(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def _over(plain: npt.NDArray[np.uint8], share: Array) -> npt.NDArray[np.uint8]:
    """A picture, gray, with red where a map is high."""
    gray = plain.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    part = share[..., None] * 0.8
    return np.rint(gray * (1 - part) + HOT * part).astype(np.uint8)
