"""What colours become; and rectangles that are erased."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from lenetcli.tensors.creation import empty
from lenetcli.tensors.sampling import rand, randint, randperm
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.image import as_it_came, as_pillow, check, pillow, size_of

_GRAY = (0.2989, 0.587, 0.114)  # red, green, blue
_TRIES = 10


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The picture without its colours, in one channel or three alike. Source: torchvision's rgb_to_grayscale.

    Raises:
        ValueError: another number of channels.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import rgb_to_grayscale
        >>> rgb_to_grayscale(lenet.ones(3, 1, 1))
        tensor([[[0.9999]]])
    """
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    check(img, "rgb_to_grayscale")
    if isinstance(img, Tensor):
        if img.shape[-3] not in (1, 3):
            raise TypeError(f"Input image tensor permitted channel values are 1 or 3, but found {img.shape[-3]}")
        gray = _gray(img.array)
        return of_array(np.repeat(gray, num_output_channels, -3) if num_output_channels == 3 else gray)
    picture = as_pillow(img, "rgb_to_grayscale").convert("L")
    if num_output_channels == 3:
        pixels = np.asarray(picture)
        picture = pillow().fromarray(np.dstack([pixels] * 3))
    return as_it_came(img, picture)


def _gray(x: Any) -> Any:
    """(..., C, H, W) -> (..., 1, H, W), in its own type."""
    if x.shape[-3] == 1:
        return x
    found = sum(x[..., i, :, :] * np.float32(weight) for i, weight in enumerate(_GRAY))
    return np.asarray(found).astype(x.dtype)[..., None, :, :]


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """The picture times a factor. Source: torchvision's functional.adjust_brightness."""
    return _adjusted(img, brightness_factor, "Brightness", lambda x: np.zeros_like(x))


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """The picture's distance from its mean gray times a factor. Source: torchvision's functional.adjust_contrast."""

    def mean(x: Any) -> Any:
        gray = _gray(x)
        return np.mean(gray.astype(x.dtype if x.dtype.kind == "f" else np.float32), (-3, -2, -1), keepdims=True)

    return _adjusted(img, contrast_factor, "Contrast", mean)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """The picture's distance from its own gray times a factor. Source: torchvision's functional.adjust_saturation."""
    return _adjusted(img, saturation_factor, "Color", _gray)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """The picture's hue turned by a share of the circle, -0.5 to 0.5, by Pillow. Source: torchvision's adjust_hue.

    Raises:
        ValueError: another factor. NotImplementedError: a tensor.
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    picture = as_pillow(img, "adjust_hue")
    if picture.mode in ("L", "1", "I", "F"):
        return img
    hue, saturation, value = picture.convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + int(hue_factor * 255)).astype(np.uint8)
    parts = (pillow().fromarray(turned), saturation, value)
    return as_it_came(img, pillow().merge("HSV", parts).convert(picture.mode))


def _adjusted(img: Any, factor: float, name: str, other: Any) -> Any:
    if factor < 0:
        raise ValueError(f"{name.lower()}_factor ({factor}) is not non-negative.")
    check(img, name)
    if not isinstance(img, Tensor):
        return as_it_came(img, getattr(_enhance(), name)(as_pillow(img, name)).enhance(factor))
    x = img.array
    most = 1.0 if x.dtype.kind == "f" else 255.0
    mixed = (np.float32(factor) * x + np.float32(1.0 - factor) * other(x)).clip(0, most)
    return of_array(mixed.astype(x.dtype))


def _enhance() -> ModuleType:
    pillow()
    from PIL import ImageEnhance

    return ImageEnhance


class Grayscale(Transform):
    """`functional.rgb_to_grayscale`. Source: torchvision.transforms.Grayscale.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import Grayscale
        >>> Grayscale()(lenet.ones(3, 2, 2)).shape
        torch.Size([1, 2, 2])
    """

    shown = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def __call__(self, img: Any) -> Any:
        return rgb_to_grayscale(img, self.num_output_channels)


class RandomGrayscale(Transform):
    """The picture, without colours with probability p. Source: torchvision.transforms.RandomGrayscale.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomGrayscale
        >>> RandomGrayscale(1.0)(lenet.ones(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    shown = ("p",)

    def __init__(self, p: float = 0.1) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        if rand(1).item() >= self.p:
            return img
        channels = img.shape[-3] if isinstance(img, Tensor) else len(as_pillow(img, "RandomGrayscale").getbands())
        return rgb_to_grayscale(img, channels)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Args:
        brightness, contrast, saturation: a number b for factors from max(0, 1 - b) to 1 + b, or (least, greatest).
        hue: a number up to 0.5 for -hue to hue, or (least, greatest).

    Source: torchvision.transforms.ColorJitter.

    Example:
        >>> from lenetcli.vision.transforms import ColorJitter
        >>> ColorJitter(brightness=0.5).brightness
        (0.5, 1.5)
    """

    shown = ("brightness", "contrast", "saturation", "hue")

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        self.brightness = _limits(brightness, "brightness", 1, (0, math.inf))
        self.contrast = _limits(contrast, "contrast", 1, (0, math.inf))
        self.saturation = _limits(saturation, "saturation", 1, (0, math.inf))
        self.hue = _limits(hue, "hue", 0, (-0.5, 0.5))

    def __call__(self, img: Any) -> Any:
        order = randperm(4).tolist()
        found = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [None if limits is None else float(empty(1).uniform_(*limits).item()) for limits in found]
        changes = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
        for i in order:
            factor = factors[i]
            if factor is not None:
                img = changes[i](img, factor)
        return img


def _limits(value: Any, name: str, middle: float, bound: tuple[float, float]) -> tuple[float, float] | None:
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = middle - float(value), middle + float(value)
        low = max(low, 0.0) if middle else low
    else:
        low, high = (float(v) for v in value)
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == middle else (low, high)


class RandomErasing(Transform):
    """A rectangle of the tensor, with probability p, set to a value or to normal numbers.

    Args:
        p: how often.
        scale: least and greatest share of the area.
        ratio: least and greatest height / width.
        value: a number, one for each channel, or "random".
        inplace: change the tensor itself.

    Source: torchvision.transforms.RandomErasing.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import RandomErasing
        >>> bool((RandomErasing(1.0)(lenet.ones(1, 8, 8)) == 0).any())
        True
    """

    shown = ("p", "scale", "ratio", "value", "inplace")

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if not 0 <= scale[0] <= scale[1] <= 1:
            raise ValueError("Scale should be between 0 and 1")
        if not 0 <= p <= 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    def __call__(self, img: Tensor) -> Tensor:
        if not isinstance(img, Tensor):
            raise TypeError(f"RandomErasing: wanted a tensor, got {type(img).__name__}; use it after ToTensor")
        if rand(1).item() >= self.p:
            return img
        rows, columns = size_of(img)
        for _ in range(_TRIES):
            area = rows * columns * empty(1).uniform_(self.scale[0], self.scale[1]).item()
            aspect = empty(1).uniform_(*np.log(np.asarray(self.ratio, np.float32)).tolist()).exp().item()
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (h < rows and w < columns):
                continue
            if self.value == "random":
                fill = empty(img.shape[-3], h, w).normal_().array
            else:
                fill = np.asarray(self.value, np.float32).reshape(-1, 1, 1)
            top = randint(0, rows - h + 1, (1,)).item()
            left = randint(0, columns - w + 1, (1,)).item()
            found = img if self.inplace else img.clone()
            found.array[..., top : top + h, left : left + w] = fill
            return found
        return img
