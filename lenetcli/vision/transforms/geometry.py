"""Where pixels go: sizes, cuts, margins, mirrors, turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.ops.nn.interpolate import interpolate
from lenetcli.tensors.creation import empty
from lenetcli.tensors.sampling import rand, randint
from lenetcli.tensors.tensor import Tensor
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.image import Array, InterpolationMode, as_it_came, as_pillow, check, moved, size_of

_PILLOWS = {"nearest": 0, "nearest-exact": 0, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5, "lanczos": 1}
_PAD_MODES = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}
_TRIES = 10

BILINEAR, NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST


def hflip(img: Any) -> Any:
    """The picture mirrored left to right. Source: torchvision's functional.hflip.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import hflip
        >>> hflip(lenet.tensor([[[1, 2, 3]]]))
        tensor([[[3, 2, 1]]])
    """
    return moved(img, lambda x: x[:, ::-1].copy())


def vflip(img: Any) -> Any:
    """The picture mirrored top to bottom. Source: torchvision's functional.vflip.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import vflip
        >>> vflip(lenet.tensor([[[1], [2]]])).flatten()
        tensor([2, 1])
    """
    return moved(img, lambda x: x[::-1].copy())


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
    mode: Any = _mode(interpolation)
    if not isinstance(img, Tensor):
        made = as_pillow(img, "resize").resize((wanted[1], wanted[0]), _PILLOWS[mode])
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


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode = NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """The picture turned counter-clockwise by degrees, by Pillow. Source: torchvision's functional.rotate.

    Raises:
        NotImplementedError: a tensor.
    """
    mode = _PILLOWS[_mode(interpolation)]
    picture = as_pillow(img, "rotate")
    bands = len(picture.getbands())
    colour: Any = 0 if fill is None else fill
    if isinstance(colour, (int, float)):
        colour = int(colour) if bands == 1 else (int(colour),) * bands
    else:
        colour = tuple(int(v) for v in colour) if bands > 1 else int(colour[0])
    return as_it_came(img, picture.rotate(angle, mode, expand, center, fillcolor=colour))


def _mode(interpolation: Any) -> str:
    return str(getattr(interpolation, "value", interpolation))


class _Sized(Transform):
    """A transform with a size of rows and columns."""

    shown: tuple[str, ...] = ("size",)

    def __init__(self, size: Any) -> None:
        self.size = _both(size, type(self).__name__)


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


class CenterCrop(_Sized):
    """`functional.center_crop`. Source: torchvision.transforms.CenterCrop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import CenterCrop
        >>> CenterCrop(2)(lenet.ones(1, 4, 4)).shape
        torch.Size([1, 2, 2])
    """

    def __call__(self, img: Any) -> Any:
        return center_crop(img, self.size)


class FiveCrop(_Sized):
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


class RandomCrop(_Sized):
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


class RandomHorizontalFlip(Transform):
    """The picture, mirrored with probability p. Source: torchvision.transforms.RandomHorizontalFlip.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomHorizontalFlip
        >>> RandomHorizontalFlip(1.0)(lenet.tensor([[[1, 2]]]))
        tensor([[[2, 1]]])
    """

    shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        return hflip(img) if rand(1).item() < self.p else img


class RandomVerticalFlip(Transform):
    """The picture, upside down with probability p. Source: torchvision.transforms.RandomVerticalFlip.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomVerticalFlip
        >>> RandomVerticalFlip(0.0)(lenet.tensor([[[1], [2]]])).flatten()
        tensor([1, 2])
    """

    shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        return vflip(img) if rand(1).item() < self.p else img


class RandomRotation(Transform):
    """The picture turned by up to so many degrees. Needs Pillow. Source: torchvision.transforms.RandomRotation.

    Example:
        >>> from lenetcli.vision.transforms import RandomRotation
        >>> RandomRotation(10).degrees
        [-10.0, 10.0]
    """

    shown = ("degrees", "interpolation", "expand", "fill")

    def __init__(
        self,
        degrees: Any,
        interpolation: InterpolationMode = NEAREST,
        expand: bool = False,
        center: Any = None,
        fill: Any = 0,
    ) -> None:
        if isinstance(degrees, (int, float)):
            if degrees < 0:
                raise ValueError("If degrees is a single number, it must be positive.")
            degrees = (-degrees, degrees)
        self.degrees = [float(d) for d in degrees]
        self.interpolation, self.expand, self.center, self.fill = interpolation, expand, center, fill

    def __call__(self, img: Any) -> Any:
        angle = float(empty(1).uniform_(*self.degrees).item())
        return rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)


class RandomResizedCrop(_Sized):
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


def _both(size: Any, name: str) -> tuple[int, int]:
    """Rows and columns of a size that may be one number for both."""
    found = (size, size) if isinstance(size, int) else tuple(size)
    found = found * 2 if len(found) == 1 else found
    if len(found) != 2:
        raise ValueError(f"{name}: please provide only two dimensions (h, w) for size, got {size!r}")
    return int(found[0]), int(found[1])
