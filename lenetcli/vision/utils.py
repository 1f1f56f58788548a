"""torchvision.utils: many pictures in one, and as a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.disk import write_atomically
from lenetcli.display.png import png
from lenetcli.tensors.tensor import Tensor, of_array

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Pictures beside and below each other, in one of three channels.

    Args:
        tensor: (N, C, H, W), (C, H, W), (H, W), or a list of pictures (C, H, W).
        nrow: pictures in a row.
        padding: pixels between them.
        normalize: bring the values from `value_range`, or from their own, to 0 to 1.
        scale_each: each picture from its own range.
        pad_value: of what is between.

    Source: torchvision.utils.make_grid.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.utils import make_grid
        >>> make_grid(lenet.ones(3, 1, 4, 4), nrow=2).shape
        torch.Size([3, 14, 14])
    """
    if not isinstance(tensor, (Tensor, list, tuple)) or not all(isinstance(t, Tensor) for t in tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    found = tensor.detach().cpu().array if isinstance(tensor, Tensor) else np.stack([t.detach().array for t in tensor])
    if found.ndim == 2:
        found = found[None]
    if found.ndim == 3:
        found = found[None]
    if found.shape[1] == 1:
        found = np.repeat(found, 3, 1)
    if normalize:
        found = found.copy()
        for part in found if scale_each else (found,):
            low, high = value_range or (part.min(), part.max())
            np.clip(part, low, high, out=part)
            part -= part.dtype.type(low)
            part /= part.dtype.type(max(high - low, 1e-5))
    if len(found) == 1:
        return of_array(found[0])
    columns = min(nrow, len(found))
    rows = math.ceil(len(found) / columns)
    height, width = found.shape[2] + padding, found.shape[3] + padding
    grid = np.full((found.shape[1], height * rows + padding, width * columns + padding), pad_value, found.dtype)
    for i, picture in enumerate(found):
        top, left = i // columns * height + padding, i % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = picture
    return of_array(grid)


def save_image(tensor: Any, fp: str | Path, format: str | None = None, **grid: Any) -> None:
    """Writes pictures, side by side as `make_grid` puts them, into a PNG file; other formats need Pillow.

    Source: torchvision.utils.save_image.
    """
    pixels = make_grid(tensor, **grid).array
    pixels = np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
    if (format or Path(fp).suffix.lstrip(".")).lower() == "png":
        write_atomically(Path(fp), png(pixels))
        return
    from lenetcli.vision.transforms.image import pillow

    pillow().fromarray(pixels).save(fp, format=format)
