"""What a picture is here: one of Pillow's, an array (H, W) or (H, W, C), or a tensor (..., C, H, W)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.tensors.tensor import Tensor, of_array

Array = npt.NDArray[Any]
_MODES = {2: "L", 3: "RGB", 4: "RGBA"}
PILLOWS = {"nearest": 0, "nearest-exact": 0, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5, "lanczos": 1}


class InterpolationMode(enum.Enum):
    """How a resized picture's pixels are made. Source: torchvision.transforms.InterpolationMode.

    Example:
        >>> from lenetcli.vision.transforms import InterpolationMode
        >>> InterpolationMode.BILINEAR.value
        'bilinear'
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def name_of(interpolation: Any) -> str:
    """The name of an `InterpolationMode`, or the name that was given instead of one."""
    return str(getattr(interpolation, "value", interpolation))


def pillow() -> ModuleType:
    """Pillow.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to get it.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "this transform needs Pillow: python -m pip install 'lenet[images]'", name="PIL"
        ) from None
    return Image


def is_pillow(image: Any) -> bool:
    """Whether it is a picture of Pillow's."""
    return hasattr(image, "getbands") and hasattr(image, "tobytes")


def check(image: Any, name: str) -> None:
    """Refuses what is no picture.

    Raises:
        TypeError: it is none.
    """
    if is_pillow(image) or (isinstance(image, (np.ndarray, Tensor)) and image.ndim >= 2):
        return
    found = f"{type(image).__name__} of shape {list(image.shape)}" if hasattr(image, "shape") else type(image).__name__
    wanted = "a Pillow image, an array (H, W) or (H, W, C), or a tensor (..., H, W)"
    raise TypeError(f"{name}: wanted {wanted}, got {found}")


def size_of(image: Any) -> tuple[int, int]:
    """Rows and columns."""
    check(image, "transforms")
    if is_pillow(image):
        return image.size[1], image.size[0]
    if isinstance(image, Tensor):
        return image.shape[-2], image.shape[-1]
    return image.shape[0], image.shape[1]


def moved(image: Any, function: Callable[[Array], Array]) -> Any:
    """The picture with its pixels moved: `function` takes and gives an array whose first two axes are rows and columns.

    Values stay what they are, so that it does not matter which kind of picture it is.
    """
    check(image, "transforms")
    if isinstance(image, Tensor):
        pixels = np.moveaxis(image.array, (-2, -1), (0, 1))
        return of_array(np.moveaxis(function(pixels), (0, 1), (-2, -1)))
    if is_pillow(image):
        found = pillow().fromarray(np.ascontiguousarray(function(np.asarray(image))))
        if image.mode == "P":
            found.putpalette(image.getpalette())
        return found
    return function(image)


def as_pillow(image: Any, name: str) -> Any:
    """A picture of Pillow's; an array of bytes becomes one.

    Raises:
        NotImplementedError: a tensor.
    """
    check(image, name)
    if is_pillow(image):
        return image
    if isinstance(image, Tensor) or image.dtype != np.uint8:
        raise NotImplementedError(f"{name}: not of tensors; use it before ToTensor, on a Pillow image")
    return pillow().fromarray(image)


def as_it_came(image: Any, made: Any) -> Any:
    """Pillow's result in the kind of the picture that was given."""
    return made if is_pillow(image) else np.asarray(made)
