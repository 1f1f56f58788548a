"""From pictures to tensors and back, and from one type and scale to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import float32, get_default_dtype
from lenetcli.autograd.tape import Variable
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.vision.transforms.compose import Transform
from lenetcli.vision.transforms.image import Array, check, is_pillow, pillow

_DEEP = {"I": np.int32, "I;16": np.uint16, "F": np.float32}  # Pillow's modes of more than 8 bits


def pil_to_tensor(pic: Any) -> Tensor:
    """A picture as a tensor (C, H, W), in its own type and scale. Source: torchvision's functional.pil_to_tensor.

    Example:
        >>> import numpy as np
        >>> from lenetcli.vision.transforms.functional import pil_to_tensor
        >>> pil_to_tensor(np.zeros((4, 5, 3), np.uint8)).shape
        torch.Size([3, 4, 5])
    """
    check(pic, "pil_to_tensor")
    if isinstance(pic, Variable):
        return pic  # type: ignore[return-value]
    if is_pillow(pic):
        pixels = np.array(pic, _DEEP.get(pic.mode, np.uint8)) * (255 if pic.mode == "1" else 1)
        pixels = pixels.astype(_DEEP.get(pic.mode, np.uint8), copy=False)
    else:
        pixels = np.array(pic)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return of_array(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))


def to_tensor(pic: Any) -> Tensor:
    """A picture as a tensor (C, H, W): bytes become floats from 0 to 1, other types stay as they are.

    Source: torchvision's functional.to_tensor.

    Raises:
        TypeError: neither a Pillow image nor an array.
        ValueError: an array of other than two or three dimensions.

    Example:
        >>> import numpy as np
        >>> from lenetcli.vision.transforms.functional import to_tensor
        >>> to_tensor(np.array([[0, 255]], np.uint8))
        tensor([[[0., 1.]]])
    """
    if not is_pillow(pic) and not isinstance(pic, np.ndarray):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if isinstance(pic, np.ndarray) and pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    found = pil_to_tensor(pic)
    if found.array.dtype != np.uint8:
        return found
    return of_array(as_floats(found.array))


def as_floats(pixels: Array) -> Array:
    """Bytes as floats from 0 to 1."""
    kind = get_default_dtype().numpy
    return pixels.astype(kind) / kind.type(255)


def convert_image_dtype(image: Tensor, dtype: Dtype = float32) -> Tensor:
    """A tensor in another type, scaled from the range of its own: 0 to 1 of floats, 0 to the largest of integers.

    Source: torchvision's functional.convert_image_dtype.

    Raises:
        RuntimeError: a float type to an integer type that its numbers do not fill.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import convert_image_dtype
        >>> convert_image_dtype(lenet.tensor([0, 255], dtype=lenet.uint8))
        tensor([0., 1.])
    """
    if image.dtype is dtype:
        return image
    own, wanted = image.array.dtype, dtype.numpy
    if own.kind == "f":
        if wanted.kind == "f":
            return image.to(dtype)
        if (own == np.float32 and wanted.itemsize >= 4) or (own == np.float64 and wanted.itemsize >= 8):
            raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely")
        most = np.iinfo(wanted).max
        return image.mul(most + 1.0 - 1e-3).to(dtype)
    most_own = np.iinfo(own).max
    if wanted.kind == "f":
        return image.to(dtype).div(most_own)
    most = np.iinfo(wanted).max
    if most_own > most:
        return image.div((most_own + 1) // (most + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((most + 1) // (most_own + 1))


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(tensor - mean) / std, for each channel of (..., C, H, W). Source: torchvision's functional.normalize.

    Raises:
        TypeError: no tensor, or one of whole numbers.
        ValueError: fewer than three dimensions, or a std that is 0.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms.functional import normalize
        >>> normalize(lenet.ones(1, 1, 2), [0.5], [0.25])
        tensor([[[2., 2.]]])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    kind = tensor.array.dtype
    means, stds = (np.asarray(v, kind) for v in (mean, std))
    if (stds == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    means, stds = (v.reshape(-1, 1, 1) if v.ndim == 1 else v for v in (means, stds))
    if inplace:
        return tensor.sub_(of_array(means)).div_(of_array(stds))
    found = tensor.array - means
    found /= stds
    return of_array(found)


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C), as a Pillow image; floats from 0 to 1 become bytes.

    Source: torchvision's functional.to_pil_image.

    Raises:
        TypeError: neither of them. ValueError: another number of dimensions, or more than four channels.
    """
    if not isinstance(pic, (np.ndarray, Tensor)):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    pixels = pic.detach().cpu().array if isinstance(pic, Tensor) else pic
    if pixels.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pixels.ndim} dimensions.")
    if isinstance(pic, Tensor):
        if pixels.dtype.kind == "f" and mode != "F":
            pixels = (pixels * 255).astype(np.uint8)
        pixels = np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels
    if pixels.ndim == 3 and pixels.shape[2] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {pixels.shape[2]} channels.")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    found = pillow().fromarray(np.ascontiguousarray(pixels))
    return found if mode is None or found.mode == mode else found.convert(mode)


class ToTensor(Transform):
    """`functional.to_tensor`. Source: torchvision.transforms.ToTensor.

    Example:
        >>> import numpy as np
        >>> from lenetcli.vision.transforms import ToTensor
        >>> ToTensor()(np.array([[51]], np.uint8))
        tensor([[[0.2000]]])
    """

    def __call__(self, pic: Any) -> Tensor:
        return to_tensor(pic)


class PILToTensor(Transform):
    """`functional.pil_to_tensor`. Source: torchvision.transforms.PILToTensor.

    Example:
        >>> import numpy as np
        >>> from lenetcli.vision.transforms import PILToTensor
        >>> PILToTensor()(np.array([[51]], np.uint8))
        tensor([[[51]]], dtype=torch.uint8)
    """

    def __call__(self, pic: Any) -> Tensor:
        return pil_to_tensor(pic)


class ToPILImage(Transform):
    """`functional.to_pil_image`. Source: torchvision.transforms.ToPILImage. Needs Pillow.

    Example:
        >>> from lenetcli.vision.transforms import ToPILImage
        >>> ToPILImage("L")
        ToPILImage(mode=L)
    """

    shown = ("mode",)

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return to_pil_image(pic, self.mode)


class ConvertImageDtype(Transform):
    """`functional.convert_image_dtype`. Source: torchvision.transforms.ConvertImageDtype.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import ConvertImageDtype
        >>> ConvertImageDtype(lenet.float32)(lenet.tensor([51], dtype=lenet.uint8))
        tensor([0.2000])
    """

    def __init__(self, dtype: Dtype) -> None:
        self.dtype = dtype

    def __call__(self, image: Tensor) -> Tensor:
        return convert_image_dtype(image, self.dtype)


class Normalize(Transform):
    """`functional.normalize`. Source: torchvision.transforms.Normalize.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.vision.transforms import Normalize
        >>> Normalize((0.5,), (0.5,))(lenet.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """

    shown = ("mean", "std")

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        return normalize(tensor, self.mean, self.std, self.inplace)
