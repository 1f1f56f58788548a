"""NPZ: your own arrays in one NumPy file."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.finite import not_finite
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.data.zip_limits import check_packed
from lenetcli.disk import check_regular, opened
from lenetcli.errors import DataError, in_a_line

LARGEST = 1 << 33  # bytes of one array
MOST_CLASSES = 1_000_000


class NPZ(Source):
    """Images and targets from a .npz file with the arrays x_train, y_train, x_test and y_test.

    x: (N, C, H, W) or (N, H, W), of any numeric type; uint8 is scaled to 0..1. y: (N,) class numbers from 0, true and
    false, or floats. Floats must be finite, as float32 too. Nothing is unpickled.

    Args:
        path: the file.
        resize: rows and columns to resize to.
        normalize: mean and standard deviation, each a number or one per channel.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.

    Raises:
        DataError: no such file, no NPZ file, a missing array, or arrays that do not fit together.
    """

    def __init__(
        self,
        path: str,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__(augment)
        self.path = Path(path).expanduser()
        self._resize, self._normalize = resize, normalize

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the file has been read
        """The class numbers as text; empty where targets are floats."""
        splits = self.train.targets, self.test.targets
        if any(y.dtype.kind not in "iu" for y in splits):
            return ()
        return tuple(str(i) for i in range(int(max(y.max() for y in splits)) + 1))

    def load(self, split: str) -> ArrayDataset:
        x, y = self._read(f"x_{split}"), self._read(f"y_{split}")
        if x.ndim == 3:
            x = x[:, None]
        if x.ndim != 4 or x.dtype.kind not in "biuf":
            raise DataError(
                f"{self.path}: x_{split}: wanted numbers (N, C, H, W) or (N, H, W), got {x.dtype} {list(x.shape)}"
            )
        if y.ndim == 0:
            raise DataError(f"{self.path}: y_{split}: wanted one target for each sample, got a single number")
        if len(x) != len(y) or len(x) == 0:
            raise DataError(f"{self.path}: x_{split} has {len(x)} samples, y_{split} {len(y)}")
        if y.dtype.kind in "biu":
            if y.ndim == 2 and y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
                raise DataError(
                    f"{self.path}: y_{split}: one-hot rows {list(y.shape)}; class numbers are wanted: y.argmax(axis=1)"
                )
            if y.ndim != 1:
                raise DataError(f"{self.path}: y_{split}: class numbers must be (N,), got {list(y.shape)}")
            wrong = np.flatnonzero((y < 0) | (y > MOST_CLASSES))
            if len(wrong):
                raise DataError(
                    f"{self.path}: y_{split}[{wrong[0]}]: class numbers must be from 0 to {MOST_CLASSES:,}, "
                    f"got {y[wrong[0]]}; {len(wrong):,} of {len(y):,} are not"
                )
            y = y.astype(np.int64)
        elif y.dtype.kind == "f":
            y = y if len(not_finite(y)) else y.astype(np.float32)  # as they are, they are named when refused
        else:
            raise DataError(f"{self.path}: y_{split}: wanted class numbers or floats, got {y.dtype}")
        scale = 1 / 255 if x.dtype == np.uint8 else 1.0

        def origin(index: int) -> str:
            return f"{self.path}: x_{split}[{index}]"

        return ArrayDataset(x, y, Preprocessing(scale, self._resize, self._normalize), origin)

    def _read(self, key: str) -> npt.NDArray[Any]:
        size = check_regular(self.path, LARGEST)
        try:
            with opened(self.path) as content, zipfile.ZipFile(content) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                if key not in names:
                    raise DataError(f"{self.path}: no array {key!r}; it holds {', '.join(names)[:200] or 'nothing'}")
                entry = archive.getinfo(f"{key}.npy")
                check_packed(self.path, archive, size)
                with archive.open(entry) as file:
                    return self._array(file, key, entry.file_size)
        except DataError:
            raise
        except Exception as error:  # whatever the readers of ZIP and NPY raise on damage
            raise DataError(f"{self.path}: not a sound .npz file ({key}): {in_a_line(error)}") from None

    def _array(self, file: IO[bytes], key: str, size: int) -> npt.NDArray[Any]:
        """An array of a .npy file, whose header is checked against the file's size before anything is allocated."""
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read_header(file)
        if kind.hasobject:
            raise DataError(f"{self.path}: {key}: not a sound .npz file: it holds pickled objects, which are not read")
        if min(shape, default=1) < 0 or math.prod(shape) * kind.itemsize > min(size, LARGEST):
            raise DataError(f"{self.path}: {key}: not a sound .npz file: {list(shape)} {kind} in {size:,} bytes")
        data = file.read(math.prod(shape) * kind.itemsize + 1)
        if len(data) != math.prod(shape) * kind.itemsize:
            raise DataError(f"{self.path}: {key}: not a sound .npz file: {list(shape)} {kind} has {len(data):,} bytes")
        array = np.frombuffer(data, kind)
        return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)
