"""Augmentation: each epoch shows every training picture a little changed, at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.sample_random import Chance
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import ConfigError
from lenetcli.kernels.layout import logical, stored
from lenetcli.kernels.warp import moved, warped

Array = npt.NDArray[Any]

# Each change has its own random numbers, so that one more leaves the others as they are.
_FLIP, _CROP, _ROTATE, _SHIFT, _SCALE, _SQUEEZE, _SHEAR, _CUTOUT = 0, 1, 3, 4, 6, 7, 8, 9
_BRIGHTNESS, _CONTRAST, _SATURATION, _ERASE = 11, 12, 13, 14  # erasing takes five
_LEAST, _LONGEST = 0.02, 3.0  # of what is erased: its share of the picture, how long it may be for its height


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training pictures; what is left out or 0 does not happen.

    The changes of a picture follow from the config's seed, the epoch and the sample's number alone: not from its batch,
    and not from where a run was resumed. They happen in the order of the arguments, after resizing, so pixels are those
    that the model sees; what comes in from outside is black. All that turns, moves and stretches is one map with one
    bilinear interpolation.

    Args:
        flip: mirror left to right, every other time.
        crop: move by up to so many whole pixels, each way, as cropping at random from a picture with a border does.
        rotate: turn by up to so many degrees, either way.
        shift: move by up to so many pixels, fractions too.
        scale: make larger or smaller by up to this share: 0.1 is from 0.9 to 1.1.
        squeeze: make wider and flatter, or narrower and taller, by up to this share.
        shear: slant by up to so many degrees.
        noise: standard deviation of normal noise on every pixel, which are usually from 0 to 1; before normalisation.
        cutout: side of a square that becomes 0 for the model (the mean, where pictures are normalised), somewhere.
        brightness: make brighter or darker by up to this share; values stay between 0 and 1, here and in the next two.
        contrast: make stronger or weaker, around the picture's mean, by up to this share.
        saturation: make colours stronger or weaker by up to this share; of gray pictures it changes nothing.
        erase: every other time, a rectangle of up to this share of the picture (of 0.02 at least) becomes 0 for the
            model; it is up to three times as wide as high, or as high as wide.

    Raises:
        ConfigError: a value out of its range.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998 (the planar maps);
        T. DeVries, G. Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017;
        Z. Zhong et al., Random Erasing Data Augmentation, 2017.
    """

    flip: bool = False
    crop: int = 0
    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    squeeze: float = 0.0
    shear: float = 0.0
    noise: float = 0.0
    cutout: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name, most in _RANGES.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"augment.{name}: wanted 0 to {most:g}, got {value:g}")

    @property
    def warps(self) -> bool:
        """Whether pixels have to be interpolated."""
        return any((self.rotate, self.shift, self.scale, self.squeeze, self.shear))

    @property
    def colours(self) -> bool:
        """Whether brightness or colours change."""
        return any((self.brightness, self.contrast, self.saturation))


_RANGES = {
    "crop": 1024, "rotate": 180, "shift": 1024, "scale": 0.9, "squeeze": 0.9, "shear": 80, "noise": 1e6, "cutout": 4096,
    "brightness": 1, "contrast": 1, "saturation": 1, "erase": 1,
}  # fmt: skip


_GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # what red, green and blue add to gray


@dataclass(frozen=True)
class Augmenter:
    """Changes batches of pictures that have gone through their preprocessing.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data import Augmentation
        >>> from lenetcli.data.augment import Augmenter
        >>> pictures = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
        >>> flip = Augmenter(Augmentation(flip=True))
        >>> flip(pictures, np.array([2, 3]), seed=0, epoch=0)[:, 0].tolist()
        [[[0.0, 1.0], [2.0, 3.0]], [[5.0, 4.0], [7.0, 6.0]]]
    """

    changes: Augmentation
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __call__(self, images: Array, samples: npt.NDArray[np.int64], seed: int, epoch: int) -> Array:
        """Pictures (N, C, H, W) as the model would see them -> the same, changed; their memory may be written to.

        Args:
            samples: (N,) the samples' numbers.
        """
        x, changes = stored(images), self.changes  # (C, H, W, N)
        chance = Chance(seed, epoch, samples)
        black, unit = self.preprocessing.black_and_unit(len(x))
        if changes.warps:
            x = warped(x, *self._map(chance), black)
        elif changes.flip or changes.crop:
            x = moved(x, *self._moves(chance), self._flips(chance), black)
        if changes.colours:
            x = self._coloured(x, chance)
        if changes.noise:
            noise = chance.normal(x[..., 0].size).reshape(x.shape)
            noise *= (changes.noise * unit).astype(np.float32).reshape(-1, 1, 1, 1)
            x = x + noise
        if changes.cutout:
            x = x * self._kept(chance, x.shape[1], x.shape[2])
        if changes.erase:
            x = x * self._not_erased(chance, x.shape[1], x.shape[2])
        return logical(x)

    def _coloured(self, x: Array, chance: Chance) -> Array:
        """(C, H, W, N) with other brightness, contrast and saturation."""
        changes, (black, unit) = self.changes, self.preprocessing.black_and_unit(len(x))
        black, unit = black.reshape(-1, 1, 1, 1), unit.reshape(-1, 1, 1, 1)
        y = (x - black) / unit  # 0 to 1
        for slot, limit in ((_BRIGHTNESS, changes.brightness), (_CONTRAST, changes.contrast),
                            (_SATURATION, changes.saturation)):  # fmt: skip
            if not limit or (slot == _SATURATION and len(y) != len(_GRAY)):
                continue
            factor = (1 + chance.between(slot, limit)).astype(np.float32)
            middle: Any = 0
            if slot == _CONTRAST:
                each = np.ascontiguousarray(y.reshape(-1, y.shape[3]).T, np.float64)  # alike in whichever batch
                middle = each.mean(axis=1).astype(np.float32)
            elif slot == _SATURATION:
                middle = y[0] * _GRAY[0] + y[1] * _GRAY[1] + y[2] * _GRAY[2]
            y = np.clip(middle + (y - middle) * factor, 0, 1)
        return np.asarray(y * unit + black, np.float32)

    def _not_erased(self, chance: Chance, h: int, w: int) -> Array:
        """(H, W, N): 0 in a rectangle within the picture, every other time; 1 elsewhere."""
        share = _LEAST + chance.uniform(_ERASE + 1) * max(0.0, self.changes.erase - _LEAST)
        form = np.exp(chance.between(_ERASE + 2, np.log(_LONGEST)))
        tall = np.clip(np.rint(np.sqrt(share * h * w / form)), 1, h).astype(np.int64)
        wide = np.clip(np.rint(np.sqrt(share * h * w * form)), 1, w).astype(np.int64)
        top = np.floor(chance.uniform(_ERASE + 3) * (h - tall + 1)).astype(np.int64)
        left = np.floor(chance.uniform(_ERASE + 4) * (w - wide + 1)).astype(np.int64)
        rows, columns = np.arange(h)[:, None], np.arange(w)[:, None]
        down = (rows >= top) & (rows < top + tall) & (chance.uniform(_ERASE) < 0.5)
        across = (columns >= left) & (columns < left + wide)
        return np.asarray(~(down[:, None] & across), np.float32)

    def _flips(self, chance: Chance) -> Array:
        return chance.uniform(_FLIP) < (0.5 if self.changes.flip else 0.0)

    def _moves(self, chance: Chance) -> tuple[Array, Array]:
        return chance.whole(_CROP, self.changes.crop), chance.whole(_CROP + 1, self.changes.crop)

    def _map(self, chance: Chance) -> tuple[Array, Array]:
        """Matrix and offset that lead from each pixel to where it comes from."""
        changes = self.changes
        turn, slant = (
            np.deg2rad(chance.between(*what)) for what in ((_ROTATE, changes.rotate), (_SHEAR, changes.shear))
        )
        size = 1 / (1 + chance.between(_SCALE, changes.scale))
        wide = 1 + chance.between(_SQUEEZE, changes.squeeze)
        tall, wide = size * wide, size / wide
        wide = np.where(self._flips(chance), -wide, wide)
        cos, sin = np.cos(turn), np.sin(turn)
        skew = np.tan(slant)
        matrix = np.array([[tall * cos, tall * sin], [wide * (skew * cos - sin), wide * (skew * sin + cos)]])
        down, right = self._moves(chance)
        back = np.array(
            [down + chance.between(_SHIFT, changes.shift), right + chance.between(_SHIFT + 1, changes.shift)]
        )
        # no einsum, which some processors round once for a product and a sum
        return matrix, -(matrix[:, 0] * back[0] + matrix[:, 1] * back[1])

    def _kept(self, chance: Chance, h: int, w: int) -> Array:
        """(H, W, N): 0 in a square whose middle lies anywhere in the picture, 1 elsewhere."""
        side = self.changes.cutout
        first = [
            np.floor(chance.uniform(_CUTOUT + i) * size).astype(np.int64) - side // 2 for i, size in enumerate((h, w))
        ]
        inside = [
            (np.arange(size)[:, None] >= start) & (np.arange(size)[:, None] < start + side)
            for size, start in zip((h, w), first)
        ]
        return np.asarray(~(inside[0][:, None] & inside[1]), np.float32)
