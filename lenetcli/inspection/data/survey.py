"""A look at data nobody has described yet: classes, counts, sizes, colours, broken and repeated pictures, values."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.background import mapped
from lenetcli.data.dataset import ArrayDataset, Source, origin_of, parts_of
from lenetcli.data.encoded import Pictures
from lenetcli.data.left_out import LeftOut
from lenetcli.data.pictures import BrokenPicture, decode_picture, stated_size
from lenetcli.data.row_cache import Kept
from lenetcli.errors import DataError
from lenetcli.inspection.data.recognised import Recognised

Size = tuple[int, int]  # rows, columns

SAMPLE = 2000  # pictures of a split that are decoded, evenly spaced
HASHED = 1 << 30  # bytes of pictures that are compared with each other
IN_FILES = ("ImageFolder", "Parquet", "PictureCSV")
PROBE = (32, 32)  # what pictures in files are brought to, until their sizes are known


@dataclass
class Survey:
    """What was found.

    Args:
        data: which data it is.
        classes: their names; empty where targets are no classes.
        counts: samples of each class by split, (C,); of all samples where there are no classes, (1,).
        target: shape of one target, where targets are no classes.
        marked: targets are several labels of 0 and 1 for each sample.
        sizes: the smallest, the median and the largest rows and columns; the first and last are equal where all are.
        alike: all pictures that were looked at have one size.
        channels: 1 gray, 3 colours, or what the arrays have.
        saved: channels as the files have them, where these are more.
        looked, of: pictures that were decoded, of how many.
        broken: what is wrong with each that cannot be decoded.
        across: samples to test on that are among those to train on, too; the first pair of names comes after.
        contradicting: samples to train on that are there again with another label.
        compared: samples whose content was compared; None: none was.
        left_out: what was found and is not used.
    """

    data: Recognised
    classes: tuple[str, ...] = ()
    counts: dict[str, list[int]] = field(default_factory=dict)
    target: tuple[int, ...] | None = None
    marked: bool = False
    sizes: tuple[Size, Size, Size] = ((0, 0), (0, 0), (0, 0))
    alike: bool = True
    channels: int = 1
    saved: int = 1
    looked: int = 0
    of: int = 0
    broken: list[str] = field(default_factory=list)
    across: int = 0
    contradicting: int = 0
    examples: list[str] = field(default_factory=list)
    compared: int | None = None
    left_out: tuple[LeftOut, ...] = ()

    def total(self, split: str) -> int:
        """Samples of a split."""
        return sum(self.counts[split])

    @property
    def imbalance(self) -> float:
        """How many times as many samples to train on the most common class has as the rarest that has any."""
        there = [count for count in self.counts["train"] if count]
        return max(there) / min(there) if self.classes and there else 1.0

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        smallest, median, largest = map(list, self.sizes)
        return {
            "type": self.data.type, "place": None if self.data.place is None else self.data.place[1],
            "classes": list(self.classes), "counts": self.counts, "imbalance": self.imbalance,
            "sizes": {"smallest": smallest, "median": median, "largest": largest}, "channels": self.channels,
            "looked": self.looked, "of": self.of, "broken": self.broken, "in_both_splits": self.across,
            "contradicting": self.contradicting, "compared": self.compared,
            "left_out": [part.record() for part in self.left_out],
        }  # fmt: skip


def survey(found: Recognised) -> Survey:
    """Looks at the data; of many pictures an evenly spaced sample is decoded, always the same one.

    Raises:
        DataError: it cannot be read, or nothing sound is in it.
        ConfigError: a library is missing.
    """
    source = found.source(**({"resize": PROBE} if found.type in IN_FILES else {}))
    splits = parts_of(source)
    said = Survey(found, left_out=source.left_out)
    numbered = all(part.targets.ndim == 1 and part.targets.dtype.kind in "iu" for part in splits.values())
    if numbered:
        said.classes = tuple(source.classes)
        said.counts = {k: np.bincount(v.targets, minlength=len(said.classes)).tolist() for k, v in splits.items()}
    else:
        said.target, targets = tuple(splits["train"].targets.shape[1:]), splits["train"].targets
        said.marked = targets.ndim == 2 and bool(((targets == 0) | (targets == 1)).all())
        said.counts = {name: [len(part)] for name, part in splits.items()}
    if isinstance(splits["train"].images, Pictures):
        _look_at_files(said, splits)
    else:
        _look_at_arrays(said, splits)
    _compare(said, splits)
    return said


def values(source: Source, sample: int = SAMPLE) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the pictures to train on, channel by channel, as a net would see them without
    normalisation; broken pictures are left aside.

    Raises:
        DataError: no picture is sound.
    """

    def one(number: int) -> npt.NDArray[np.float64] | None:
        try:
            pictures = np.asarray(source.train.gather(np.array([number]))[0], np.float64)
        except BrokenPicture:
            return None
        return np.stack([pictures.sum(axis=(0, 2, 3)), (pictures**2).sum(axis=(0, 2, 3)),
                         np.full(pictures.shape[1], pictures[0, 0].size, np.float64)])  # fmt: skip

    chosen = _spaced(len(source.train), sample)
    sums = [part for part in mapped(one, chosen, os.cpu_count() or 1) if part is not None]
    if not sums:
        raise DataError("no picture can be decoded")
    total, squares, count = np.sum(sums, axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.tolist(), deviation.tolist()


def _spaced(count: int, most: int) -> list[int]:
    """Up to so many numbers below a count, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)).tolist()


def _look_at_files(said: Survey, splits: dict[str, ArrayDataset]) -> None:
    """Sizes and colours of pictures in files, and which cannot be decoded."""
    sizes: list[Size] = []
    coloured = False
    for data in splits.values():
        images = data.images
        assert isinstance(images, Pictures)

        def look(number: int, images: Pictures = images) -> tuple[Size, bool] | BrokenPicture:
            assert images.encoded is not None
            name = images.name(number)
            try:
                content = images.encoded(number)
                pixels = decode_picture(content, name, 3, PROBE, images.form.max_pixels)
                size = stated_size(content, name, images.form.max_pixels)
                return size, bool((pixels != pixels[:1]).any())
            except BrokenPicture as error:
                return error

        chosen = _spaced(len(data), SAMPLE)
        for found in mapped(look, chosen, os.cpu_count() or 1):
            if isinstance(found, BrokenPicture):
                said.broken.append(str(found))
            else:
                sizes.append(found[0])
                coloured = coloured or found[1]
        said.looked, said.of = said.looked + len(chosen), said.of + len(data)
    if not sizes:
        raise DataError("\n".join(["no picture that was looked at can be decoded:", *said.broken[:3]]))
    said.sizes, said.alike = _ends(sizes), len(set(sizes)) == 1
    said.channels, said.saved = (3 if coloured else 1), 3


def _ends(sizes: Sequence[Size]) -> tuple[Size, Size, Size]:
    """The smallest, the median and the largest, by their pixels."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]


def _look_at_arrays(said: Survey, splits: dict[str, ArrayDataset]) -> None:
    shape = splits["train"].images.shape
    size = (int(shape[2]), int(shape[3]))
    said.sizes, said.channels, said.saved = (size, size, size), int(shape[1]), int(shape[1])
    said.looked = said.of = sum(map(len, splits.values()))


def _compare(said: Survey, splits: dict[str, ArrayDataset]) -> None:
    """Looks for samples that are there twice: in both splits, or with two labels."""
    seen: dict[bytes, tuple[str, int, bytes]] = {}
    left, said.compared = HASHED, 0
    for split, data in splits.items():
        targets = np.ascontiguousarray(data.targets)
        for number in range(len(data)):
            content = _content(data.images, number)
            if content is None:
                continue
            left -= len(content)
            if left < 0:
                return
            said.compared += 1
            digest, label = hashlib.sha256(content).digest(), targets[number].tobytes()
            before = seen.setdefault(digest, (split, number, label))
            if before[:2] == (split, number):
                continue
            if (before[0] == "train") != (split == "train"):
                said.across += 1
            elif before[2] != label and split == "train":
                said.contradicting += 1
            else:
                continue
            if len(said.examples) < 3 and (name := origin_of(data, number)):
                said.examples.append(f"{name} is {origin_of(splits[before[0]], before[1])}")


def _content(images: npt.NDArray[Any] | Kept, number: int) -> bytes | None:
    """A sample as its file or array has it; None where it cannot be had."""
    if isinstance(images, Kept):
        try:
            return None if images.encoded is None else images.encoded(number)
        except BrokenPicture:
            return None
    return np.ascontiguousarray(images[number]).tobytes()
