"""torchvision.transforms.v2: the second version's names; its images are tensors, without the class around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import float32
from lenetcli.tensors.creation import tensor
from lenetcli.tensors.sampling import multinomial, randperm
from lenetcli.tensors.tensor import Tensor
from lenetcli.vision.transforms import compose, functional
from lenetcli.vision.transforms.color import ColorJitter, Grayscale, RandomErasing, RandomGrayscale
from lenetcli.vision.transforms.compose import Compose, Lambda, RandomApply, Transform
from lenetcli.vision.transforms.convert import Normalize, PILToTensor, ToPILImage, ToTensor, convert_image_dtype
from lenetcli.vision.transforms.convert import pil_to_tensor as _pixels
from lenetcli.vision.transforms.crop import CenterCrop, FiveCrop, Pad
from lenetcli.vision.transforms.crop import RandomCrop as _RandomCrop
from lenetcli.vision.transforms.flip import RandomHorizontalFlip, RandomRotation, RandomVerticalFlip
from lenetcli.vision.transforms.image import InterpolationMode
from lenetcli.vision.transforms.resize import RandomResizedCrop, Resize

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "FiveCrop",
    "Grayscale",
    "Identity",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToDtype",
    "ToImage",
    "ToPILImage",
    "ToTensor",
    "functional",
]


class Identity(Transform):
    """The picture as it is. Source: torchvision.transforms.v2.Identity.

    Example:
        >>> from lenetcli.vision.transforms import v2
        >>> v2.Identity()(3)
        3
    """

    def __call__(self, img: Any) -> Any:
        return img


class ToImage(Transform):
    """A picture as a tensor (C, H, W) of its own type and scale. Source: torchvision.transforms.v2.ToImage.

    Example:
        >>> import numpy as np
        >>> from lenetcli.vision.transforms import v2
        >>> v2.ToImage()(np.zeros((4, 5, 3), np.uint8)).shape
        torch.Size([3, 4, 5])
    """

    def __call__(self, img: Any) -> Tensor:
        return _pixels(img)


class ToDtype(Transform):
    """A tensor in another type, with `scale` also in that type's range. Source: torchvision.transforms.v2.ToDtype.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import v2
        >>> v2.ToDtype(lenet.float32, scale=True)(lenet.tensor([255], dtype=lenet.uint8))
        tensor([1.])
    """

    def __init__(self, dtype: Dtype = float32, scale: bool = False) -> None:
        if not isinstance(dtype, Dtype):
            raise NotImplementedError(f"ToDtype: wanted one dtype, got {dtype!r}")
        self.dtype, self.scale = dtype, scale

    def __call__(self, img: Any) -> Any:
        if not isinstance(img, Tensor):
            return img
        return convert_image_dtype(img, self.dtype) if self.scale else img.to(self.dtype)


class RandomCrop(_RandomCrop):
    """As `transforms.RandomCrop`; draws a place only for a side that has room. Source: torchvision's v2.RandomCrop.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import v2
        >>> v2.RandomCrop(2)(lenet.ones(1, 4, 4)).shape
        torch.Size([1, 2, 2])
    """

    draws_always = False


class RandomOrder(compose.RandomOrder):
    """Several transforms in an order drawn with `randperm`. Source: torchvision.transforms.v2.RandomOrder.

    Example:
        >>> from lenetcli.vision.transforms import v2
        >>> v2.RandomOrder([v2.Lambda(abs)])(-2)
        2
    """

    def __call__(self, img: Any) -> Any:
        for i in randperm(len(self.transforms)).tolist():
            img = self.transforms[i](img)
        return img


class RandomChoice(compose.RandomChoice):
    """One of several transforms, drawn with `multinomial`. Source: torchvision.transforms.v2.RandomChoice.

    Example:
        >>> from lenetcli.vision.transforms import v2
        >>> v2.RandomChoice([v2.Lambda(abs)])(-2)
        2
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms, p or [1 / len(transforms)] * len(transforms))

    def __call__(self, *args: Any) -> Any:
        assert self.p is not None
        total = sum(self.p)
        return self.transforms[int(multinomial(tensor([v / total for v in self.p]), 1).item())](*args)
