"""Parquet: image sets as Hugging Face hubs keep them, encoded pictures and class numbers in the columns of a table."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source, parts_of
from lenetcli.data.encoded import Pictures, picture_form
from lenetcli.data.holdout import hold_back
from lenetcli.data.parquet_columns import Columns, Unlabelled, read_columns
from lenetcli.data.picture_files import entries, folders_in
from lenetcli.data.pictures import MOST_PIXELS, BrokenPicture
from lenetcli.data.splits import NAMES, Splits
from lenetcli.data.transforms import Numbers, Preprocessing, Resize
from lenetcli.disk import is_there
from lenetcli.errors import ConfigError, DataError

_FORMS = ("{}-*.parquet", "{}.parquet", "{}_*.parquet", "*-{}.parquet", "{}/*.parquet")  # a split's files
DEEPEST = 2  # folders down from the root in which a configuration's files may lie


class Parquet(Source):
    """Image sets in Parquet files, as Hugging Face's `datasets` writes them: encoded pictures and class numbers.

    Files are found by their names: train-*.parquet and test-*.parquet, and validation-*.parquet, in `root`, in its
    folder `data` or in the folder of a configuration, such as `mnist`; or in folders train, test and validation there.
    Test files without labels (hubs keep some, with -1 in place of each) are left out, and said so; then, as without
    any, those for validation are to test on or, without such, a share of each class. Classes are named as the metadata
    says, or by the column itself, where it holds texts. Needs pyarrow and Pillow:
    python -m pip install 'lenet[parquet]'.

    Args:
        root: the directory.
        image: the column of the pictures: {bytes, path} or bytes. Where there is none of this name, the one that the
            metadata or its type says holds pictures.
        label: the column of the class numbers or names, found in the same way where there is none of this name.
        resize: rows and columns that every picture is resized to, or {size: [64, 64], mode: crop}; without it all must
            have one size.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        test_fraction: share of each class that is for testing, where there are no test files.
        seed: decides which.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.
        broken: refuse: a picture that is damaged or too large ends the command, with a list of all of them; skip: they
            are left out, after a look at every picture when the data are first needed.
        max_pixels: most pixels that are decoded of a picture; with `resize`, larger JPEGs are decoded at a half, a
            quarter or an eighth of their size.
        splits: what the files of the splits are called, where not as usual: {train: train_full, test: dev}.

    Raises:
        DataError: no such files, a damaged one, a missing column, or pictures that are damaged or of another
            size.
    """

    def __init__(
        self,
        root: str,
        image: str = "image",
        label: str = "label",
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
        self.root, self.image, self.label, self.channels = Path(root).expanduser(), image, label, channels
        self.test_fraction, self.seed = test_fraction, seed
        self.splits = splits
        self._names: tuple[str, ...] | None = None
        self._pictures: list[Pictures] = []

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the files have been read
        """The classes' names, or their numbers as text."""
        texts = self._texts
        if texts:
            return texts
        count = 1 + int(max(part.targets.max() for part in parts_of(self).values()))
        names = self._names or ()
        return names if len(names) >= count else tuple(map(str, range(count)))

    @property
    def has_validation(self) -> bool:
        """Whether there are files for it beside those to test on."""
        return "validation" in self._held

    @property
    def _texts(self) -> tuple[str, ...]:
        """The labels of all files, where they are texts."""
        parts = (self._training, *self._held.values())
        return tuple(sorted({text for part in parts for text in part.texts}))

    @cached_property
    def _training(self) -> Columns:
        return self._read(self._files())

    def load(self, split: str) -> ArrayDataset:
        own = self._held.get("test")
        columns = self._training if split == "train" or own is None else self._held[split]
        pictures, labels = columns.pictures, columns.numbered(self._texts)
        chosen = np.arange(len(labels))
        if own is None:
            try:
                parts = hold_back(labels, labels, self.test_fraction, self.seed)
            except ValueError:
                raise DataError(f"{self.root}: one picture cannot be split into training and test data") from None
            chosen = parts[("train", "test").index(split)].indices

        def content(number: int) -> bytes:
            data: bytes | None = pictures[int(chosen[number])].as_py()
            if data is None:
                raise BrokenPicture(f"{names(number)}: no bytes in column {columns.image!r}")
            return data

        def names(number: int) -> str:
            return f"{self.root}: {split} picture {chosen[number]}"

        images = Pictures(content, names, len(chosen), self.form, self._pictures)
        labels = labels[chosen]
        if self.form.broken == "skip":
            labels = labels[images.skip_broken(self.dropped)]
        return ArrayDataset(images, labels, self.preprocessing, images.name)

    @cached_property
    def _held(self) -> dict[str, Columns]:
        """What the files to test on and those for validation hold, as far as they have labels."""
        found: dict[str, Columns] = {}
        for split in ("test", "validation"):
            name = self._part(split)
            files = [] if name is None else self._named(name)
            try:
                if files:
                    found[split] = self._read(files)
            except Unlabelled as error:
                self.dropped.add(f"{name} pictures without labels", files[0], error.count)
        if "test" not in found and "validation" in found:
            found["test"] = found.pop("validation")
        return found

    def _part(self, split: str) -> str | None:
        """What the files of a split are called."""
        if self.splits is not None:
            name: str | None = getattr(self.splits, split)
            if name is not None and not self._named(name):
                raise DataError(f"{self.root}: no {name}-*.parquet in it (data.splits.{split})")
            return name
        return next((name for name in NAMES[split] if self._named(name)), None)

    def _files(self) -> list[Path]:
        """The files to train on, in the order of their names.

        Raises:
            DataError: there are none.
        """
        name = self._part("train")
        if name is None:
            there = sorted(path.relative_to(self.root) for path in self.root.glob("**/*.parquet"))
            hold = f"; it holds {', '.join(map(str, there[:5]))}{', ...' if len(there) > 5 else ''}" if there else ""
            raise DataError(f"{self.root}: no train-*.parquet in it, nor in its folder data or another{hold}")
        return self._named(name)

    def _named(self, name: str) -> list[Path]:
        """The files of a split of this name, where the training files lie.

        Raises:
            DataError: several folders have such files.
        """
        place = self._place()
        return [] if place is None else _of_split(place, name)

    def _place(self) -> Path | None:
        """The folder with the files to train on."""
        names = NAMES["train"] if self.splits is None else (self.splits.train or "train",)
        for place in (self.root, self.root / "data"):
            if any(_of_split(place, name) for name in names):
                return place
        folders: list[Path] = [self.root]
        for _ in range(DEEPEST):
            folders = sorted(folder / name for folder in folders for name in folders_in(folder))
            found = [folder for folder in folders if any(_of_split(folder, name) for name in names)]
            if len(found) > 1:
                held = ", ".join(str(folder.relative_to(self.root)) for folder in found[:9])
                raise DataError(f"{self.root}: several configurations in it ({held}); choose one: data.root={found[0]}")
            if found:
                return found[0]
        return None

    def _read(self, files: list[Path]) -> Columns:
        columns = read_columns(self.root, files, self.image, self.label)
        self._names = self._names or columns.classes
        return columns


def _of_split(place: Path, name: str) -> list[Path]:
    if not is_there(place):
        return []
    entries(place)  # what cannot be read, glob takes for empty
    return next(filter(None, (sorted(place.glob(form.format(name))) for form in _FORMS)), [])
