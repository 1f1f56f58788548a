"""A rectangle of a picture, and margins around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.tensors.sampling import randint
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.image import Array, moved, size_of

_PAD_MODES = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle of the picture; what lies outside of it is 0. Source: torchvision's functional.crop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import crop
        >>> crop(lenet.arange(9).reshape(1, 3, 3), 1, 2, 2, 2)
        tensor([[[5, 0],
                 [8, 0]]])
    """

    def cut(x: Array) -> Array:
        found = np.zeros((height, width, *x.shape[2:]), x.dtype)
        inside = x[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
        first, second = max(-top, 0), max(-left, 0)
        found[first : first + inside.shape[0], second : second + inside.shape[1]] = inside
        return found if inside.shape[:2] != (height, width) else inside.copy()

    return moved(img, cut)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of the picture; where it is smaller than that, 0 around it. Source: torchvision's center_crop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import center_crop
        >>> center_crop(lenet.arange(9).reshape(1, 3, 3), 1)
        tensor([[[4]]])
    """
    height, width = _both(output_size, "center_crop")
    rows, columns = size_of(img)
    if width > columns or height > rows:
        left, top = max((width - columns) // 2, 0), max((height - rows) // 2, 0)
        right, bottom = max((width - columns + 1) // 2, 0), max((height - rows + 1) // 2, 0)
        img = pad(img, [left, top, right, bottom])
        rows, columns = size_of(img)
        if (height, width) == (rows, columns):
            return img
    return crop(img, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Margins around the picture: one number, [left and right, top and bottom], or [left, top, right, bottom].

    Source: torchvision's functional.pad.

    Raises:
        ValueError: another number of margins, or another mode than constant, edge, reflect and symmetric.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import pad
        >>> pad(lenet.ones(1, 1, 1), [1, 0], fill=5)
        tensor([[[5., 1., 5.]]])
    """
    sides = [padding] * 4 if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    left, top, right, bottom = sides * (4 // len(sides))
    if padding_mode != "constant" and padding_mode not in _PAD_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")

    def around(x: Array) -> Array:
        margins = ((top, bottom), (left, right), *((0, 0),) * (x.ndim - 2))
        if padding_mode != "constant":
            return np.pad(x, margins, mode=_PAD_MODES[padding_mode])  # type: ignore[call-overload]
        found = np.empty((x.shape[0] + top + bottom, x.shape[1] + left + right, *x.shape[2:]), x.dtype)
        found[...] = fill
        found[top : top + x.shape[0], left : left + x.shape[1]] = x
        return found

    return moved(img, around)


def _both(size: Any, name: str) -> tuple[int, int]:
    """Rows and columns of a size that may be one number for both."""
    found = (size, size) if isinstance(size, int) else tuple(size)
    found = found * 2 if len(found) == 1 else found
    if len(found) != 2:
        raise ValueError(f"{name}: please provide only two dimensions (h, w) for size, got {size!r}")
    return int(found[0]), int(found[1])


class Sized(Transform):
    """A transform with a size of rows and columns."""

    shown: tuple[str, ...] = ("size",)

    def __init__(self, size: Any) -> None:
        self.size = _both(size, type(self).__name__)


class CenterCrop(Sized):
    """`functional.center_crop`. Source: torchvision.transforms.CenterCrop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import CenterCrop
        >>> CenterCrop(2)(lenet.ones(1, 4, 4)).shape
        torch.Size([1, 2, 2])
    """

    def __call__(self, img: Any) -> Any:
        return center_crop(img, self.size)


class FiveCrop(Sized):
    """The four corners and the middle. Source: torchvision.transforms.FiveCrop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import FiveCrop
        >>> [part.item() for part in FiveCrop(1)(lenet.arange(9).reshape(1, 3, 3))]
        [0, 2, 6, 8, 4]
    """

    def __call__(self, img: Any) -> tuple[Any, ...]:
        (rows, columns), (h, w) = size_of(img), self.size
        if w > columns or h > rows:
            raise ValueError(f"Requested crop size {self.size} is bigger than input size {(rows, columns)}")
        corners = [(0, 0), (0, columns - w), (rows - h, 0), (rows - h, columns - w)]
        return (*(crop(img, top, left, h, w) for top, left in corners), center_crop(img, self.size))


class Pad(Transform):
    """`functional.pad`. Source: torchvision.transforms.Pad.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import Pad
        >>> Pad(1)(lenet.ones(1, 2, 2)).shape
        torch.Size([1, 4, 4])
    """

    shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        return pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(Sized):
    """A rectangle of the picture, drawn anew each time. Source: torchvision.transforms.RandomCrop.

    Args:
        size: rows and columns of it, or one number for both.
        padding: margins that the picture gets first, as for `pad`.
        pad_if_needed: and more where it is still smaller than `size`.
        fill, padding_mode: of the margins.

    Raises:
        ValueError: the picture is smaller than `size`.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomCrop
        >>> RandomCrop(4, padding=2)(lenet.ones(1, 4, 4)).shape
        torch.Size([1, 4, 4])
    """

    shown = ("size", "padding")
    draws_always = True  # also for the side that has no room, as torchvision's first version

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__(size)
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        h, w = self.size
        if self.padding is not None:
            img = pad(img, self.padding, self.fill, self.padding_mode)
        rows, columns = size_of(img)
        if self.pad_if_needed and (columns < w or rows < h):
            img = pad(img, [max(w - columns, 0), 0], self.fill, self.padding_mode)
            img = pad(img, [0, max(h - rows, 0)], self.fill, self.padding_mode)
            rows, columns = size_of(img)
        if rows < h or columns < w:
            raise ValueError(f"Required crop size {(h, w)} is larger than input image size {(rows, columns)}")
        if (rows, columns) == (h, w):
            return img
        top = randint(0, rows - h + 1, (1,)).item() if self.draws_always or rows > h else 0
        left = randint(0, columns - w + 1, (1,)).item() if self.draws_always or columns > w else 0
        return crop(img, top, left, h, w)
