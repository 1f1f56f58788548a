"""Encoded pictures (PNG, JPEG) as an array of images: decoded when first needed, all brought to one size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lenetcli.background import mapped
from lenetcli.data.pictures import MODES, decode_picture, shrink
from lenetcli.data.row_cache import Kept
from lenetcli.data.transforms import resize
from lenetcli.errors import ConfigError, DataError


def check_channels(channels: int) -> None:
    """Refuses a number of channels that no picture has.

    Raises:
        ConfigError: it is not 1, 3 or 4.
    """
    if channels not in MODES:
        raise ConfigError(f"channels: wanted 1 (gray), 3 (colours) or 4 (colours and opacity), got {channels}")


@dataclass(frozen=True)
class Encoded:
    """Pictures that are decoded one by one.

    Args:
        content: the bytes of a picture, by its number, and what messages call it.
        count: how many there are.
        channels: 1, 3 or 4.
        size: rows and columns that every picture gets; None: all must be as the first.
    """

    content: Callable[[int], tuple[bytes, str]]
    count: int
    channels: int
    size: tuple[int, int] | None

    def images(self) -> Kept:
        """(N, C, H, W) of bytes.

        Raises:
            DataError: the first picture cannot be decoded.
        """
        size = self._decoded(0).shape[1:] if self.size is None else self.size
        shape = (self.channels, *size)
        images = Kept(lambda numbers: self._rows(numbers, shape), (self.count, *shape), np.uint8)
        images.encoded = lambda number: self.content(number)[0]
        return images

    def _rows(self, numbers: npt.NDArray[np.int64], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        rows = np.empty((len(numbers), *shape), np.uint8)

        def decode(i: int) -> None:
            picture = self._decoded(int(numbers[i]))
            if picture.shape != shape:
                name, (h, w) = self.content(int(numbers[i]))[1], picture.shape[1:]
                first = f"{shape[1]} x {shape[2]}"
                hint = "data.resize=[rows, columns] makes them all alike"
                raise DataError(f"{name}: {h} rows x {w} columns, the first picture has {first}; {hint}")
            rows[i] = picture

        mapped(decode, range(len(numbers)), os.cpu_count() or 1)  # decoding lets other threads run meanwhile
        return rows

    def _decoded(self, number: int) -> npt.NDArray[np.uint8]:
        content, name = self.content(number)
        picture = decode_picture(content, name, self.channels)
        if self.size is None or picture.shape[1:] == self.size:
            return picture
        fitted = resize(shrink(picture[None], self.size), self.size)[0]  # as predict does it
        return np.asarray(np.clip(np.rint(fitted), 0, 255), np.uint8)
