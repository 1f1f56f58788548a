"""CIFAR-10 in its binary version: records of a label and 3,072 pixels, in six files or in the archive of them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.catalogue import CATALOGUE, CIFAR10_ARCHIVE, get
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.disk import is_regular, read_within
from lenetcli.errors import DataError

RECORD = 1 + 3 * 32 * 32  # bytes: a label, then rows of red, of green, of blue
LARGEST = 10_000 * RECORD  # bytes of one file
LARGEST_ARCHIVE = 1 << 28
BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
FOLDER = "cifar-10-batches-bin"


class CIFAR10(Source):
    """Colour photos of 32x32 pixels in ten classes: 50,000 to train on and 10,000 to test.

    Args:
        root: directory of the six files data_batch_1.bin ... test_batch.bin, or of the archive cifar-10-binary.tar.gz;
            its md5 is verified. It is read as it is; a run starts faster when it is unpacked.
        download: get the archive when it is not there.
        resize: rows and columns to resize to, from 32x32.
        normalize: mean and standard deviation, each a number or one per channel; pixels are 0 to 1 before.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: a file is missing, damaged, truncated, or has a label that is no class.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    name: ClassVar[str] = "CIFAR10"
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(
        self,
        root: str = "data/cifar-10",
        download: bool = False,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.root, self.download = Path(root).expanduser(), download
        self.preprocessing = Preprocessing(1 / 255, resize, normalize)

    def load(self, split: str) -> ArrayDataset:
        names = BATCHES[split]
        folder = next((place for place in (self.root, self.root / FOLDER) if is_regular(place / names[0])), None)
        if folder is not None:
            files = [(str(folder / name), read_within(folder / name, LARGEST)) for name in names]
        else:
            files = self._unpacked(names)
        records = np.concatenate([self._records(where, content) for where, content in files])
        images = records[:, 1:].reshape(-1, 3, 32, 32)
        return ArrayDataset(images, records[:, 0].astype(np.int64), self.preprocessing)

    def _records(self, where: str, content: bytes) -> npt.NDArray[np.uint8]:
        """(N, 3073), of sound size and labels."""
        count, rest = divmod(len(content), RECORD)
        if rest or not count:
            raise DataError(f"{where}: {len(content):,} bytes are no whole records of {RECORD:,}: truncated or damaged")
        records = np.frombuffer(content, np.uint8).reshape(count, RECORD)
        if records[:, 0].max() >= len(self.classes):
            raise DataError(f"{where}: label {records[:, 0].max()} of {len(self.classes)} classes")
        return records

    def _unpacked(self, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
        """Files out of the archive, in the order of their names."""
        if self.download:
            get(self.name, self.root)
        archive = self.root / CIFAR10_ARCHIVE
        if not is_regular(archive):
            raise DataError(
                f"{self.name}: neither {names[0]} nor {CIFAR10_ARCHIVE} in {self.root.absolute()}; get it with "
                f"data.download=true, or name the directory that has it with data.root=DIR"
            )
        packed = read_within(archive, LARGEST_ARCHIVE)
        found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        wanted = CATALOGUE[self.name].md5[CIFAR10_ARCHIVE]
        if found != wanted:
            raise DataError(f"{archive}: wrong md5: wanted {wanted}, got {found}; delete the file and get it again")
        held: dict[str, bytes] = {}
        try:
            # read through once, in order; nothing is written to disk
            with tarfile.open(fileobj=io.BytesIO(packed), mode="r|gz") as tar:
                for member in tar:
                    name = member.name.rpartition("/")[2]
                    if name in names and member.isfile() and member.size <= LARGEST:
                        content = tar.extractfile(member)
                        held[name] = b"" if content is None else content.read()
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise DataError(f"{archive}: damaged archive: {error}") from None
        missing = [name for name in names if name not in held]
        if missing:
            raise DataError(f"{archive}: no {missing[0]} in it")
        return [(f"{archive}: {name}", held[name]) for name in names]
