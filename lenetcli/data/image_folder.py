"""ImageFolder: PNG and JPEG files, a folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.encoded import Encoded, check_channels
from lenetcli.data.holdout import hold_back
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import read_within
from lenetcli.errors import ConfigError, DataError

SUFFIXES = (".png", ".jpg", ".jpeg")
LARGEST = 1 << 28  # bytes of a file
MOST_FILES = 10_000_000
SPLITS = ("train", "test")
TEST_FOLDERS = ("test", "val", "valid", "validation")


class ImageFolder(Source):
    """Pictures of your own: a folder for each class, named as the class, with PNG and JPEG files in it.

    With folders `train` and `test` (or `val`) below `root`, each holds the classes' folders of its split; otherwise
    `root` itself holds them, or its only folder `train`, and a share of each class is drawn for testing. Files are
    decoded when they are first needed, in the background, and kept in memory where all of them fit. Needs Pillow:
    python -m pip install 'lenet[images]'.

    Args:
        root: the directory.
        resize: rows and columns that every picture is resized to; without it all must have one size.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        test_fraction: share of each class that is for testing, where there is no folder `test`.
        seed: decides which.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: no such directory, no pictures in it, or a file that is damaged, hostile or of another size.
    """

    def __init__(
        self,
        root: str,
        resize: tuple[int, int] | None = None,
        channels: int = 3,
        normalize: tuple[Numbers, Numbers] | None = None,
        test_fraction: float = 0.2,
        seed: int = 0,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        if not 0 < test_fraction < 1:
            raise ConfigError(f"test_fraction: wanted more than 0 and less than 1, got {test_fraction}")
        check_channels(channels)
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)
        self.root, self.channels, self.test_fraction, self.seed = Path(root), channels, test_fraction, seed
        self._found: tuple[str, ...] | None = None

    @property
    def _places(self) -> dict[str, Path]:
        """The folder of each split; empty where `root` holds the classes' folders."""
        tests = [self.root / name for name in TEST_FOLDERS if (self.root / name).is_dir()]
        return {"train": self.root / "train", "test": tests[0]} if tests and (self.root / "train").is_dir() else {}

    @property
    def _whole(self) -> Path:
        """Where the classes' folders are if the splits have none: `root`, or its only folder if that is `train`."""
        folders = [p.name for p in _entries(self.root) if p.is_dir() and not p.name.startswith(".")]
        return self.root / "train" if folders == ["train"] else self.root

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the directory has been read
        """The folders' names, in the order of the alphabet."""
        if self._found is None:
            place = self._places.get("train") or self._whole
            self._found = tuple(sorted(p.name for p in _entries(place) if p.is_dir() and not p.name.startswith(".")))
            if not self._found:
                raise DataError(f"{place}: no folders in it; wanted one for each class, with PNG and JPEG files")
        return self._found

    def load(self, split: str) -> ArrayDataset:
        if self._places:
            return self._dataset(*self._files(self._places[split]))
        files, labels = self._files(self._whole)
        try:
            parts = hold_back(labels, labels, self.test_fraction, self.seed)
        except ValueError:
            raise DataError(f"{self.root}: one picture cannot be split into training and test data") from None
        chosen = parts[SPLITS.index(split)].indices
        return self._dataset([files[i] for i in chosen], labels[chosen])

    def _files(self, place: Path) -> tuple[list[Path], npt.NDArray[np.int64]]:
        """Every picture with its class, in the order of the names."""
        for folder in _entries(place):
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in self.classes:
                raise DataError(f"{folder}: no class of that name in {self.root / 'train'}")
        files: list[Path] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            folder = place / name
            found = sorted(_pictures(folder)) if folder.is_dir() else []
            if not found and place != self._places.get("test"):
                raise DataError(f"{folder}: no PNG or JPEG files in it")
            files += found
            labels += [label] * len(found)
            if len(files) > MOST_FILES:
                raise DataError(f"{place}: more than {MOST_FILES:,} files")
        if not files:
            raise DataError(f"{place}: no PNG or JPEG files in its folders")
        return files, np.array(labels, np.int64)

    def _dataset(self, files: list[Path], labels: npt.NDArray[np.int64]) -> ArrayDataset:
        def content(number: int) -> tuple[bytes, str]:
            return read_within(files[number], LARGEST), str(files[number])

        images = Encoded(content, len(files), self.channels, self.preprocessing.resize).images()
        return ArrayDataset(images, labels, self.preprocessing, lambda number: str(files[number]))


def _entries(place: Path) -> list[Path]:
    try:
        return sorted(place.iterdir())
    except OSError as error:
        raise DataError(f"{place}: cannot be read: {error.strerror or error}") from None


def _pictures(folder: Path) -> list[Path]:
    return [p for p in _entries(folder) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
