"""Random: inputs without meaning, to try shapes, speed and gradients on."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import ConfigError

MOST_NUMBERS = 2**28  # in all samples of a split
MOST_CLASSES = 2**16


class Random(Source):
    """Normal random images with random targets: class numbers, or float targets of a given size.

    Args:
        shape: (C, H, W) of one image.
        classes: number of classes; 0 gives float targets instead.
        targets: numbers in one float target, with `classes: 0`.
        train: samples to train on.
        test: samples to test on.
        seed: decides all the numbers.

    Example:
        >>> from lenetcli.data import Random
        >>> Random(shape=(1, 32, 32), classes=0, targets=10, train=4).train.targets.shape
        (4, 10)
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int = 10,
        targets: int = 10,
        train: int = 256,
        test: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if min(*shape, train, test) < 1 or classes < 0 or (classes == 0 and targets < 1):
            raise ConfigError("shape, train, test and targets must be at least 1, classes at least 0")
        if classes > MOST_CLASSES:
            raise ConfigError(f"wanted at most {MOST_CLASSES:,} classes, got {classes:,}")
        numbers = max(train, test) * (math.prod(shape) + (0 if classes else targets))
        if numbers > MOST_NUMBERS:
            raise ConfigError(f"wanted at most {MOST_NUMBERS:,} numbers in a split, got {numbers:,}")
        self.shape, self.target_size, self.seed = shape, targets, seed
        self.classes = tuple(str(i) for i in range(classes))
        self.counts = {"train": train, "test": test}
        self.preprocessing = Preprocessing()

    def load(self, split: str) -> ArrayDataset:
        count = self.counts[split]
        stream = np.random.default_rng((self.seed, len(split)))
        images = stream.standard_normal((count, *self.shape), np.float32)
        if self.classes:
            return ArrayDataset(images, stream.integers(0, len(self.classes), count), self.preprocessing)
        return ArrayDataset(images, stream.standard_normal((count, self.target_size), np.float32), self.preprocessing)
