"""IDX files, the format of MNIST: a magic number, big-endian sizes, bytes. Untrusted input."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.zip_limits import check_unpacked
from lenetcli.disk import read_within
from lenetcli.errors import DataError

LARGEST = 1 << 31  # bytes of pixels: 30 times the real files, far below what would exhaust a machine
HEADER = 16  # bytes to read before the sizes are known
BLOCK = 1 << 18  # bytes of a file to unzip at a time
IMAGES, LABELS = 0x00000803, 0x00000801  # unsigned bytes in three dimensions, in one
QMNIST_LABELS = 0x00000C02  # whole numbers of four bytes in two dimensions
_KINDS: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x0C: np.dtype(">i4"),
}  # of a number, by the magic number's third byte


def read_idx(path: Path, magic: int, md5: str | None = None) -> npt.NDArray[Any]:
    """The array in an IDX file, plain or gzip (by its name's ending).

    Args:
        magic: IMAGES, LABELS or QMNIST_LABELS.
        md5: where given, the file (as it lies on disk) must have this hash.

    Raises:
        DataError: unreadable, wrong hash, wrong magic, absurd sizes, truncated, or with bytes left over.
    """
    raw = read_within(path, LARGEST)
    if md5 is not None:
        found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        if found != md5:
            raise DataError(f"{path}: wrong md5: wanted {md5}, got {found}; delete the file and get it again")
    return _parse(path, _unpack(path, raw) if path.suffix == ".gz" else memoryview(raw), magic)


def _unpack(path: Path, raw: bytes) -> memoryview:
    """Unzips up to the sizes the header states, so that a small file cannot fill the memory."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        head = unzip.decompress(raw, HEADER)
        size = _stated(head) if len(head) == HEADER else len(head)
        if size > LARGEST + HEADER:  # `_parse` will refuse it
            size = HEADER
        check_unpacked(path, size - HEADER, len(raw))
        unpacked = np.empty(max(size, len(head)) + 1, np.uint8)  # one byte more than stated shows that there is more
        done, rest = len(head), unzip.unconsumed_tail
        unpacked[:done] = np.frombuffer(head, np.uint8)
        for start in range(0, len(rest), BLOCK):
            if unzip.eof or done == len(unpacked):
                break
            block = unzip.decompress(rest[start : start + BLOCK], len(unpacked) - done)
            unpacked[done : done + len(block)] = np.frombuffer(block, np.uint8)
            done += len(block)
    except zlib.error as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from None
    if not unzip.eof and done < len(unpacked):
        raise DataError(f"{path}: truncated gzip file, after {done:,} bytes of data")
    return unpacked.data[:done]


def _stated(head: bytes) -> int:
    """Bytes in the whole file according to its first 16."""
    dimensions = head[3]
    size = 4 + 4 * dimensions
    count = 1
    for i in range(min(dimensions, 3)):
        count *= int.from_bytes(head[4 + 4 * i : 8 + 4 * i], "big")
    return size + count * _KINDS.get(head[2], _KINDS[0x08]).itemsize


def _parse(path: Path, raw: memoryview, magic: int) -> npt.NDArray[Any]:
    if len(raw) < 4 or int.from_bytes(raw[:4], "big") != magic:
        got = raw[:4].hex() or "nothing"
        raise DataError(f"{path}: wrong magic number: wanted {magic:08x}, got {got}; this is no such IDX file")
    dimensions, kind = magic & 0xFF, _KINDS[magic >> 8 & 0xFF]
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise DataError(f"{path}: truncated: the header has {len(raw)} of {start} bytes")
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    count = 1
    for size in shape:
        count *= size
    if count > LARGEST or 0 in shape:
        raise DataError(f"{path}: absurd sizes {shape}")
    needed = count * kind.itemsize
    if len(raw) - start < needed:
        raise DataError(f"{path}: truncated: {shape} needs {needed:,} bytes, there are {len(raw) - start:,}")
    if len(raw) - start > needed:
        raise DataError(f"{path}: bytes left over after the {needed:,} that {shape} needs")
    array: npt.NDArray[Any] = np.frombuffer(raw, kind, count, start)
    return array.reshape(shape)
