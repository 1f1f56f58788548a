"""What turns stored images into what a model sees: scale, resize, normalise. One record, so that a run remembers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lenetcli.errors import ConfigError
from lenetcli.kernels.layout import logical, stored
from lenetcli.kernels.rescale import pixel_weights, rescaled

Array = npt.NDArray[Any]

Numbers = float | Sequence[float]

_TOGETHER = 64  # images that are resized together: few enough for the cache, enough for long rows


@dataclass(frozen=True)
class Resize:
    """How pictures of other forms are brought to one size.

    Args:
        size: rows and columns.
        mode: squeeze: rows and columns each become as many, whatever the picture's form; fit: the whole picture fits
            in, in its form, in the middle of black; crop: the picture fills all, in its form, and what stands out on
            two sides is cut.
    """

    size: tuple[int, int]
    mode: Literal["squeeze", "fit", "crop"] = "squeeze"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"resize.mode: wanted {', '.join(MODES)}, got {self.mode!r}")


MODES = ("squeeze", "fit", "crop")


def resizing(given: tuple[int, int] | Resize | None) -> Resize | None:
    """What an argument `resize` says.

    Raises:
        ConfigError: sizes below 1, or more or fewer than two.
    """
    found = given if given is None or isinstance(given, Resize) else Resize(given)
    if found is not None and (len(found.size) != 2 or min(found.size) < 1):
        raise ConfigError(f"resize: wanted [rows, columns], both at least 1, got {list(found.size)}")
    return None if found is None else Resize((found.size[0], found.size[1]), found.mode)


@dataclass(frozen=True)
class Preprocessing:
    """Scales, then resizes, then normalises a batch of images.

    Formula:
        (resize(x * scale) - mean) / std

    Args:
        scale: factor for raw values, such as 1/255.
        resize: rows and columns to resize to (bilinear), or None.
        normalize: mean and standard deviation to subtract and divide by, each a number or one per channel; or None.
    """

    scale: float = 1.0
    resize: tuple[int, int] | None = None
    normalize: tuple[Numbers, Numbers] | None = None

    def __post_init__(self) -> None:
        if self.resize is not None and (len(self.resize) != 2 or min(self.resize) < 1):
            raise ConfigError(f"resize: wanted [rows, columns], both at least 1, got {list(self.resize)}")
        if self.normalize is not None:
            if len(self.normalize) != 2:
                raise ConfigError(f"normalize: wanted [mean, std], got {list(self.normalize)}")
            if np.any(np.asarray(self.normalize[1]) <= 0):
                raise ConfigError(f"normalize: std must be positive, got {self.normalize[1]}")

    def output_shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """(C, H, W) after this, for samples of shape (C, H, W) before it."""
        return sample if self.resize is None else (sample[0], *self.resize)

    def __call__(self, images: Array) -> Array:
        """Images (N, C, H, W) of any type -> float32 (N, C, H', W'), batch-last."""
        x = stored(images).astype(np.float32)  # (C, H, W, N)
        size = (x.shape[1], x.shape[2])
        if self.resize is not None and self.resize != size:
            x = _resize(x, self.resize)
        channels = x.shape[0]
        if channels not in self._changes:
            offset, factor = self._affine(channels)
            self._changes[channels] = factor if np.any(factor != 1) else None, offset if np.any(offset != 0) else None
        by, plus = self._changes[channels]
        if by is not None:
            x *= by
        if plus is not None:
            x += plus
        return logical(x)

    @cached_property
    def _changes(self) -> dict[int, tuple[Array | None, Array | None]]:
        """By the number of channels, what scaling multiplies and adds; None where that changes nothing."""
        return {}

    def black_and_unit(self, channels: int) -> tuple[Array, Array]:
        """(C,) what a stored 0 becomes, and what a difference of 1 between scaled values becomes."""
        offset, factor = self._affine(channels)
        return offset.reshape(-1), factor.reshape(-1) / np.float32(self.scale)

    def _affine(self, channels: int) -> tuple[Array, Array]:
        """Offset and factor of scale and normalise, (C, 1, 1, 1): resizing is linear, so both may follow it."""
        mean, std = self.normalize or (0.0, 1.0)
        for name, value in (("mean", mean), ("std", std)):
            if np.ndim(value) == 1 and len(np.atleast_1d(value)) not in (1, channels):
                raise ConfigError(f"normalize: {name} has {len(np.atleast_1d(value))} numbers for {channels} channels")
        means = np.broadcast_to(np.asarray(mean, np.float64), (channels,))
        stds = np.broadcast_to(np.asarray(std, np.float64), (channels,))
        offset, factor = -means / stds, self.scale / stds
        return offset.astype(np.float32).reshape(-1, 1, 1, 1), factor.astype(np.float32).reshape(-1, 1, 1, 1)


def resize(images: Array, size: tuple[int, int]) -> Array:
    """Bilinear resize of images (N, C, H, W), as torch's interpolate(mode="bilinear", align_corners=False) does it.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data.transforms import resize
        >>> resize(np.array([[[[0.0, 4.0]]]]), (1, 4))
        array([[[[0., 1., 3., 4.]]]], dtype=float32)
    """
    return logical(_resize(stored(images).astype(np.float32), size))


def _resize(x: Array, size: tuple[int, int]) -> Array:
    """(C, H, W, N) -> (C, H', W', N): rows, then columns."""
    c, h, w, n = x.shape
    y = np.empty((c, *size, n), np.float32)
    for part in (slice(first, first + _TOGETHER) for first in range(0, n, _TOGETHER)):
        found = x[..., part]
        if h != size[0]:
            found = rescaled(found, 1, *_bilinear(h, size[0]))
        y[..., part] = found if w == size[1] else rescaled(found, 2, *_bilinear(w, size[1]))
    return y


@lru_cache(maxsize=16)
def _bilinear(size: int, out: int) -> tuple[Array, Array]:
    return pixel_weights(size, out, 1)
