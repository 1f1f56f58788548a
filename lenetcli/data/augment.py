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

    Raises:
        ConfigError: a value out of its range.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998 (the planar maps);
        T. DeVries, G. Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017.
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

    def __post_init__(self) -> None:
        for name, most in _RANGES.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"augment.{name}: wanted 0 to {most:g}, got {value:g}")

    @property
    def warps(self) -> bool:
        """Whether pixels have to be interpolated."""
        return any((self.rotate, self.shift, self.scale, self.squeeze, self.shear))


_RANGES = {
    "crop": 1024, "rotate": 180, "shift": 1024, "scale": 0.9, "squeeze": 0.9, "shear": 80, "noise": 1e6, "cutout": 4096,
}  # fmt: skip


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
        if changes.noise:
            noise = chance.normal(x[..., 0].size).reshape(x.shape)
            noise *= (changes.noise * unit).astype(np.float32).reshape(-1, 1, 1, 1)
            x = x + noise
        if changes.cutout:
            x = x * self._kept(chance, x.shape[1], x.shape[2])
        return logical(x)

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
