"""Parquet: image sets as Hugging Face hubs keep them, encoded pictures and class numbers in the columns of a table."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.encoded import Encoded, check_channels
from lenetcli.data.holdout import hold_back
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import check_regular
from lenetcli.errors import ConfigError, DataError

LARGEST = 1 << 33  # bytes of all files of a split together, and of what they unpack to
MOST_CLASSES = 1_000_000
NAMES = {"train": ("train",), "test": ("test", "validation", "valid")}


class Parquet(Source):
    """Image sets in Parquet files, as Hugging Face's `datasets` writes them: PNG or JPEG pictures and class numbers.

    Files are found by their names: train-*.parquet and test-*.parquet (or validation-*), in `root` or in its folder
    `data`. Without test files a share of each class is drawn for testing. Classes are named as the metadata says.
    Needs pyarrow and Pillow: python -m pip install 'lenet[parquet]'.

    Args:
        root: the directory.
        image: the column of the pictures: {bytes, path} or bytes.
        label: the column of the class numbers.
        resize: rows and columns that every picture is resized to; without it all must have one size.
        channels: 1 for gray, 3 for colours, 4 for colours and opacity.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        test_fraction: share of each class that is for testing, where there are no test files.
        seed: decides which.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: no such files, a damaged one, a missing column, or a picture that is damaged or of another
            size.
    """

    def __init__(
        self,
        root: str,
        image: str = "image",
        label: str = "label",
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
        self.root, self.image, self.label, self.channels = Path(root), image, label, channels
        self.test_fraction, self.seed = test_fraction, seed
        self._names: tuple[str, ...] | None = None

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the files have been read
        """The classes' names, or their numbers as text."""
        count = 1 + int(max(self.train.targets.max(), self.test.targets.max()))
        names = self._names or ()
        return names if len(names) >= count else tuple(map(str, range(count)))

    def load(self, split: str) -> ArrayDataset:
        own = self._files("test")
        if own or split == "train":
            pictures, labels = self._read(own if split == "test" else self._files("train"))
        else:
            pictures, labels = self._read(self._files("train"))
        chosen = np.arange(len(labels))
        if not own:
            try:
                parts = hold_back(labels, labels, self.test_fraction, self.seed)
            except ValueError:
                raise DataError(f"{self.root}: one picture cannot be split into training and test data") from None
            chosen = parts[("train", "test").index(split)].indices

        def content(number: int) -> tuple[bytes, str]:
            at = int(chosen[number])
            data = pictures[at].as_py()
            if data is None:
                raise DataError(f"{self.root}: {split} picture {at}: no bytes in column {self.image!r}")
            return data, f"{self.root}: {split} picture {at}"

        images = Encoded(content, len(chosen), self.channels, self.preprocessing.resize).images()
        return ArrayDataset(
            images, labels[chosen], self.preprocessing, lambda number: f"{self.root}: {split} picture {chosen[number]}"
        )

    def _files(self, split: str) -> list[Path]:
        """The files of a split, in the order of their names.

        Raises:
            DataError: there are none to train on.
        """
        for place in (self.root, self.root / "data"):
            for name in NAMES[split]:
                found = sorted([*place.glob(f"{name}-*.parquet"), *place.glob(f"{name}.parquet")])
                if found:
                    return found
        if split == "train":
            raise DataError(f"{self.root}: no train-*.parquet in it, nor in its folder data")
        return []

    def _read(self, files: list[Path]) -> tuple[Any, npt.NDArray[np.int64]]:
        """The encoded pictures, as Arrow's array, and the class numbers."""
        arrow = _pyarrow()
        if sum(check_regular(path, LARGEST) for path in files) > LARGEST:
            raise DataError(f"{self.root}: files of more than {LARGEST:,} bytes")
        pictures, labels = [], []
        for path in files:
            try:
                picture, label = self._columns(arrow, path)
            except DataError:
                raise
            except (
                arrow.ArrowException,
                OSError,
                ValueError,
                TypeError,
                KeyError,
                MemoryError,
                OverflowError,
            ) as error:
                reason = " ".join(str(error).split())[:200]
                raise DataError(f"{path}: not a sound Parquet file: {reason}") from None
            pictures += picture.chunks
            labels.append(label)
        return arrow.chunked_array(pictures, arrow.large_binary()), np.concatenate(labels)

    def _columns(self, arrow: ModuleType, path: Path) -> tuple[Any, npt.NDArray[np.int64]]:
        with arrow.parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            for column in (self.image, self.label):
                if column not in columns:
                    raise DataError(f"{path}: no column {column!r}; it holds {', '.join(columns) or 'none'}")
            stated = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if not 0 <= stated <= LARGEST:
                raise DataError(f"{path}: states {stated:,} bytes of content, more than {LARGEST:,}")
            table = file.read(columns=[self.image, self.label])
            self._names = self._names or _class_names(file.schema_arrow.metadata, self.label)
        picture, label = table.column(self.image), table.column(self.label)
        if arrow.types.is_struct(picture.type) and picture.type.get_field_index("bytes") >= 0:
            picture = arrow.compute.struct_field(picture, "bytes")
        if not (arrow.types.is_binary(picture.type) or arrow.types.is_large_binary(picture.type)):
            raise DataError(
                f"{path}: column {self.image!r} holds {picture.type}, wanted encoded pictures {{bytes, path}}"
            )
        if not arrow.types.is_integer(label.type) or label.null_count:
            what = "empty cells" if label.null_count else str(label.type)
            raise DataError(f"{path}: column {self.label!r} holds {what}, wanted class numbers")
        numbers = np.asarray(label.cast(arrow.int64()).to_numpy(), np.int64)
        if not len(numbers):
            raise DataError(f"{path}: no rows")
        if numbers.min() < 0 or numbers.max() >= MOST_CLASSES:
            worst = numbers.min() if numbers.min() < 0 else numbers.max()
            raise DataError(f"{path}: class number {worst}; they start from 0 and stay below {MOST_CLASSES:,}")
        return picture.cast(arrow.large_binary()), numbers


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> tuple[str, ...]:
    """The classes' names in the metadata that `datasets` writes; none where there are none."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return ()
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return tuple(names) if sound else ()


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("Parquet files need pyarrow: python -m pip install 'lenet[parquet]'") from None
    module: ModuleType = pyarrow
    return module
