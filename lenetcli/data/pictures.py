"""Pictures from files: any size and mode of the formats below, and NumPy's .npy. All of it is untrusted input.

What can be wrong beside the pixels (a date, a thumbnail, a colour profile) is left aside: ImageNet has such files.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.transforms import resize
from lenetcli.disk import read_within
from lenetcli.errors import ConfigError, DataError, in_a_line
from lenetcli.kernels.rescale import pixel_weights, rescaled

Array = npt.NDArray[Any]

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")  # those that Pillow may open
KINDS = "PNG, JPEG, BMP, WebP, TIFF, GIF or PPM"
SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm",
    ".pbm", ".pnm",
)  # fmt: skip
LARGEST = 1 << 30  # bytes of a file
MOST_PIXELS = 1 << 24  # that are decoded of a picture, unless told otherwise
LIMIT = 1 << 30  # the most that one may ask for
REDUCED = 8  # the most that a side of a large JPEG is divided by
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels
_NPY, _PNG, _JPEG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_STARTS = (_PNG, _JPEG, b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", *(b"P%d" % i for i in range(1, 7)))
_OTHERS = (  # what files that are called pictures often are: where, what, and what to say
    (4, b"ftyphei", "HEIC, which is not read: convert it to JPEG or PNG"),
    (4, b"ftypmif1", "HEIF, which is not read: convert it to JPEG or PNG"),
    (4, b"ftypavif", "AVIF, which is not read: convert it to JPEG or PNG"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself: `git lfs pull` gets it"),
    (0, b"<", "a text (HTML, XML or SVG), no picture"),
    (0, b"%PDF", "a PDF, no picture"),
)
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Exif's orientation: Pillow's Transpose that undoes it


class BrokenPicture(DataError):
    """What can be left out for good: an empty cell, or bytes that are no picture that is read, or too large a one."""


class _NotReadError(ValueError):
    """A sound picture of a kind that is not read."""


def decode(
    data: bytes, name: str, channels: int, size: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS
) -> Array:
    """The content of a file: a picture (C, H, W) of bytes, or the array of a .npy file as it is.

    Args:
        data: the file's bytes; what they are is seen from the first of them.
        name: for messages.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        size, max_pixels: see `decode_picture`.

    Raises:
        DataError: no such file, a damaged or truncated one, or one of an absurd size.
        ConfigError: a picture, but Pillow is not installed.
    """
    if data.startswith(_NPY):
        return decode_array(data, name)
    if data.startswith(_STARTS) or data[8:12] == b"WEBP":
        return decode_picture(data, name, channels, size, max_pixels)
    if not data:
        raise BrokenPicture(f"{name}: empty")
    said = _other(data)
    raise BrokenPicture(f"{name}: {said}" if said else f"{name}: neither a picture ({KINDS}) nor .npy")


def read(path: Path, channels: int, size: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS) -> Array:
    """What `decode` makes of a file.

    Raises:
        DataError, ConfigError: as `decode`; or the file cannot be read.
    """
    return decode(read_within(path, LARGEST), str(path), channels, size, max_pixels)


def decode_picture(
    data: bytes, name: str, channels: int, size: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS
) -> npt.NDArray[np.uint8]:
    """A picture as (C, H, W), turned upright; transparent parts show white, 16 bits become 8, of several the first.

    Args:
        size: rows and columns that the picture is to be resized to later, if it is: a JPEG of more than MOST_PIXELS
            is then decoded at 1/2, 1/4 or 1/8 of its size, and still at least twice as large as that.
        max_pixels: the most that are decoded.

    Raises:
        BrokenPicture: damaged, truncated, of another format, or more pixels than that.
        DataError: there is no memory for it.
        ConfigError: Pillow is not installed.
    """
    if channels not in MODES:
        raise DataError(f"{name}: a picture has 1, 3 or 4 channels; here {channels} are wanted, which .npy can hold")
    pillow = _opener(max_pixels)
    try:
        sound = _png_pixels(data) if data.startswith(_PNG) else data
        try:
            found = _pixels(pillow, sound, name, channels, size, max_pixels)
        except DataError:
            raise
        except Exception:
            if not data.startswith(_JPEG):
                raise
            found = _pixels(pillow, _jpeg_pixels(data), name, channels, size, max_pixels)
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{name}: not enough memory for this picture") from None
    except Exception as error:  # a hostile file can make a decoder raise anything
        raise BrokenPicture(f"{name}: {_reason(pillow, error, data, size, max_pixels)}") from None
    return np.ascontiguousarray(np.moveaxis(found.reshape(*found.shape[:2], channels), -1, 0), np.uint8)


def stated_size(data: bytes, name: str, max_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """Rows and columns of a picture as its head states them, turned as the camera says; its pixels are not decoded.

    Raises:
        BrokenPicture: the head is damaged, or of another format.
        ConfigError: Pillow is not installed.
    """
    pillow = _opener(max_pixels)
    try:
        with pillow.Image.open(io.BytesIO(data), formats=FORMATS) as image:
            columns, rows = image.size
            turned = image.getexif().get(0x0112) if image.format in ("JPEG", "MPO") else None
    except Exception as error:  # a hostile file can make a decoder raise anything
        raise BrokenPicture(f"{name}: {_reason(pillow, error, data, None, max_pixels)}") from None
    return (columns, rows) if turned in (5, 6, 7, 8) else (rows, columns)


def fitted(images: Array, size: tuple[int, int], mode: str = "squeeze") -> Array:
    """Images (N, C, H, W) of another size made of that size: shrunk by means, grown bilinearly; bytes stay bytes.

    The one way in which training, evaluation and prediction bring pictures to a size.

    Args:
        mode: of `Resize`; what `fit` adds is black.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data.pictures import fitted
        >>> wide = np.array([[[[1, 2, 3, 4]]]], np.uint8)
        >>> fitted(wide, (1, 2), "crop")[0, 0].tolist(), fitted(wide, (4, 4), "fit")[0, 0, :, 0].tolist()
        ([[2, 3]], [0, 1, 0, 0])
    """
    if images.shape[2:] == size:
        return images
    if mode != "squeeze":
        return _in_form(images, size, mode)
    found = resize(shrink(images, size), size)
    return np.asarray(np.clip(np.rint(found), 0, 255), np.uint8) if images.dtype == np.uint8 else found


def _in_form(images: Array, size: tuple[int, int], mode: str) -> Array:
    """Images of that size that keep their form: the whole in the middle of black, or the middle of the whole."""
    h, w = images.shape[2:]
    (rows, columns), scale = size, (min if mode == "fit" else max)(size[0] / h, size[1] / w)
    bound = min if mode == "fit" else max
    inner = (bound(rows, max(1, round(h * scale))), bound(columns, max(1, round(w * scale))))
    found = fitted(images, inner)
    if mode == "crop":
        top, left = (inner[0] - rows) // 2, (inner[1] - columns) // 2
        return found[:, :, top : top + rows, left : left + columns]
    top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
    whole = np.zeros((*found.shape[:2], rows, columns), found.dtype)
    whole[:, :, top : top + inner[0], left : left + inner[1]] = found
    return whole


def _pixels(
    pillow: ModuleType, data: bytes, name: str, channels: int, size: tuple[int, int] | None, max_pixels: int
) -> Array:
    with pillow.Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if size is not None and width * height > min(MOST_PIXELS, max_pixels) and image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * max(size),) * 2)
        decoded = image.size[0] * image.size[1]
        if decoded > max_pixels or width * height > REDUCED * max_pixels:
            what = f"{width:,} x {height:,}"
            raise BrokenPicture(f"{name}: {_too_large(what, width * height, data, size, max_pixels)}")
        image.load()
        return np.asarray(_of_mode(pillow, _upright(pillow, image), MODES[channels]))


def _too_large(what: str, pixels: int, data: bytes, size: tuple[int, int] | None, max_pixels: int) -> str:
    reducible = data.startswith(_JPEG)
    smaller = reducible and size is None and pixels <= REDUCED * max_pixels
    needed = -(-pixels // REDUCED) if reducible and size is not None else pixels
    return (
        f"{what} pixels, more than the {max_pixels:,} allowed; "
        f"{'data.resize=[rows, columns] decodes it smaller, or ' if smaller else ''}data.max_pixels={needed} allows it"
    )


def _upright(pillow: ModuleType, image: Any) -> Any:
    """The picture as its Exif data turns it; as it is where they are damaged."""
    try:
        turned = _UPRIGHT.get(image.getexif().get(0x0112))
    except MemoryError:
        raise
    except Exception:  # as many kinds as there are ways to be damaged
        turned = None
    return image if turned is None else image.transpose(pillow.Image.Transpose(turned))


def _reason(pillow: ModuleType, error: Exception, data: bytes, size: tuple[int, int] | None, max_pixels: int) -> str:
    """What is wrong with a picture, in a line."""
    if isinstance(error, pillow.Image.DecompressionBombError):
        stated = re.search(r"\d+", str(error))
        pixels = int(stated[0]) if stated else max_pixels + 1
        return _too_large(f"{pixels:,}", pixels, data, size, max_pixels)
    if isinstance(error, _NotReadError):
        return str(error)
    if isinstance(error, pillow.UnidentifiedImageError):
        said = _other(data)
        if said:
            return said
        return f"damaged or truncated picture: {'an empty file' if not data else f'not recognised as {KINDS}'}"
    return f"damaged or truncated picture: {in_a_line(error)}"


def _other(data: bytes) -> str:
    return next((said for at, start, said in _OTHERS if data[at : at + len(start)] == start), "")


def _png_pixels(data: bytes) -> bytes:
    """A PNG without its texts and without damaged chunks that its pixels do not need.

    Raises:
        ValueError: a chunk that they need is damaged, the file is cut, or goes on after its end.
    """
    kept, at, kind = [_PNG], len(_PNG), b""
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if end > len(data) or len(kind) < 4:
            raise ValueError("the file ends in the middle")
        if kind == b"IEND" and end - at > 12:
            raise ValueError(f"{end - at - 12:,} bytes in the picture's end, which has none")
        if zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
            if kind not in (b"tEXt", b"zTXt", b"iCCP"):
                kept.append(data[at:end])
        elif kind[:1].isupper() or kind == b"tRNS" or not kind.isalpha():
            raise ValueError(f"wrong checksum of its chunk {kind.decode('ascii', 'replace')}")
        at = end
    if at != len(data):
        raise ValueError(f"{len(data) - at:,} bytes left over after the picture's end")
    return b"".join(kept)


def _jpeg_pixels(data: bytes) -> bytes:
    """A JPEG without what programs wrote about it (Exif, MPF, profiles, comments); as it is where that is no JPEG."""
    kept, at = [data[:2]], 2
    while data[at : at + 1] == b"\xff" and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if (0xE0 < data[at + 1] <= 0xEF and data[at + 1] != 0xEE) or data[at + 1] == 0xFE:
            pass  # APP1 to APP15, but for Adobe's word on the colours; a comment
        else:
            kept.append(data[at:end])
        at = max(end, at + 2)
        if at + 4 > len(data):
            return data
    return b"".join([*kept, data[at:]])


@cache
def _pillow() -> ModuleType:
    try:
        import PIL
        import PIL.Image
        import PIL.TiffImagePlugin
        import PIL.WebPImagePlugin
    except ImportError:
        raise ConfigError("pictures need Pillow: python -m pip install 'lenet[images]'") from None
    return PIL


def _opener(max_pixels: int) -> ModuleType:
    """Pillow, whose warnings (of damaged metadata, of large pictures, which are judged here) are not heard.

    A filter for each picture (`warnings.catch_warnings`) would be every thread's, and pictures are decoded by several.
    Where more pixels are allowed than it opens of itself, it opens more from now on.
    """
    module = _pillow()
    if not any(f[0] == "ignore" and getattr(f[3], "pattern", "") == r"PIL\." for f in warnings.filters):
        warnings.filterwarnings("ignore", module=r"PIL\.")
    if max_pixels > MOST_PIXELS and module.Image.MAX_IMAGE_PIXELS is not None:
        most = REDUCED * max_pixels // 2 + 1  # it opens up to twice its number
        module.Image.MAX_IMAGE_PIXELS = max(module.Image.MAX_IMAGE_PIXELS, most)
    return module


def _of_mode(pillow: ModuleType, image: Any, mode: str) -> Any:
    """The picture in one of MODES.

    Raises:
        _NotReadError: its pixels say nothing of black and white.
    """
    if image.mode == "F":
        raise _NotReadError(
            "its pixels are floats, which do not say what is white; save it with 8 or 16 bits, or as NPZ"
        )
    if image.mode.startswith("I"):  # 16 bits and more; Pillow's own conversion would cut at 255
        gray = np.asarray(image)
        if gray.size and (gray.min() < 0 or gray.max() > 65535):
            raise _NotReadError(f"its pixels have more than 16 bits: {gray.min()} to {gray.max()}")
        image = pillow.Image.fromarray(np.rint(gray.astype(np.float64) / 257).astype(np.uint8))
    if image.mode == "LAB":  # Pillow makes no gray of that
        image = image.convert("RGB")
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
        raise DataError(f"{name}: not a sound .npy file: {in_a_line(error)}") from None
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
            x = rescaled(x.astype(np.float32, copy=False), axis, *_means(old, wanted))
    return x


@lru_cache(maxsize=256)
def _means(size: int, out: int) -> tuple[Array, Array]:
    """The weights of means, kept: pictures of a folder often have the same few sizes."""
    return pixel_weights(size, out, size / out)
