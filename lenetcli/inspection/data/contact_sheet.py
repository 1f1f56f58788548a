"""Some samples of a data set as pictures with the names of their classes, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data import ArrayDataset, Source

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sheet:
    """Pictures side by side.

    Args:
        pictures: (N, H, W, 3), bytes.
        names: what stands below each.
    """

    pictures: npt.NDArray[np.uint8]
    names: tuple[str, ...]


def contact_sheet(source: Source, split: str, count: int, seed: int = 0, epoch: int | None = None) -> Sheet:
    """The first samples of each class in turn: one of every class, then a second one of every class, and so on.

    Args:
        split: "train" or "test".
        seed: of the augmentation.
        epoch: show them as they are in this epoch of a training, augmented; None: as they are.

    Raises:
        DataError: the data cannot be read.
    """
    data = source.train if split == "train" else source.test
    chosen = _in_turn(data.targets)[:count]
    inputs = data.gather(chosen)[0]
    if epoch is not None and source.augmenter is not None:
        inputs = source.augmenter(inputs, chosen, seed, epoch)
    return Sheet(_visible(inputs, data), tuple(_name(source, target) for target in data.targets[chosen]))


def _in_turn(targets: Array) -> npt.NDArray[np.int64]:
    """Sample numbers, by their place within their class and then by class."""
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        return np.arange(len(targets))
    by_class = np.argsort(targets, kind="stable")
    sizes = np.unique(targets, return_counts=True)[1]
    place = np.arange(len(targets)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(by_class[np.argsort(place, kind="stable")], np.int64)


def pictures(data: ArrayDataset, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Samples by number, as pictures.

    Shape: (N, H, W, 3).
    """
    return _visible(data.gather(numbers)[0], data)


def _visible(inputs: Array, data: ArrayDataset) -> npt.NDArray[np.uint8]:
    """The inputs as pictures: not normalised, values far beyond 0 to 1 stretched to it, two channels as gray."""
    black, unit = data.preprocessing.black_and_unit(inputs.shape[1])
    values = (inputs - black.reshape(-1, 1, 1)) / unit.reshape(-1, 1, 1)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low < -0.5 or high > 1.5:
        values = (values - low) / (high - low)
    if values.shape[1] not in (3, 4):
        values = np.repeat(values.mean(axis=1, keepdims=True), 3, axis=1)
    shown = np.clip(np.rint(values[:, :3] * 255), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(shown.transpose(0, 2, 3, 1))


def _name(source: Source, target: Any) -> str:
    classes = source.classes
    return str(classes[int(target)]) if np.ndim(target) == 0 and classes else ""
