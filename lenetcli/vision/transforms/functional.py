"""torchvision.transforms.functional: the transforms as functions."""

from lenetcli.vision.transforms.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    rgb_to_grayscale,
)
from lenetcli.vision.transforms.convert import convert_image_dtype, normalize, pil_to_tensor, to_pil_image, to_tensor
from lenetcli.vision.transforms.crop import center_crop, crop, pad
from lenetcli.vision.transforms.flip import hflip, rotate, vflip
from lenetcli.vision.transforms.image import InterpolationMode
from lenetcli.vision.transforms.resize import resize

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "hflip",
    "normalize",
    "pad",
    "pil_to_tensor",
    "resize",
    "rgb_to_grayscale",
    "rotate",
    "to_pil_image",
    "to_tensor",
    "vflip",
]
