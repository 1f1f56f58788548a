"""A picture mirrored, or turned by degrees."""

from __future__ import annotations

from typing import Any

from lenetcli.tensors.creation import empty
from lenetcli.tensors.sampling import rand
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.image import PILLOWS, InterpolationMode, as_it_came, as_pillow, moved, name_of

NEAREST = InterpolationMode.NEAREST


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
    mode = PILLOWS[name_of(interpolation)]
    picture = as_pillow(img, "rotate")
    bands = len(picture.getbands())
    colour: Any = 0 if fill is None else fill
    if isinstance(colour, (int, float)):
        colour = int(colour) if bands == 1 else (int(colour),) * bands
    else:
        colour = tuple(int(v) for v in colour) if bands > 1 else int(colour[0])
    return as_it_came(img, picture.rotate(angle, mode, expand, center, fillcolor=colour))


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
