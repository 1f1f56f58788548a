"""Random numbers that belong to a sample: whichever batch it comes in, whatever came before, it gets the same ones.

A hash of (seed, epoch, sample, slot) takes the place of a generator that one would have to wind forward.

Source: G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators, 2014 (SplitMix64).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import AUGMENTATION

Array = npt.NDArray[Any]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_PIXELS = np.uint64(0xD1B54A32D192ED03)  # sets the pixels' numbers apart from those of the slots


class Chance:
    """The random numbers of some samples in one epoch.

    Args:
        samples: (N,) numbers of the samples.

    Example:
        >>> import numpy as np
        >>> a, b = Chance(0, 3, np.array([7, 8, 9])), Chance(0, 3, np.array([9]))
        >>> bool(a.uniform(1)[2] == b.uniform(1)[0])
        True
    """

    def __init__(self, seed: int, epoch: int, samples: npt.NDArray[np.int64]) -> None:
        start = np.random.SeedSequence((seed % 2**64, AUGMENTATION, epoch)).generate_state(1, np.uint64)
        self._keys = _mixed(start + samples.astype(np.uint64) * _STEP)

    def uniform(self, slot: int) -> Array:
        """(N,) numbers from 0 up to 1; each slot has its own."""
        return (_mixed(self._keys + np.array([slot + 1], np.uint64) * _STEP) >> np.uint64(11)) * 2.0**-53

    def between(self, slot: int, limit: float) -> Array:
        """(N,) numbers from -limit up to limit."""
        return (self.uniform(slot) * 2 - 1) * limit

    def whole(self, slot: int, limit: int) -> npt.NDArray[np.int64]:
        """(N,) integers from -limit to limit."""
        return np.asarray(np.floor(self.uniform(slot) * (2 * limit + 1)), np.int64) - limit

    def normal(self, count: int) -> Array:
        """(count, N) float32 numbers of the normal distribution, two from each hash (Box and Muller, 1958)."""
        half = (count + 1) // 2
        z = np.arange(1, half + 1, dtype=np.uint64)[:, None] * _STEP + (self._keys ^ _PIXELS)
        z = _mixed(z)
        radius = ((z >> np.uint64(40)).astype(np.float32) + 1) * np.float32(
            2**-24
        )  # above 0, so that it has a logarithm
        np.log(radius, out=radius)
        radius *= -2
        np.sqrt(radius, out=radius)
        angle = (z & np.uint64(0xFFFFFF)).astype(np.float32)
        angle *= np.float32(2 * np.pi * 2**-24)
        found = np.empty((2 * half, len(self._keys)), np.float32)
        np.multiply(radius, np.cos(angle), out=found[:half])
        np.multiply(radius, np.sin(angle), out=found[half:])
        return found[:count]


def _mixed(z: Array) -> Array:
    """Every bit of the result depends on every bit of what goes in."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
