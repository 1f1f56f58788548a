"""A picture in another size, whole or a random part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.ops.nn.interpolate import interpolate
from lenetcli.tensors.creation import empty
from lenetcli.tensors.sampling import randint
from lenetcli.tensors.tensor import Tensor
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.crop import Sized, crop
from lenetcli.vision.transforms.image import PILLOWS, InterpolationMode, as_it_came, as_pillow, check, name_of, size_of

_TRIES = 10

BILINEAR = InterpolationMode.BILINEAR


def resize(
    img: Any,
    size: Any,
    interpolation: InterpolationMode = BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The picture in another size: [rows, columns], or the length of its shorter side.

    A Pillow image is resized by Pillow, as in torchvision. A tensor is by `interpolate`, which has no antialiasing:
    making one smaller is refused unless `antialias=False`.

    Source: torchvision's functional.resize.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import resize
        >>> resize(lenet.tensor([[[0.0, 4.0]]]), [1, 4])
        tensor([[[0., 1., 3., 4.]]])
    """
    check(img, "resize")
    rows, columns = size_of(img)
    wanted = [size] if isinstance(size, int) else list(size)
    if len(wanted) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(wanted)} element tuple/list")
    if len(wanted) == 1:
        short, long = min(rows, columns), max(rows, columns)
        new_short, new_long = wanted[0], int(wanted[0] * long / short)
        if max_size is not None and new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
        wanted = [new_short, new_long] if rows <= columns else [new_long, new_short]
    if wanted == [rows, columns]:
        return img
    mode: Any = name_of(interpolation)
    if not isinstance(img, Tensor):
        made = as_pillow(img, "resize").resize((wanted[1], wanted[0]), PILLOWS[mode])
        return as_it_came(img, made)
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(f"resize: {mode} is not for tensors; use it before ToTensor, on a Pillow image")
    smooth = mode in ("bilinear", "bicubic")
    if antialias and smooth and (wanted[0] < rows or wanted[1] < columns):
        raise NotImplementedError(
            "resize: a tensor is not made smaller with antialias=True; resize the Pillow image before ToTensor, or say "
            "antialias=False"
        )
    x: Any = img if img.ndim == 4 else img.reshape(-1, *img.shape[-3:])
    kind = x.dtype
    x = x if x.is_floating_point() else x.float()
    y = interpolate(x, size=tuple(wanted), mode=mode, align_corners=False if smooth else None)
    if kind is not y.dtype:
        y = y.round().clamp(0, 255).to(kind) if smooth else y.to(kind)
    return y.reshape(*img.shape[:-2], *wanted)


class Resize(Transform):
    """`functional.resize`. Source: torchvision.transforms.Resize.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import Resize
        >>> Resize((4, 6))(lenet.ones(1, 2, 3)).shape
        torch.Size([1, 4, 6])
    """

    shown = ("size", "interpolation", "max_size", "antialias")

    def __init__(
        self,
        size: Any,
        interpolation: InterpolationMode = BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def __call__(self, img: Any) -> Any:
        return resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class RandomResizedCrop(Sized):
    """A rectangle of random area and aspect, resized. Source: torchvision.transforms.RandomResizedCrop.

    Args:
        size: rows and columns that it is resized to.
        scale: least and greatest share of the picture's area.
        ratio: least and greatest width / height.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomResizedCrop
        >>> RandomResizedCrop(8)(lenet.ones(1, 4, 4)).shape
        torch.Size([1, 8, 8])
    """

    shown = ("size", "scale", "ratio", "interpolation", "antialias")

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(size)
        self.scale, self.ratio, self.interpolation, self.antialias = scale, ratio, interpolation, antialias

    def __call__(self, img: Any) -> Any:
        return resize(
            crop(img, *self._place(*size_of(img))), list(self.size), self.interpolation, antialias=self.antialias
        )

    def _place(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        for _ in range(_TRIES):
            area = rows * columns * empty(1).uniform_(self.scale[0], self.scale[1]).item()
            aspect = empty(1).uniform_(*np.log(np.asarray(self.ratio, np.float32)).tolist()).exp().item()
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= columns and 0 < h <= rows:
                top = randint(0, rows - h + 1, (1,)).item()
                return top, randint(0, columns - w + 1, (1,)).item(), h, w
        if columns / rows < min(self.ratio):
            h, w = round(columns / min(self.ratio)), columns
        elif columns / rows > max(self.ratio):
            h, w = rows, round(rows * max(self.ratio))
        else:
            h, w = rows, columns
        return (rows - h) // 2, (columns - w) // 2, h, w
