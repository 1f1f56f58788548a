"""EMNIST and QMNIST: IDX files under names of their own, with labels and pictures stored in other ways than MNIST's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.idx import IMAGES, LABELS, QMNIST_LABELS, read_idx
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import is_regular, read_within
from lenetcli.errors import DataError

_MAPPING = 1 << 16  # bytes of a file of names
_FORMS = ("{}", "{}.gz", "gzip/{}.gz", "gzip/{}")  # how a file may lie in its folder; the archive has a folder `gzip`


def found_file(root: Path, *names: str) -> Path:
    """The first of some files that is there, plain or .gz.

    Raises:
        DataError: none is; the message says where they were looked for.
    """
    for name in names:
        for form in _FORMS:
            if is_regular(root / form.format(name)):
                return root / form.format(name)
    raise DataError(f"{root}: no {' or '.join(f'{name}[.gz]' for name in names)} in it; data.root=DIR says where it is")


def samples(
    images: Path, labels: Path, numbers: npt.NDArray[np.int64], pictures: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Pictures (N, 1, H, W) with their class numbers, as many of one as of the other.

    Raises:
        DataError: they are not.
    """
    if len(pictures) != len(numbers):
        raise DataError(f"{images}: {len(pictures):,} images, but {len(numbers):,} labels in {labels.name}")
    return pictures[:, None], numbers


class EMNIST(Source):
    """Handwritten digits and letters of 28x28 pixels, in six selections, upright and with labels from 0.

    The files lie in `root` as they come in the archive: emnist-balanced-train-images-idx3-ubyte.gz and so on, plain or
    .gz, and emnist-balanced-mapping.txt, from which the names of the classes are. The files hold pictures mirrored
    along their diagonal, and `letters` labels from 1; both are put right.

    Args:
        root: the directory.
        split: which selection: balanced (47 classes), byclass (62), bymerge (47), letters (26), digits or mnist (10).
        resize: rows and columns to resize to, from 28x28.
        normalize: mean and standard deviation; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {rotate: 10}; see Augmentation.

    Raises:
        DataError: a file is missing, damaged, or does not match the others.

    Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, EMNIST: an extension of MNIST to handwritten letters, 2017.
    """

    def __init__(
        self,
        root: str = "data/emnist",
        split: Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] = "balanced",
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root, self.split = Path(root).expanduser(), split
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)
        self._names: dict[int, str] | None = None

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the mapping has been read
        """The characters, in the order of the mapping."""
        return tuple(name for _, name in sorted(self._mapping.items()))

    @property
    def _mapping(self) -> dict[int, str]:
        """The character of each label, as the file of names has it."""
        if self._names is None:
            path = found_file(self.root, f"emnist-{self.split}-mapping.txt")
            try:
                rows = [list(map(int, line.split())) for line in read_within(path, _MAPPING).decode().splitlines()]
                names = {label: "/".join(map(chr, dict.fromkeys(codes))) for label, *codes in filter(None, rows)}
                if not names or not all(names.values()) or min(names) not in (0, 1):
                    raise ValueError("labels from 0 or 1, each with the codes of its characters, are wanted")
            except (ValueError, OverflowError) as error:
                raise DataError(f"{path}: not a mapping of labels to characters: {error}") from None
            self._names = names
        return self._names

    def load(self, split: str) -> ArrayDataset:
        files = [found_file(self.root, f"emnist-{self.split}-{split}-{kind}-ubyte") for kind in _KINDS]
        mapping = self._mapping
        numbers = read_idx(files[1], LABELS).astype(np.int64) - min(mapping)
        if numbers.min() < 0 or numbers.max() >= len(mapping):
            wrong = int(numbers.min() if numbers.min() < 0 else numbers.max()) + min(mapping)
            raise DataError(f"{files[1]}: label {wrong} is not in emnist-{self.split}-mapping.txt")
        pictures = read_idx(files[0], IMAGES).transpose(0, 2, 1)
        return ArrayDataset(*samples(files[0], files[1], numbers, pictures), self.preprocessing)


_KINDS = ("images-idx3", "labels-idx1")


class QMNIST(Source):
    """MNIST's digits with all 60,000 to test on: qmnist-train-images-idx3-ubyte.gz, qmnist-train-labels-idx2-int.gz and
    those of `test`, plain or .gz, in `root`.

    Args:
        root: the directory.
        resize: rows and columns to resize to, from 28x28.
        normalize: mean and standard deviation; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {rotate: 10}; see Augmentation.

    Raises:
        DataError: a file is missing, damaged, or does not match the others.

    Source: C. Yadav, L. Bottou, Cold Case: the Lost MNIST Digits, 2019.
    """

    classes = tuple("0123456789")

    def __init__(
        self,
        root: str = "data/qmnist",
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root = Path(root).expanduser()
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)

    def load(self, split: str) -> ArrayDataset:
        images = found_file(self.root, f"qmnist-{split}-images-idx3-ubyte")
        labels = found_file(self.root, f"qmnist-{split}-labels-idx2-int", f"qmnist-{split}-labels-idx1-ubyte")
        if "idx1" in labels.name:
            numbers = read_idx(labels, LABELS).astype(np.int64)
        else:
            numbers = read_idx(labels, QMNIST_LABELS).astype(np.int64)[:, 0]
        if numbers.min() < 0 or numbers.max() > 9:
            raise DataError(f"{labels}: labels from {numbers.min()} to {numbers.max()}, wanted digits")
        return ArrayDataset(*samples(images, labels, numbers, read_idx(images, IMAGES)), self.preprocessing)
