"""MNIST and the data sets that share its format: four IDX files in a directory."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from lenetcli.data.augment import Augmentation
from lenetcli.data.catalogue import CATALOGUE, FILES, get
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.idx import IMAGES, LABELS, read_idx
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import is_regular
from lenetcli.errors import DataError


class MNIST(Source):
    """Handwritten digits of 28x28 pixels: 60,000 to train on and 10,000 to test.

    Args:
        root: directory of the four IDX files, plain or .gz (whose md5 is verified).
        download: get missing files from the known mirrors.
        resize: rows and columns to resize to, from 28x28.
        normalize: mean and standard deviation, such as [0.1307, 0.3081]; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: a file is missing, damaged, or does not match the others.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998.
    """

    name: ClassVar[str] = "MNIST"
    classes = tuple("0123456789")

    def __init__(
        self,
        root: str = "data/mnist",
        download: bool = False,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root, self.download = Path(root).expanduser(), download
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)

    def load(self, split: str) -> ArrayDataset:
        if self.download:
            get(self.name, self.root)
        images_file, labels_file = FILES[:2] if split == "train" else FILES[2:]
        images = read_idx(*self._find(images_file, IMAGES))
        labels = read_idx(*self._find(labels_file, LABELS))
        if len(images) != len(labels):
            raise DataError(
                f"{self.root}: {len(images):,} images in {images_file}, {len(labels):,} labels in {labels_file}"
            )
        if labels.max(initial=0) >= len(self.classes):
            raise DataError(f"{self.root / labels_file}: label {labels.max()} of {len(self.classes)} classes")
        return ArrayDataset(images[:, None], labels.astype(np.int64), self.preprocessing)

    def _find(self, file: str, magic: int) -> tuple[Path, int, str | None]:
        """Path of a file, plain or .gz, its magic number, and the md5 it must have."""
        zipped, plain = self.root / f"{file}.gz", self.root / file
        if is_regular(plain):
            return plain, magic, None
        if is_regular(zipped):
            return zipped, magic, CATALOGUE[self.name].md5[zipped.name]
        raise DataError(
            f"{self.name}: {zipped.name} not found in {self.root.absolute()}; get it with data.download=true, "
            f"or name the directory that has it with data.root=DIR"
        )


class FashionMNIST(MNIST):
    """Pictures of clothes in MNIST's format. Arguments as for MNIST.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017.
    """

    name = "FashionMNIST"
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

    def __init__(
        self,
        root: str = "data/fashion-mnist",
        download: bool = False,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(root, download, resize, normalize, augment)


class KMNIST(MNIST):
    """Handwritten Hiragana in MNIST's format. Arguments as for MNIST.

    Source: T. Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018.
    """

    name = "KMNIST"
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

    def __init__(
        self,
        root: str = "data/kmnist",
        download: bool = False,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(root, download, resize, normalize, augment)
