"""Arrays in .npz files, read with their sizes checked before anything is allocated; nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.zip_limits import check_packed
from lenetcli.disk import check_regular, opened
from lenetcli.errors import DataError, in_a_line

LARGEST = 1 << 33  # bytes of one array


def names_in(path: Path) -> list[str]:
    """The names of the arrays in a file.

    Raises:
        DataError: it cannot be read, or is no ZIP file.
    """
    check_regular(path, LARGEST)
    try:
        with opened(path) as content, zipfile.ZipFile(content) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except DataError:
        raise
    except Exception as error:  # whatever the reader of ZIP raises on damage
        raise DataError(f"{path}: not a sound .npz file: {in_a_line(error)}") from None


def read_array(path: Path, key: str) -> npt.NDArray[Any]:
    """An array of a file.

    Raises:
        DataError: it is not there, or not sound.
    """
    size = check_regular(path, LARGEST)
    try:
        with opened(path) as content, zipfile.ZipFile(content) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in names:
                raise DataError(f"{path}: no array {key!r}; it holds {', '.join(names)[:200] or 'nothing'}")
            entry = archive.getinfo(f"{key}.npy")
            check_packed(path, archive, size)
            with archive.open(entry) as file:
                return _array(path, file, key, entry.file_size)
    except DataError:
        raise
    except Exception as error:  # whatever the readers of ZIP and NPY raise on damage
        raise DataError(f"{path}: not a sound .npz file ({key}): {in_a_line(error)}") from None


def _array(path: Path, file: IO[bytes], key: str, size: int) -> npt.NDArray[Any]:
    """An array of a .npy file, whose header is checked against the file's size before anything is allocated."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read_header(file)
    if kind.hasobject:
        raise DataError(f"{path}: {key}: not a sound .npz file: it holds pickled objects, which are not read")
    if min(shape, default=1) < 0 or math.prod(shape) * kind.itemsize > min(size, LARGEST):
        raise DataError(f"{path}: {key}: not a sound .npz file: {list(shape)} {kind} in {size:,} bytes")
    data = file.read(math.prod(shape) * kind.itemsize + 1)
    if len(data) != math.prod(shape) * kind.itemsize:
        raise DataError(f"{path}: {key}: not a sound .npz file: {list(shape)} {kind} has {len(data):,} bytes")
    array = np.frombuffer(data, kind)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)
