"""CSV: one image a line, its label in one column and its pixels in the others."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import check_regular
from lenetcli.errors import DataError

LARGEST = 1 << 31  # bytes of the file
MOST_CLASSES = 1_000_000
_LARGEST_PIXEL = 3e38  # of a float32


class CSV(Source):
    """Images from a CSV file: a label and the pixels of one image, row by row, on every line.

    A first line of names is recognised and skipped. Without `test`, every fifth line of each class is for testing.

    Args:
        path: the file to train on.
        shape: (C, H, W) of one image; its product is the number of pixel columns.
        test: a second file to test on.
        label_column: which column holds the class number, from 0 (negative counts from the end).
        scale: factor for the pixels, such as 0.00392157 for 0..255.
        resize: rows and columns to resize to.
        normalize: mean and standard deviation.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: no such file, a line with another number of columns, something that is no number.
    """

    places = ("path", "test")

    def __init__(
        self,
        path: str,
        shape: tuple[int, int, int],
        test: str | None = None,
        label_column: int = 0,
        scale: float = 1.0,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.path, self.test_path = Path(path).expanduser(), None if test is None else Path(test).expanduser()
        self.shape, self.label_column = shape, label_column
        self.preprocessing = Preprocessing(scale, resize, normalize)

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the file has been read
        """The class numbers as text."""
        return tuple(str(i) for i in range(int(max(self.train.targets.max(), self.test.targets.max())) + 1))

    def load(self, split: str) -> ArrayDataset:
        if self.test_path is not None:
            images, labels = self._read(self.path if split == "train" else self.test_path)
            return ArrayDataset(images, labels, self.preprocessing)
        images, labels = self._read(self.path)
        testing = np.zeros(len(labels), bool)
        for label in np.unique(labels):
            testing[np.flatnonzero(labels == label)[4::5]] = True
        chosen = testing if split == "test" else ~testing
        if not chosen.any():
            raise DataError(
                f"{self.path}: too few lines to split: a class needs five of them; name a second file with data.test"
            )
        return ArrayDataset(images[chosen], labels[chosen], self.preprocessing)

    def _read(self, path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        columns = math.prod(self.shape) + 1
        check_regular(path, LARGEST)
        try:
            skip = _check_lines(path, columns)
            table = np.loadtxt(path, np.float64, delimiter=",", skiprows=skip, ndmin=2, encoding="utf-8", comments=None)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (ValueError, csv.Error) as error:
            raise DataError(f"{path}: not a sound CSV file: {error}") from None
        if not -columns <= self.label_column < columns:
            raise DataError(f"{path}: label_column {self.label_column} of {columns} columns")
        labels = table[:, self.label_column]
        if not (np.abs(table) < _LARGEST_PIXEL).all() or (labels != np.floor(labels)).any() or (labels < 0).any():
            raise DataError(
                f"{path}: pixels must be finite numbers, labels (column {self.label_column}) class numbers from 0"
            )
        if labels.max() > MOST_CLASSES:
            raise DataError(f"{path}: class number {labels.max():.0f}: at most {MOST_CLASSES:,} classes are allowed")
        pixels = np.delete(table, self.label_column, axis=1).astype(np.float32)
        return pixels.reshape(-1, *self.shape), labels.astype(np.int64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_lines(path: Path, columns: int) -> int:
    """Names the first line that has another number of columns; gives how many lines of names there are, 0 or 1."""
    longest = 64 * columns + 1000  # characters of a line, so that no file is read as one
    with path.open(encoding="utf-8", newline="") as file:
        number = skip = 0
        while line := file.readline(longest):
            number += 1
            if number == 1 and not all(_is_number(cell) for cell in next(csv.reader([line]), [])):
                skip = 1
            elif line.strip() and line.count(",") + 1 != columns:
                raise DataError(
                    f"{path}:{number}: {line.count(',') + 1} columns, wanted {columns} (a label and the pixels)"
                )
            if len(line) == longest:
                raise DataError(f"{path}:{number}: more than {longest:,} characters for {columns} columns")
    if number == skip:
        raise DataError(f"{path}: no lines of data")
    return skip
