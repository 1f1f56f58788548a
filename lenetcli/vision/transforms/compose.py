"""Transforms made of others."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from lenetcli.tensors.sampling import rand


class Transform:
    """Base of the transforms: called with a picture; prints as it was made."""

    shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        values = [(name, getattr(self, name)) for name in self.shown]
        shown = ", ".join(f"{name}={getattr(value, 'value', value)}" for name, value in values)
        return f"{type(self).__name__}({shown})"


class Compose(Transform):
    """One transform after the other. Source: torchvision.transforms.Compose.

    Example:
        >>> from lenetcli.vision.transforms import Compose, Lambda
        >>> Compose([Lambda(lambda x: x + 1), Lambda(lambda x: x * 2)])(3)
        8
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        inside = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({inside}\n)"


class Lambda(Transform):
    """A function as a transform. Source: torchvision.transforms.Lambda.

    Raises:
        TypeError: no function.

    Example:
        >>> from lenetcli.vision.transforms import Lambda
        >>> Lambda(abs)(-2)
        2
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class RandomApply(Transform):
    """Several transforms one after the other, or, with probability 1 - p, none. Source: torchvision's RandomApply.

    Example:
        >>> from lenetcli.vision.transforms import Lambda, RandomApply
        >>> RandomApply([Lambda(abs)], p=1.0)(-2)
        2
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        self.transforms, self.p = transforms, p

    def __call__(self, img: Any) -> Any:
        if self.p < rand(1).item():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        inside = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{inside}\n)"


class RandomOrder(Transform):
    """Several transforms in an order drawn with Python's `random`. Source: torchvision.transforms.RandomOrder.

    Example:
        >>> from lenetcli.vision.transforms import Lambda, RandomOrder
        >>> RandomOrder([Lambda(abs)])(-2)
        2
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(Transform):
    """One of several transforms, drawn with Python's `random`. Source: torchvision.transforms.RandomChoice.

    Example:
        >>> from lenetcli.vision.transforms import Lambda, RandomChoice
        >>> RandomChoice([Lambda(abs)])(-2)
        2
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None) -> None:
        self.transforms, self.p = transforms, p

    def __call__(self, *args: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](*args)
