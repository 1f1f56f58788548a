"""ImageFolder: pictures in files, a folder for each class."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.encoded import Pictures, picture_form
from lenetcli.data.holdout import hold_back
from lenetcli.data.left_out import Tally
from lenetcli.data.picture_files import HIDDEN, entries, folders_in, is_hidden, picture_files
from lenetcli.data.pictures import KINDS, MOST_PIXELS
from lenetcli.data.splits import NAMES, USUAL, Splits, assigned, check_wanted
from lenetcli.data.transforms import Numbers, Preprocessing, Resize
from lenetcli.disk import read_within
from lenetcli.errors import ConfigError, DataError

LARGEST = 1 << 28  # bytes of a file
MOST_FILES = 10_000_000
SPLITS = ("train", "test")
TRAIN_FOLDERS = NAMES["train"]
UNLABELLED = "pictures to test on without classes"
BESIDE = "files beside the classes' folders"


class ImageFolder(Source):
    """Pictures of your own: a folder for each class, named as the class, with PNG, JPEG, BMP, WebP, TIFF, GIF or PPM
    files in it, or in folders in it.

    With folders `train` and `test` (or `training`, `testing`, in any case) below `root`, each holds the classes'
    folders of its split; `val` (`valid`, `validation`, `dev`) beside both is for validation, and without `test` is to
    test on. A folder `test` with pictures but no classes is left out: they are for `lenet predict`. Otherwise `root`
    itself holds the classes' folders, or its folder `train`, and a share of each class is drawn for testing. Files are
    decoded when they are first needed, in the background, and kept in memory where all of them fit. Of animations and
    of pages the first is taken. What is left out (`lenet data check` says what) is no picture by its suffix, hidden, or
    of the system. Needs Pillow: python -m pip install 'lenet[images]'.

    Args:
        root: the directory.
        resize: rows and columns that every picture is resized to, or {size: [64, 64], mode: crop}; without it all must
            have one size.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        test_fraction: share of each class that is for testing, where there is no folder `test`.
        seed: decides which.
        splits: the folders of the splits, where they are called otherwise: {train: seg_train, test: seg_test}.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.
        broken: refuse: a picture that is damaged or too large ends the command, with a list of all of them; skip: they
            are left out, after a look at every picture when the data are first needed.
        max_pixels: most pixels that are decoded of a picture; with `resize`, larger JPEGs are decoded at a half, a
            quarter or an eighth of their size.

    Raises:
        DataError: no such directory, no pictures in it, or files that are damaged, hostile or of another size.
    """

    def __init__(
        self,
        root: str,
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
        self.root, self.channels, self.test_fraction, self.seed = Path(root).expanduser(), channels, test_fraction, seed
        self.splits = splits
        self._found: tuple[str, ...] | None = None
        self._listed: dict[Path, tuple[list[Path], npt.NDArray[np.int64]]] = {}
        self._refused: dict[Path, DataError] = {}
        self._pictures: list[Pictures] = []

    @cached_property
    def _places(self) -> dict[str, Path]:
        """The folder of each split; empty where `root` holds the classes' folders."""
        there = folders_in(self.root)
        if self.splits is not None:
            inner = [name for name in asdict(self.splits).values() if name and (self.root / name).is_dir()]
            check_wanted(self.root, self.splits, [*inner, *(name for name in there if name not in inner)])
        named = assigned(there, self.splits)
        places = {split: self.root / name for split, name in named.items()}
        if "train" in places and "test" in places and not folders_in(places["test"]):
            left = Tally()
            found = picture_files(places["test"], left)
            if found:
                self.dropped.add(UNLABELLED, places["test"], len(found))
                del places["test"]
                if "validation" in places:
                    places["test"] = places.pop("validation")
        return places if "test" in places and "train" in places else {}

    @property
    def has_validation(self) -> bool:
        """Whether there is a folder for it beside those to train and to test on."""
        return "validation" in self._places

    @property
    def _whole(self) -> Path:
        """Where the classes' folders are if the splits have none: `root`, or its only folder if that is `train`."""
        if self.splits is not None and self.splits.train is not None:
            return self.root / self.splits.train
        folders = folders_in(self.root)
        training = [name for name in folders if name.lower() in TRAIN_FOLDERS]
        others = [name for name in folders if name not in training and name.lower() not in USUAL]
        return self.root / training[0] if len(training) == 1 and not others else self.root

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the directory has been read
        """The folders' names, in the order of the alphabet."""
        if self._found is None:
            self.check_there()
            place = self._places.get("train") or self._whole
            found = tuple(folders_in(place))
            if not found:
                raise DataError(f"{place}: no folders in it; wanted one for each class, with pictures ({KINDS})")
            self._found = found
        return self._found

    def load(self, split: str) -> ArrayDataset:
        if self._places:
            return self._dataset(split, *self._files(self._places[split]))
        files, labels = self._files(self._whole)
        try:
            parts = hold_back(labels, labels, self.test_fraction, self.seed)
        except ValueError:
            raise DataError(f"{self.root}: one picture cannot be split into training and test data") from None
        chosen = parts[SPLITS.index(split)].indices
        return self._dataset(split, [files[i] for i in chosen], labels[chosen])

    def _files(self, place: Path) -> tuple[list[Path], npt.NDArray[np.int64]]:
        """Every picture with its class, in the order of the names."""
        if place in self._refused:  # both splits may lie there: what is left out is counted once
            raise self._refused[place]
        if place not in self._listed:
            try:
                self._listed[place] = self._list(place)
            except DataError as error:
                self._refused[place] = error
                raise
        return self._listed[place]

    def _list(self, place: Path) -> tuple[list[Path], npt.NDArray[np.int64]]:
        for name in folders_in(place):
            if name not in self.classes:
                raise DataError(f"{place / name}: no class of that name in {self._places['train']}")
        self._note_beside(place)
        files: list[Path] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            folder, left_out = place / name, Tally()
            found = picture_files(folder, left_out) if folder.is_dir() else []
            if not found and place == (self._places.get("train") or self._whole):
                raise DataError("; ".join([f"{folder}: no pictures in it ({KINDS})", *map(str, left_out.found())]))
            self._check_depth(folder, found)
            files += found
            labels += [label] * len(found)
            self.dropped.join(left_out)
            if len(files) > MOST_FILES:
                raise DataError(f"{place}: more than {MOST_FILES:,} files")
        if not files:
            raise DataError(f"{place}: no pictures in its folders ({KINDS})")
        return files, np.array(labels, np.int64)

    def _check_depth(self, folder: Path, found: list[Path]) -> None:
        """Refuses a folder that seems to hold the classes' folders, not pictures of one class.

        Raises:
            DataError: it is the only class or is called as a split is, and all its pictures lie in folders in it.
        """
        inner = {path.relative_to(folder).parts[0] for path in found}
        if any(path.parent == folder for path in found) or not (len(self.classes) == 1 or self._is_split(folder.name)):
            return
        if len(inner) > 1:
            beside = ", ".join(name for name in self.classes if name != folder.name)
            what = f"beside {beside}, which would be classes, too" if beside else "and it would be the only class"
            raise DataError(
                f"{folder}: pictures lie in its folders alone ({', '.join(sorted(inner)[:5])}), {what}; "
                f"data.root={folder} makes these its classes, folders called train and test two splits"
            )

    def _is_split(self, name: str) -> bool:
        """Whether a class is called as splits are, such as seg_train beside seg_test."""
        names = [other.lower() for other in self.classes]
        tested = any(word in other for other in names for word in ("test", "val"))
        return name.lower() in TRAIN_FOLDERS or ("train" in name.lower() and tested)

    def _note_beside(self, place: Path) -> None:
        """Counts what lies beside the folders that are read: in this one and, once, in the root above it."""
        places = [place] if place == self.root or self._listed or self._refused else [self.root, place]
        for beside in places:
            for path in entries(beside):
                if is_hidden(path.name):
                    self.dropped.add(HIDDEN, path)
                elif path.is_file():
                    self.dropped.add(BESIDE, path)
                elif beside != place and path not in (*self._places.values(), place) and path.name.lower() not in USUAL:
                    self.dropped.add("folders beside train and test", path)

    def _dataset(self, split: str, files: list[Path], labels: npt.NDArray[np.int64]) -> ArrayDataset:
        def content(number: int) -> bytes:
            return read_within(files[number], LARGEST)

        images = Pictures(content, lambda number: str(files[number]), len(files), self.form, self._pictures)
        if self.form.broken == "skip":
            stay = images.skip_broken(self.dropped)
            if split == "train":
                for label in np.setdiff1d(labels, labels[stay]):
                    raise DataError(f"{self.root}: every picture of {self.classes[label]} to train on is broken")
            labels = labels[stay]
        return ArrayDataset(images, labels, self.preprocessing, images.name)
