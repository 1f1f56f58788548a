"""STL-10: colour photos in binary files without heads, stored column by column, with labels from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import is_regular, read_within
from lenetcli.errors import DataError

_LARGEST = 1 << 32  # bytes of a file
_SHAPE = (3, 96, 96)  # of a picture in the file: channels, columns, rows
_FOLDER = "stl10_binary"  # as the archive has it


class STL10(Source):
    """Colour photos of 96x96 pixels in ten classes: 5,000 to train on, 8,000 to test on.

    Args:
        root: directory of train_X.bin, train_y.bin, test_X.bin and test_y.bin, or of the archive's folder with them.
        resize: rows and columns to resize to, from 96x96.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: a file is missing, truncated, or has a label that is no class.

    Source: A. Coates, H. Lee, A. Y. Ng, An Analysis of Single Layer Networks in Unsupervised Feature Learning, 2011.
    """

    classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")

    def __init__(
        self,
        root: str = "data/stl10",
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root = Path(root).expanduser()
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)

    def load(self, split: str) -> ArrayDataset:
        place = next((p for p in (self.root, self.root / _FOLDER) if is_regular(p / f"{split}_X.bin")), None)
        if place is None:
            raise DataError(f"{self.root}: no {split}_X.bin in it; data.root=DIR names the directory that has it")
        pictures, labels = (read_within(place / f"{split}_{kind}.bin", _LARGEST) for kind in "Xy")
        count, rest = divmod(len(pictures), int(np.prod(_SHAPE)))
        if rest or not count:
            raise DataError(
                f"{place / f'{split}_X.bin'}: {len(pictures):,} bytes are no whole pictures of {int(np.prod(_SHAPE)):,}"
            )
        numbers = np.frombuffer(labels, np.uint8).astype(np.int64) - 1
        if len(numbers) != count:
            raise DataError(f"{place / f'{split}_y.bin'}: {len(numbers):,} labels for {count:,} pictures")
        if numbers.min() < 0 or numbers.max() >= len(self.classes):
            wrong = int(numbers.min() if numbers.min() < 0 else numbers.max()) + 1
            raise DataError(f"{place / f'{split}_y.bin'}: label {wrong}, wanted 1 to {len(self.classes)}")
        images = np.frombuffer(pictures, np.uint8).reshape(count, *_SHAPE).transpose(0, 1, 3, 2)
        return ArrayDataset(images, numbers, self.preprocessing)
