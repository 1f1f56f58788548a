"""Which class was taken for which, counted: only the pairs that occur are kept, so that classes may be many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import LenetError

DENSE = 1_000  # classes; the matrix of more is written down as its entries
LARGEST = 1 << 28  # numbers of a matrix that is made on demand: 2 GiB
PENDING = 1 << 16  # samples that wait to be counted in

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Confusion:
    """How often a class was taken for another, or found: a matrix without its zeros.

    Args:
        classes: how many there are.
        true, predicted: numbers of the classes of each pair that occurs, in order; each pair once.
        count: of the samples of each pair.

    Example:
        >>> found = Confusion.of([[3, 1], [0, 2]])
        >>> found.true.tolist(), found.predicted.tolist(), found.count.tolist()
        ([0, 0, 1], [0, 1, 1], [3, 1, 2])
    """

    classes: int
    true: Counts
    predicted: Counts
    count: Counts

    @classmethod
    def of(cls, matrix: Any) -> Confusion:
        """The same of a matrix [true class, predicted class]."""
        dense = np.asarray(matrix, np.int64)
        true, predicted = np.nonzero(dense)
        return cls(len(dense), true, predicted, dense[true, predicted])

    @property
    def right(self) -> Counts:
        """Of each class, how many of its samples were found."""
        hits = self.true == self.predicted
        return self._summed(self.true[hits], self.count[hits])

    @property
    def actual(self) -> Counts:
        """Of each class, how many samples there are."""
        return self._summed(self.true, self.count)

    @property
    def taken(self) -> Counts:
        """Of each class, how many samples were taken for it."""
        return self._summed(self.predicted, self.count)

    def _summed(self, classes: Counts, count: Counts) -> Counts:
        return np.bincount(classes, count, self.classes).astype(np.int64)

    @property
    def mistaken(self) -> list[tuple[int, int, int]]:
        """True class, predicted class and how often that happened, most often first; only where they are not one."""
        wrong = self.true != self.predicted
        true, predicted, count = self.true[wrong], self.predicted[wrong], self.count[wrong]
        order = np.lexsort((predicted, true, -count))
        return list(zip(true[order].tolist(), predicted[order].tolist(), count[order].tolist()))

    def matrix(self) -> Counts:
        """[true class, predicted class], zeros and all.

        Raises:
            LenetError: it would be too large to be of use.
        """
        if self.classes**2 > LARGEST:
            raise LenetError(
                f"a confusion matrix of {self.classes:,} classes has {self.classes**2:,} numbers, nearly all 0; "
                "`evaluation.counts` has the others: true, predicted, count"
            )
        dense = np.zeros((self.classes, self.classes), np.int64)
        dense[self.true, self.predicted] = self.count
        return dense

    def record(self) -> list[list[int]] | dict[str, Any]:
        """As `--json` shows it: the rows of the matrix or, of more than DENSE classes, its entries that are not 0.

        Example:
            >>> Confusion.of([[3, 1], [0, 2]]).record()
            [[3, 1], [0, 2]]
        """
        if self.classes <= DENSE:
            rows: list[list[int]] = self.matrix().tolist()
            return rows
        entries = np.stack([self.true, self.predicted, self.count], axis=1).tolist()
        return {"classes": self.classes, "entries": entries}


class ConfusionTally:
    """Counts pairs of classes, batch by batch, in memory that grows with the pairs that occur.

    Args:
        classes: how many there are; more where a sample says so.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._waiting: list[Counts] = []
        self._samples = 0

    def add(self, actual: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> None:
        """Takes the true and the predicted class of each sample."""
        self.classes = max(self.classes, *(int(found.max(initial=-1)) + 1 for found in (actual, predicted)))
        self._waiting.append(actual.astype(np.int64) << 32 | predicted.astype(np.int64))
        self._samples += len(actual)
        if self._samples >= PENDING:
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([self._keys, *self._waiting])
        counts = np.concatenate([self._counts, np.ones(len(keys) - len(self._keys), np.int64)])
        self._keys, places = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(places, counts, len(self._keys)).astype(np.int64)
        self._waiting, self._samples = [], 0

    @property
    def confusion(self) -> Confusion:
        """What has been counted so far."""
        self._merge()
        return Confusion(self.classes, self._keys >> 32, self._keys & 0xFFFFFFFF, self._counts)
