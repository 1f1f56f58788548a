"""What a data set holds as one hash, wherever it lies: a run that goes on exactly needs the same data."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from lenetcli.data.dataset import Source, parts_of
from lenetcli.data.pictures import BrokenPicture
from lenetcli.data.row_cache import Kept

MOST = 1 << 30  # bytes of encoded pictures that are read; what comes after them counts by its number and targets
ROWS = 1024  # of an array, hashed at a time


def fingerprint(source: Source) -> dict[str, Any]:
    """The sha256 of samples, targets and names of classes of all splits; of how many samples the content was hashed.

    Raises:
        DataError: the data cannot be read.

    Example:
        >>> from lenetcli.data import Digits
        >>> from lenetcli.data.fingerprint import fingerprint
        >>> found = fingerprint(Digits())
        >>> found["samples"], found["hashed"], found == fingerprint(Digits(resize=(4, 4)))
        ([1442, 355], 1797, True)
    """
    digest, hashed = hashlib.sha256(), 0
    splits = tuple(parts_of(source).values())
    for data in splits:
        targets, images = (getattr(data, name, None) for name in ("targets", "images"))
        digest.update(f"{len(data)}".encode())
        if isinstance(targets, np.ndarray):
            digest.update(targets.dtype.str.encode())
            digest.update(np.ascontiguousarray(targets).tobytes())
        if images is None:  # a data set of the user's own, which gives samples only
            continue
        if isinstance(images, Kept):
            hashed += _hash_encoded(digest, images)
        else:
            digest.update(f"{images.dtype.str} {list(images.shape[1:])}".encode())
            for start in range(0, len(images), ROWS):
                digest.update(np.ascontiguousarray(images[start : start + ROWS]).data)
            hashed += len(images)
    digest.update("\0".join(source.classes).encode("utf-8", "surrogatepass"))
    return {"sha256": digest.hexdigest(), "samples": [len(data) for data in splits], "hashed": hashed}


def _hash_encoded(digest: Any, images: Kept) -> int:
    """Takes pictures in as their files have them; gives how many."""
    count = read = 0
    if images.encoded is not None:
        while count < len(images) and read < MOST:
            try:
                content = images.encoded(count)
            except BrokenPicture:  # an empty cell, which decoding names with all the others
                content = b""
            digest.update(hashlib.sha256(content).digest())
            read, count = read + len(content), count + 1
    return count
