"""Pictures in files that a table lists: a path and a label on every line."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.csv_form import PATHS
from lenetcli.data.csv_lines import ENCODING, MARKS
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.encoded import Pictures, picture_form
from lenetcli.data.holdout import hold_back
from lenetcli.data.pictures import MOST_PIXELS, SUFFIXES
from lenetcli.data.splits import Splits, assigned, check_wanted
from lenetcli.data.transforms import Numbers, Preprocessing, Resize
from lenetcli.disk import check_regular, is_regular, read_within, unreadable
from lenetcli.errors import ConfigError, DataError

_LARGEST_TABLE, _LARGEST_PICTURE = 1 << 31, 1 << 28  # bytes
_MOST_CLASSES = 10_000
_LABELS = ("label", "labels", "class", "category", "target", "y", "class_id", "species", "breed")
_PARTS = ("split", "set", "subset", "fold", "partition")
_LONGEST = 1 << 16  # characters of a line


@dataclass(frozen=True)
class Listing:
    """What a table lists.

    Args:
        paths: the pictures, as it names them.
        labels: the label of each, as text.
        parts: the part that each belongs to; empty where there is no such column.
        lines: where each stands.
    """

    paths: list[str]
    labels: list[str]
    parts: list[str]
    lines: list[int]


class PictureCSV(Source):
    """Pictures in files, listed with their labels in a CSV file: a path and a label on every line.

    The first line names the columns; without such a line the first column is the path and the second the label. Commas,
    semicolons or tabs separate the cells. Labels are names or numbers: each is a class, in the order of the alphabet or
    of the numbers. Paths are relative to `root`; where one has no suffix, that of the picture there is taken. A column
    `split` (or `set`, `fold`) says which rows are to train on and which to test on; otherwise `test` is a second table,
    or a share of each class is drawn. Needs Pillow: python -m pip install 'lenet[images]'.

    Args:
        path: the table.
        root: the directory that paths are relative to; without it, the table's own.
        test: a second table, of the pictures to test on.
        image: the column of the paths, where it is not called path, image, file and so on.
        label: the column of the labels, where it is not called label, class, category and so on.
        resize: rows and columns that every picture is resized to, or {size: [64, 64], mode: crop}; without it all must
            have one size.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        test_fraction: share of each class that is for testing, where nothing says which are.
        seed: decides which.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.
        broken: refuse: a picture that is damaged or too large ends the command, with a list of all of them; skip: they
            are left out, after a look at every picture when the data are first needed.
        max_pixels: most pixels that are decoded of a picture.
        splits: what stands in the column `split`, where not as usual: {train: "0", test: "1"}.

    Raises:
        DataError: no such table, a column or a picture is missing, or files are damaged.
    """

    places = ("path", "root", "test")

    def __init__(
        self,
        path: str,
        root: str | None = None,
        test: str | None = None,
        image: str | None = None,
        label: str | None = None,
        resize: tuple[int, int] | Resize | None = None,
        channels: int = 3,
        normalize: tuple[Numbers, Numbers] | None = None,
        test_fraction: float = 0.2,
        seed: int = 0,
        augment: Augmentation | None = None,
        broken: Literal["refuse", "skip"] = "refuse",
        max_pixels: int = MOST_PIXELS,
        splits: Splits | None = None,
    ) -> None:
        super().__init__(augment)
        if not 0 < test_fraction < 1:
            raise ConfigError(f"test_fraction: wanted more than 0 and less than 1, got {test_fraction}")
        self.form = picture_form(channels, resize, max_pixels, broken)
        self.preprocessing = Preprocessing(1 / 255, self.form.size, normalize)
        self.path, self.test_path = Path(path).expanduser(), None if test is None else Path(test).expanduser()
        self.root = self.path.parent if root is None else Path(root).expanduser()
        self.image, self.label, self.splits = image, label, splits
        self.test_fraction, self.seed = test_fraction, seed
        self._pictures: list[Pictures] = []

    @cached_property
    def _training(self) -> Listing:
        return listing(self.path, self.image, self.label)

    @cached_property
    def _testing(self) -> Listing | None:
        return None if self.test_path is None else listing(self.test_path, self.image, self.label)

    @cached_property
    def _parts(self) -> dict[str, str]:
        """What each split is called in the column that says so; empty where there is none."""
        there = list(dict.fromkeys(self._training.parts))
        check_wanted(self.path, self.splits, there)
        found = assigned(there, self.splits)
        return found if "train" in found and "test" in found else {}

    @property
    def has_validation(self) -> bool:
        """Whether the table says which rows are for that."""
        return self.test_path is None and "validation" in self._parts

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the table has been read
        """The labels, in the order of the alphabet or, where all are numbers, of these."""
        parts = [self._training] if self._testing is None else [self._training, self._testing]
        found = {label for part in parts for label in part.labels}
        if len(found) > _MOST_CLASSES:
            raise DataError(
                f"{self.path}: {len(found):,} different labels, too many for classes; data.label=COLUMN names another"
            )
        numbers = all(label.isdigit() for label in found)
        return tuple(sorted(found, key=(lambda label: (int(label), label)) if numbers else None))

    def load(self, split: str) -> ArrayDataset:
        table, path = self._training, self.path
        if split == "test" and self._testing is not None and self.test_path is not None:
            table, path = self._testing, self.test_path
        number = {name: i for i, name in enumerate(self.classes)}
        labels = np.array([number[label] for label in table.labels], np.int64)
        chosen = np.arange(len(labels))
        if self.test_path is None and self._parts:
            chosen = np.flatnonzero(np.array(table.parts) == self._parts[split])
        elif self.test_path is None:
            try:
                parts = hold_back(labels, labels, self.test_fraction, self.seed)
            except ValueError:
                raise DataError(f"{path}: one picture cannot be split into training and test data") from None
            chosen = parts[("train", "test").index(split)].indices
        files = [self._file(path, table, int(row)) for row in chosen]

        def content(number: int) -> bytes:
            return read_within(files[number], _LARGEST_PICTURE)

        images = Pictures(content, lambda number: str(files[number]), len(files), self.form, self._pictures)
        kept: npt.NDArray[np.int64] = labels[chosen]
        if self.form.broken == "skip":
            kept = kept[images.skip_broken(self.dropped)]
        return ArrayDataset(images, kept, self.preprocessing, images.name)

    def _file(self, path: Path, table: Listing, row: int) -> Path:
        """The picture of a row.

        Raises:
            DataError: it is not there, or does not lie below `root`.
        """
        given = table.paths[row].replace("\\", "/")
        file = Path(os.path.normpath(self.root / given))
        if Path(given).is_absolute() or ".." in Path(given).parts:
            raise DataError(f"{path}:{table.lines[row]}: {given!r} leads out of {self.root}; paths are relative to it")
        if is_regular(file):
            return file
        if file.suffix.lower() not in SUFFIXES:
            for suffix in SUFFIXES:
                if is_regular(file.with_name(file.name + suffix)):
                    return file.with_name(file.name + suffix)
        raise DataError(
            f"{path}:{table.lines[row]}: {file} is not there; data.root=DIR names the directory that paths begin in"
        )


def listing(path: Path, image: str | None = None, label: str | None = None) -> Listing:
    """The rows of a table of pictures.

    Args:
        image, label: the columns; None: those that are usually so called.

    Raises:
        DataError: it cannot be read, has no such columns, or a row lacks one of them.
    """
    check_regular(path, _LARGEST_TABLE)
    try:
        with path.open(encoding=ENCODING, newline="") as file:
            head = list(islice(iter(lambda: file.readline(_LONGEST), ""), 1))
            if not head or not head[0].strip():
                raise DataError(f"{path}: nothing in its first line")
            mark = max(MARKS, key=head[0].count)
            names = [cell.strip() for cell in next(csv.reader(head, delimiter=mark))]
            columns = _columns(path, names, image, label)
            rows = csv.reader(chain(head if columns.first == 1 else [], file), delimiter=mark)
            return _rows(path, rows, columns)
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a sound CSV file: {error}") from None
    except OSError as error:
        raise unreadable(path, error) from None


@dataclass(frozen=True)
class _Columns:
    """Which column holds what; `first` is the line of the first row, `part` -1 where no column says the split."""

    image: int
    label: int
    part: int
    first: int


def _columns(path: Path, names: Sequence[str], image: str | None, label: str | None) -> _Columns:
    lower = [name.lower() for name in names]

    def one(wanted: str | None, usual: Sequence[str]) -> int:
        if wanted is not None:
            return names.index(wanted) if wanted in names else -1
        return next((lower.index(name) for name in usual if name in lower), -1)

    found = one(image, PATHS), one(label, _LABELS)
    if image is None and label is None and found == (-1, -1) and len(names) >= 2:
        return _Columns(0, 1, -1, 1)  # no line of names
    for what, at in zip(("image", "label"), found):
        if at < 0:
            held = ", ".join(names[:9])
            raise DataError(f"{path}: no column for the {what}s in {held}; data.{what}=COLUMN names it")
    return _Columns(*found, one(None, _PARTS), 2)


def _rows(path: Path, rows: Iterator[list[str]], columns: _Columns) -> Listing:
    found = Listing([], [], [], [])
    wanted = [columns.image, columns.label, *([columns.part] if columns.part >= 0 else [])]
    for line, cells in enumerate(rows, columns.first):
        if not any(map(str.strip, cells)):
            continue
        texts = [cells[at].strip() if at < len(cells) else "" for at in wanted]
        if not all(texts):
            what = ("path", "label", "split")[texts.index("")]
            raise DataError(f"{path}:{line}: no {what} in column {wanted[texts.index('')] + 1}")
        for into, text in zip((found.paths, found.labels, found.parts), texts):
            into.append(text)
        found.lines.append(line)
    if not found.paths:
        raise DataError(f"{path}: no lines of data")
    return found
