"""Encoded pictures as an array of images: decoded when first needed, brought to one size; the broken ones listed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lenetcli.background import mapped
from lenetcli.data.left_out import Tally
from lenetcli.data.pictures import LIMIT, MODES, MOST_PIXELS, BrokenPicture, decode_picture, fitted
from lenetcli.data.row_cache import Kept
from lenetcli.data.transforms import Resize, resizing
from lenetcli.errors import ConfigError, DataError

SHOWN = 20  # pictures that a message names
PATIENCE = 30.0  # seconds for which more are looked for, where a training meets a broken one
TOGETHER = 256  # pictures that are decoded before the clock is looked at
SKIPPED = "broken pictures"


@dataclass(frozen=True)
class PictureForm:
    """What pictures are made into, and which are taken.

    Args:
        channels: 1, 3 or 4.
        size: rows and columns that every picture gets; None: all must be as the first.
        max_pixels: the most pixels that are decoded of one.
        broken: "refuse" ends with a list of the broken ones, "skip" leaves them out.
        mode: how a picture of another form gets its size, see `Resize`.

    Raises:
        ConfigError: a number of channels that no picture has, or another value out of its range.
    """

    channels: int
    size: tuple[int, int] | None
    max_pixels: int = MOST_PIXELS
    broken: str = "refuse"
    mode: str = "squeeze"

    def __post_init__(self) -> None:
        if self.channels not in MODES:
            raise ConfigError(f"channels: wanted 1 (gray), 3 (colours) or 4 (colours and opacity), got {self.channels}")
        if self.broken not in ("refuse", "skip"):
            raise ConfigError(f"broken: wanted refuse or skip, got {self.broken!r}")
        if not 0 < self.max_pixels <= LIMIT:
            raise ConfigError(f"max_pixels: wanted 1 to {LIMIT:,}, got {self.max_pixels:,}")


def picture_form(
    channels: int, resize: tuple[int, int] | Resize | None, max_pixels: int = MOST_PIXELS, broken: str = "refuse"
) -> PictureForm:
    """The form that the arguments of a data set say.

    Raises:
        ConfigError: a value out of its range.
    """
    how = resizing(resize)
    size, mode = (None, "squeeze") if how is None else (how.size, how.mode)
    return PictureForm(channels, size, max_pixels, broken, mode)


class Pictures(Kept):
    """Encoded pictures as an array (N, C, H, W) of bytes.

    Args:
        content: the bytes of a picture, by its number.
        names: what messages call it.
        count: how many there are.
        form: what they are made into.
        source: all pictures of the data set, these among them from now on: where one is broken, those of all are
            listed.

    Raises:
        DataError: the picture that decides on the size, or with it others, cannot be decoded.
    """

    def __init__(
        self,
        content: Callable[[int], bytes],
        names: Callable[[int], str],
        count: int,
        form: PictureForm,
        source: list[Pictures],
    ) -> None:
        self._content, self._names, self.form = content, names, form
        self._size, self._source, self._numbers = form.size, source, np.arange(count)
        source.append(self)
        super().__init__(self._decode_rows, (count, form.channels, *self._first_size()), np.uint8)
        self.encoded = lambda number: content(int(self._numbers[number]))

    def name(self, number: int) -> str:
        """What messages call a picture."""
        return self._names(int(self._numbers[number]))

    def problems(self, seconds: float | None = None) -> tuple[list[DataError], int]:
        """What is wrong with each picture that is not sound, and how many were looked at.

        Args:
            seconds: how long to look; None: at all of them.
        """
        began, found = time.perf_counter(), []
        for start in range(0, len(self), TOGETHER):
            numbers = range(start, min(start + TOGETHER, len(self)))
            found += [error for error in mapped(self._kept, numbers, os.cpu_count() or 1) if error is not None]
            if seconds is not None and time.perf_counter() - began > seconds:
                return found, numbers[-1] + 1
        return found, len(self)

    def skip_broken(self, left_out: Tally) -> npt.NDArray[np.int64]:
        """Leaves the broken ones out, after a look at every picture; gives the numbers of those that stay."""
        sound = np.ones(len(self), np.bool_)

        def look(number: int) -> str | None:
            error = self._kept(number)
            if error is not None and not isinstance(error, BrokenPicture):
                raise error
            sound[number] = error is None
            return None if error is None else str(error)

        for message in filter(None, mapped(look, range(len(self)), os.cpu_count() or 1)):
            left_out.add(SKIPPED, message)
        stay = np.flatnonzero(sound)
        if not len(stay):
            raise DataError(f"{self.name(0)}, ...: every picture is broken")
        self._numbers = self._numbers[stay]
        self.select(stay)
        return stay

    def _first_size(self) -> tuple[int, int]:
        """Rows and columns that all pictures have: those of the first one that can be decoded."""
        found: list[DataError] = []
        while self._size is None:
            try:
                h, w = self._decoded(len(found)).shape[1:]
                self._size = h, w
            except BrokenPicture as error:
                found.append(error)
                if len(found) == len(self._numbers):
                    raise listed(found, len(found), len(found)) from None
        return self._size

    def _kept(self, number: int) -> DataError | None:
        """Decodes a picture and keeps it where there is room; gives what is wrong with it."""
        try:
            if not self.has(number):
                self.put(number, self._fitting(int(self._numbers[number])))
        except DataError as error:
            return error
        return None

    def _decode_rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        rows = np.empty((len(numbers), *self.shape[1:]), np.uint8)

        def decode(i: int) -> None:
            rows[i] = self._fitting(int(self._numbers[numbers[i]]))

        try:
            mapped(decode, range(len(numbers)), os.cpu_count() or 1)  # decoding lets other threads run meanwhile
        except DataError as error:
            raise self._all_of_them(error) from None
        return rows

    def _fitting(self, number: int) -> npt.NDArray[np.uint8]:
        """A picture of the size that all have."""
        picture = self._decoded(number)
        if picture.shape[1:] != self._size:
            assert self._size is not None, "the first picture has decided"
            (h, w), (rows, columns) = picture.shape[1:], self._size
            raise DataError(
                f"{self._names(number)}: {h} rows x {w} columns, the first picture has {rows} x {columns}; "
                f"data.resize=[{rows},{columns}] makes them all alike"
            )
        return picture

    def _decoded(self, number: int) -> npt.NDArray[np.uint8]:
        form, size = self.form, self.form.size
        picture = decode_picture(self._content(number), self._names(number), form.channels, size, form.max_pixels)
        return picture if size is None else fitted(picture[None], size, form.mode)[0]

    def _all_of_them(self, error: DataError) -> DataError:
        """The error that names every picture of the data set that is not sound, as far as they are found in time."""
        found: list[DataError] = []
        looked = count = 0
        for pictures in self._source:
            more, seen = pictures.problems(PATIENCE / len(self._source))
            found, looked, count = found + more, looked + seen, count + len(pictures)
        return listed(found or [error], looked, count)


def listed(found: Sequence[DataError], looked: int, count: int) -> DataError:
    """One error that names them all, or the first ones, and says what can be done.

    Args:
        looked: how many pictures were looked at, of `count`.
    """
    broken = sum(isinstance(error, BrokenPicture) for error in found)
    lines = [str(error) for error in found[:SHOWN]]
    if len(found) > 1:
        kind = "broken" if broken == len(found) else "not sound" if broken else "of another size"
        lines.insert(0, f"{len(found):,} of {looked:,} pictures are {kind}:")
    if len(found) > SHOWN:
        lines.append(f"... and {len(found) - SHOWN:,} more")
    if looked < count:
        lines.append(f"{count - looked:,} pictures have not been looked at; `lenet data check CONFIG` looks at all")
    if broken:
        lines.append(f"data.broken=skip leaves {'it' if broken == 1 else 'them'} out")
    return DataError("\n".join(lines))
