"""Digits: 1,797 handwritten digits of 8x8 pixels that come with the package.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49, CC BY 4.0; the test part, as scikit-learn carries it (`load_digits`). Made by tools/make_digits.py.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.holdout import fifth_of_each
from lenetcli.data.transforms import Numbers, Preprocessing


class Digits(Source):
    """Handwritten digits, embedded: 1,442 to train on and 355 to test.

    The split is fixed: of each class, in the order of the file, every fifth image (the 5th, 10th, ...) is for testing.

    Args:
        resize: rows and columns to resize to, from 8x8.
        normalize: mean and standard deviation; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Example:
        >>> from lenetcli.data import Digits
        >>> len(Digits().train), len(Digits().test)
        (1442, 355)
    """

    classes = tuple("0123456789")

    def __init__(
        self,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.preprocessing = Preprocessing(1 / 16, resize, normalize)

    def load(self, split: str) -> ArrayDataset:
        with resources.files("lenetcli.data").joinpath("digits.npz").open("rb") as file, np.load(file) as held:
            images, labels = held["images"], held["labels"].astype(np.int64)
        testing = fifth_of_each(labels)
        chosen = testing if split == "test" else ~testing
        return ArrayDataset(images[chosen][:, None], labels[chosen], self.preprocessing)
