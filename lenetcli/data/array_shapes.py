"""Which axis of an array is which, where it holds pictures: told by the shape of those that a run was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import DataError

Array = npt.NDArray[Any]

COLOURS = (3, 4)  # channels of a picture in colours, without and with opacity
LONGEST = 16  # times a side may be as long as the other, in a picture of another size than the run's


def arranged(found: Array, held: tuple[int, int, int], name: str) -> Array:
    """An array as images (N, C, H, W).

    Shapes of the run's own size come first: (C, H, W), (H, W, C), both for N of them, (H, W) and (N, H, W) where C is
    1, rows of C * H * W numbers, and (H, W, 3) where C is 1, whose colours become gray as those of a picture do. What
    has another size has to say which axis is the channels'; it is resized later.

    Args:
        found: the array.
        held: (C, H, W) of the run's images.
        name: for messages.

    Raises:
        DataError: no such shape, or one that can be read in two ways.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data.array_shapes import arranged
        >>> [arranged(np.zeros(shape), (1, 28, 28), "x").shape for shape in ((3, 784), (28, 28, 3), (3, 28, 28))]
        [(3, 1, 28, 28), (1, 1, 28, 28), (3, 1, 28, 28)]
    """
    if not found.size or not found.ndim:
        raise DataError(
            f"{name}: {'an empty array' if found.ndim else 'a single number, no array'} {list(found.shape)}"
        )
    own = _of_own_size(found, held)
    return _of_another_size(found, held, name) if own is None else own


def _of_own_size(found: Array, held: tuple[int, int, int]) -> Array | None:
    (c, h, w), shape = held, found.shape
    last, numbers = (h, w, c), c * h * w
    if shape in (held, last):
        found = found[None]
    if found.shape[1:] == held:
        return found
    if found.shape[1:] == last:
        return np.moveaxis(found, -1, 1)
    if c == 1 and shape == (h, w):
        return found[None, None]
    if c == 1 and shape[1:] == (h, w):
        return found[:, None]
    if shape[-1] == numbers and found.ndim <= 2:
        return found.reshape(-1, *held)
    if c == 1 and shape[-3:-1] == (h, w) and _in_colours(found) and found.ndim <= 4:
        return gray(found.reshape(-1, *shape[-3:]))[:, None]
    return None


def _of_another_size(found: Array, held: tuple[int, int, int], name: str) -> Array:
    channels, shape = held[0], found.shape
    if found.ndim == 4 and channels in (shape[1], shape[3]):
        if shape[1] == shape[3]:
            raise _two_ways(name, shape, "axis 1 or axis 3 can hold the channels")
        return found if shape[1] == channels else np.moveaxis(found, -1, 1)
    if found.ndim == 3 and channels > 1 and channels in (shape[0], shape[2]):
        if shape[0] == shape[2]:
            raise _two_ways(name, shape, "axis 0 or axis 2 can hold the channels")
        return (found if shape[0] == channels else np.moveaxis(found, -1, 0))[None]
    if found.ndim in (3, 4) and channels == 1 and _in_colours(found):
        return gray(found.reshape(-1, *shape[-3:]))[:, None]
    if found.ndim == 3 and channels == 1:
        if shape[2] == 1:
            return np.moveaxis(found, -1, 0)[None]
        if shape[0] in COLOURS or shape[2] in COLOURS:
            several = f"{shape[0]} gray pictures of {shape[1]} x {shape[2]}"
            raise _two_ways(name, shape, f"it can be {several} or one in colours")
        return found[:, None]
    if found.ndim == 2 and channels == 1 and max(shape) <= LONGEST * min(shape):
        return found[None, None]
    plain = ", [H, W] or [N, H, W]" if channels == 1 else ""
    rows = f"; or rows of {channels * held[1] * held[2]:,} numbers"
    raise DataError(
        f"{name}: wanted an array [{channels}, H, W], [N, {channels}, H, W]{plain}{rows}, got {list(shape)}"
    )


def _two_ways(name: str, shape: tuple[int, ...], why: str) -> DataError:
    return DataError(f"{name}: {list(shape)} can be read in two ways: {why}; give it as [N, channels, H, W]")


def _in_colours(found: Array) -> bool:
    """Whether the last axis holds colours that can become gray: floats do not say what is white behind them."""
    return found.shape[-1] == 3 or (found.shape[-1] == 4 and found.dtype == np.uint8)


def gray(colours: Array) -> Array:
    """Pictures (N, H, W, 3 or 4) as gray ones (N, H, W), to the bit as Pillow does it; what is transparent shows white.

    Source: Pillow's alpha_composite and convert("L"), which is ITU-R 601-2 in integers.
    """
    if colours.dtype != np.uint8:
        return np.asarray(colours @ np.array([0.299, 0.587, 0.114], colours.dtype))
    whole: Array = colours.astype(np.uint32)
    if whole.shape[-1] == 4:
        opacity = whole[..., 3:]
        mixed = (whole[..., :3] * opacity + 255 * (255 - opacity) + 128) << 7
        whole = ((mixed >> 8) + mixed) >> 15
    red, green, blue = np.moveaxis(whole, -1, 0)
    return np.asarray((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16, np.uint8)
