"""CSV: one image a line, its label in one column and its pixels in the others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.csv_lines import Lines, Table, check_values, read_table
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.holdout import fifth_of_each
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import check_regular, unreadable
from lenetcli.errors import DataError

LARGEST = 1 << 31  # bytes of the file
MOST_CLASSES = 1_000_000


class CSV(Source):
    """Images from a CSV file: a label and the pixels of one image, row by row, on every line.

    A first line of names is recognised and skipped: no number stands in it, or a name above the labels and 0, 1, 2 ...
    elsewhere. Cells may be quoted, be separated by commas, semicolons or tabs, and a byte-order mark may stand before
    them. Labels are class numbers, or texts: then the classes are these, in the order of the alphabet. Without `test`,
    every fifth line of each class is for testing.

    Args:
        path: the file to train on.
        shape: (C, H, W) of one image; its product is the number of pixel columns.
        test: a second file to test on.
        label_column: which column holds the label: its number from 0 (negative counts from the end), or its name.
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
        label_column: int | str = 0,
        scale: float = 1.0,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.path, self.test_path = Path(path).expanduser(), None if test is None else Path(test).expanduser()
        self.shape, self.label_column = shape, label_column
        self.preprocessing = Preprocessing(scale, resize, normalize)
        self._named: set[Path] = set()  # the files whose line of names has been counted
        self._tables: dict[Path, Table] = {}

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the file has been read
        """The labels, or the class numbers as text."""
        texts = self._texts
        if texts:
            return texts
        return tuple(str(i) for i in range(int(max(self.train.targets.max(), self.test.targets.max())) + 1))

    @property
    def _texts(self) -> tuple[str, ...]:
        """The labels of both files, where they are texts."""
        paths = [self.path, *([] if self.test_path is None else [self.test_path])]
        return tuple(sorted({text for path in paths for text in self._table(path).texts}))

    def load(self, split: str) -> ArrayDataset:
        path = self.path if split == "train" or self.test_path is None else self.test_path
        images, labels, lines = self._read(path)
        chosen = np.arange(len(labels))
        if self.test_path is None:
            testing = fifth_of_each(labels)
            chosen = np.flatnonzero(testing if split == "test" else ~testing)
            images, labels = images[chosen], labels[chosen]
        if not len(chosen):
            raise DataError(
                f"{self.path}: too few lines to split: a class needs five of them; name a second file with data.test"
            )

        def origin(index: int) -> str:
            return f"{path}:{lines.number(int(chosen[index]))}"

        return ArrayDataset(images, labels, self.preprocessing, origin)

    def _read(self, path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], Lines]:
        table, texts = self._table(path), self._texts
        column = table.label_column
        labels = table.numbers[:, column].astype(np.int64)
        if texts and not table.texts:
            raise DataError(f"{path}: labels are numbers, those of the other file texts")
        if texts:
            labels = np.searchsorted(texts, table.texts)[labels]
        pixels = np.delete(table.numbers, column, axis=1).astype(np.float32)
        return pixels.reshape(-1, *self.shape), labels, table.lines

    def _table(self, path: Path) -> Table:
        if path not in self._tables:
            columns = math.prod(self.shape) + 1
            check_regular(path, LARGEST)
            try:
                table = read_table(path, columns, self.label_column)
            except OSError as error:
                raise unreadable(path, error) from None
            check_values(path, table.numbers, table.label_column, MOST_CLASSES, table.lines)
            if table.lines.names and path not in self._named:
                self._named.add(path)
                self.dropped.add("line of names", f"{path}:{table.lines.names}")
            self._tables[path] = table
        return self._tables[path]
