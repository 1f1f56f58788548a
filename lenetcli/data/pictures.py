"""Pictures from files: PNG and JPEG of any size and mode, and NumPy's .npy. All of it is untrusted input."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.disk import read_within
from lenetcli.errors import ConfigError, DataError
from lenetcli.kernels.rescale import pixel_weights, rescaled

Array = npt.NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg", ".npy")
LARGEST = 1 << 30  # bytes of a file
MOST_PIXELS = 1 << 24  # of a picture
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels
_FORMATS = ("PNG", "JPEG")
_NPY, _PNG, _JPEG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def decode(data: bytes, name: str, channels: int) -> Array:
    """The content of a file: a picture (C, H, W) of bytes, or the array of a .npy file as it is.

    Args:
        data: the file's bytes; what they are is seen from the first of them.
        name: for messages.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.

    Raises:
        DataError: no such file, a damaged or truncated one, or one of an absurd size.
        ConfigError: a picture, but Pillow is not installed.
    """
    if data.startswith(_NPY):
        return decode_array(data, name)
    if data.startswith((_PNG, _JPEG)):
        return decode_picture(data, name, channels)
    raise DataError(f"{name}: {'empty' if not data else 'neither PNG, JPEG nor .npy'}")


def read(path: Path, channels: int) -> Array:
    """What `decode` makes of a file.

    Raises:
        DataError, ConfigError: as `decode`; or the file cannot be read.
    """
    return decode(read_within(path, LARGEST), str(path), channels)


def decode_picture(data: bytes, name: str, channels: int) -> npt.NDArray[np.uint8]:
    """A PNG or JPEG as (C, H, W), turned upright; transparent parts show white, 16 bits become 8.

    Raises:
        DataError: damaged, truncated, or more than MOST_PIXELS.
        ConfigError: Pillow is not installed.
    """
    if channels not in MODES:
        raise DataError(f"{name}: a picture has 1, 3 or 4 channels; here {channels} are wanted, which .npy can hold")
    pillow = _pillow()
    try:
        with pillow.Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise DataError(f"{name}: {width:,} x {height:,} pixels, more than the {MOST_PIXELS:,} allowed")
            image.verify()
        with pillow.Image.open(io.BytesIO(data), formats=_FORMATS) as image:  # verify leaves it unusable
            image.load()
            found = np.asarray(_of_mode(pillow, pillow.ImageOps.exif_transpose(image), MODES[channels]))
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{name}: not enough memory for {width:,} x {height:,} pixels") from None
    except Exception as error:  # a hostile file can make a decoder raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: damaged or truncated picture: {reason}") from None
    return np.ascontiguousarray(np.moveaxis(found.reshape(*found.shape[:2], channels), -1, 0), np.uint8)


@cache
def _pillow() -> ModuleType:
    """Pillow, whose warnings (of a decompression bomb, of damaged metadata) are errors from now on.

    A filter for each picture (`warnings.catch_warnings`) would be every thread's, and pictures are decoded by several.
    """
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise ConfigError("PNG and JPEG need Pillow: python -m pip install 'lenet[images]'") from None
    warnings.filterwarnings("error", module=r"PIL\.")
    return PIL


def _of_mode(pillow: ModuleType, image: Any, mode: str) -> Any:
    """The picture in one of MODES."""
    if image.mode.startswith(("I", "F")):  # 16 bits and more; Pillow's own conversion would cut at 255
        gray = np.asarray(image).astype(np.float64)
        image = pillow.Image.fromarray(np.clip(np.rint(gray / 257), 0, 255).astype(np.uint8))
    if image.has_transparency_data and mode != "RGBA":
        image = image.convert("RGBA")
        paper = pillow.Image.new("RGBA", image.size, "white")
        image = pillow.Image.alpha_composite(paper, image)
    return image.convert(mode)


def decode_array(data: bytes, name: str) -> Array:
    """The array of a .npy file: numbers only, of exactly the size that its header states.

    Raises:
        DataError: damaged, truncated, bytes left over, or no numbers; nothing is unpickled.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = header(stream)
        wanted = kind.itemsize
        for size in shape:
            wanted *= size
        there = len(data) - stream.tell()
        if kind.kind not in "biuf":
            raise ValueError(f"wanted numbers, got {'objects' if kind.hasobject else kind}")
        if wanted != there:
            word = "truncated" if there < wanted else "bytes left over"
            raise ValueError(f"{word}: {list(shape)} of {kind} needs {wanted:,} bytes, there are {there:,}")
        stream.seek(0)
        found: Array = np.load(stream, allow_pickle=False)
    except Exception as error:  # NumPy parses the header as Python, which fails in many ways (TokenError is one)
        raise DataError(f"{name}: not a sound .npy file: {' '.join(str(error).split())[:200]}") from None
    return found


def shrink(images: Array, size: tuple[int, int]) -> Array:
    """Images (N, C, H, W) no larger than `size`: a longer axis shrinks, each new pixel a mean of all that it covers.

    Source: torch.nn.functional.interpolate(mode="bilinear", antialias=True), for axes that shrink.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data.pictures import shrink
        >>> shrink(np.array([[[[0.0, 2.0, 4.0, 6.0]]]]), (9, 2))
        array([[[[1.4285715, 4.5714283]]]], dtype=float32)
    """
    x = np.asarray(images)
    for axis, wanted in ((2, size[0]), (3, size[1])):
        if x.shape[axis] > wanted:
            old = x.shape[axis]
            x = rescaled(x.astype(np.float32, copy=False), axis, *pixel_weights(old, wanted, old / wanted))
    return x
