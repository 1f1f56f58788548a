"""Rows that are made when first asked for, and kept where all of them fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MOST = 1 << 30  # bytes that one data set may keep


class Kept:
    """What stands for an array of images (N, C, H, W) that would cost much to make all at once: decoded, or resized.

    Args:
        make: gives the rows of some numbers.
        shape: of the whole.
        dtype: of what `make` gives.
        most: bytes; a larger whole is not kept, each row is then made anew each time.

    Example:
        >>> import numpy as np
        >>> rows = Kept(lambda at: at[:, None] ** 2, (5, 1), np.dtype(np.int64))
        >>> rows[np.array([3, 1])].ravel().tolist(), rows.complete
        ([9, 1], False)
    """

    encoded: Callable[[int], bytes] | None = None  # a row as its file has it, by number

    def __init__(
        self, make: Callable[[npt.NDArray[np.int64]], Array], shape: tuple[int, ...], dtype: Any, most: int = MOST
    ) -> None:
        self.make, self.shape, self.dtype = make, shape, np.dtype(dtype)
        fits = int(np.prod(shape, dtype=np.float64)) * self.dtype.itemsize <= most
        self._rows = np.empty(shape, self.dtype) if fits else None
        self._there = np.zeros(shape[0], np.bool_)
        self.complete = False

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Any) -> Array:
        """Rows by numbers, by a slice, or one by its number."""
        if isinstance(at, (int, np.integer)):
            return self[np.array([at])][0]
        numbers = np.arange(len(self))[at]
        if self._rows is None:
            return self.make(numbers)
        if not self.complete:
            missing = numbers[~self._there[numbers]]
            if len(missing):
                self._rows[missing] = self.make(missing)
                self._there[missing] = True
                self.complete = bool(self._there.all())
        return self._rows[numbers]

    def has(self, number: int) -> bool:
        """Whether a row is kept already."""
        return self._rows is not None and bool(self._there[number])

    def put(self, number: int, row: Array) -> None:
        """Keeps a row that has been made elsewhere, where there is room; rows may come from several threads."""
        if self._rows is not None and not self.complete:
            self._rows[number] = row
            self._there[number] = True

    def select(self, numbers: npt.NDArray[np.int64]) -> None:
        """Keeps only the rows of these numbers, which must rise; `make` is asked for them by their new ones."""
        self.shape = (len(numbers), *self.shape[1:])
        if self._rows is not None:
            for to, at in enumerate(numbers):  # in place: a second array would take as much memory again
                if to != at:
                    self._rows[to] = self._rows[at]
            self._rows = self._rows[: len(numbers)]
        self._there = self._there[numbers]
        self.complete = self._rows is not None and bool(self._there.all())
