"""Kuzushiji-49: 49 handwritten Hiragana, in four NPZ files of one array each."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.npz_arrays import read_array
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import is_regular, read_within
from lenetcli.errors import DataError

_CLASSES = 49
_ARRAY = "arr_0"
_NAMES = 1 << 16  # bytes of the file of names


class KMNIST49(Source):
    """Kuzushiji-49: 270,912 handwritten Hiragana of 28x28 pixels in 49 classes, some of them rare.

    `root` holds k49-train-imgs.npz, k49-train-labels.npz, k49-test-imgs.npz and k49-test-labels.npz; classes are named
    by k49_classmap.csv where that is there, else by their numbers.

    Args:
        root: the directory.
        resize: rows and columns to resize to, from 28x28.
        normalize: mean and standard deviation; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {rotate: 10}; see Augmentation.

    Raises:
        DataError: a file is missing, damaged, or does not match the others.

    Source: T. Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018.
    """

    def __init__(
        self,
        root: str = "data/kmnist-49",
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root = Path(root).expanduser()
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the file has been read
        """The characters, or the numbers as text."""
        path = self.root / "k49_classmap.csv"
        if not is_regular(path):
            return tuple(map(str, range(_CLASSES)))
        try:
            rows = list(csv.reader(read_within(path, _NAMES).decode("utf-8-sig").splitlines()))
            names = {int(row[0]): row[-1] for row in rows[1:] if row}
        except (ValueError, IndexError, csv.Error) as error:
            raise DataError(f"{path}: not a list of classes: {error}") from None
        if sorted(names) != list(range(_CLASSES)) or not all(names.values()):
            raise DataError(f"{path}: wanted the names of the classes 0 to {_CLASSES - 1}, got {len(names)}")
        return tuple(names[i] for i in range(_CLASSES))

    def load(self, split: str) -> ArrayDataset:
        paths = [self.root / f"k49-{split}-{kind}.npz" for kind in ("imgs", "labels")]
        for path in paths:
            if not is_regular(path):
                raise DataError(f"{path}: it is not there; data.root=DIR names the directory that has it")
        images, labels = (read_array(path, _ARRAY) for path in paths)
        if images.ndim != 3 or images.dtype != np.uint8:
            raise DataError(f"{paths[0]}: wanted bytes (N, H, W), got {images.dtype} {list(images.shape)}")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images) or not len(labels):
            raise DataError(
                f"{paths[1]}: wanted {len(images):,} class numbers, got {labels.dtype} {list(labels.shape)}"
            )
        if labels.min() < 0 or labels.max() >= _CLASSES:
            raise DataError(f"{paths[1]}: labels from {labels.min()} to {labels.max()}, wanted 0 to {_CLASSES - 1}")

        def origin(index: int) -> str:
            return f"{paths[0]}: {_ARRAY}[{index}]"

        return ArrayDataset(images[:, None], labels.astype(np.int64), self.preprocessing, origin)
