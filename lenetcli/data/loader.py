"""Batches in an order that follows from seed and epoch alone, so that a run can be repeated or taken up anywhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import SAMPLES, SHUFFLE, Substream, drawing_from, stream
from lenetcli.data.dataset import gather, is_slow
from lenetcli.data.prefetch import prefetched
from lenetcli.kernels.layout import logical, stored
from lenetcli.tensors.tensor import from_numpy

Augment = Callable[[npt.NDArray[Any], npt.NDArray[np.int64], int, int], npt.NDArray[Any]]


class DataLoader:
    """Batches of a data set. Source: torch.utils.data.DataLoader, with a seed where torch has a generator.

    Args:
        dataset: has a length and gives samples by number.
        batch_size: samples in a batch; the last one may have fewer.
        shuffle: another order each epoch.
        drop_last: leave out a last, smaller batch.
        seed: with the epoch's number, decides the order, the augmentation, and what a data set of your own draws while
            it makes samples: of each batch the same, in the background or not.
        augment: changes the images of a batch, given the samples' numbers, seed and epoch (see Augmenter).
        prefetch: make the next batches in the background; None: where that pays, with augmentation or files to decode.
        part: (i, k) gives of each batch only part i of k parts, whose sizes differ by one at most; of a batch of fewer
            than k samples some parts are empty.

    Attributes:
        without: numbers of samples that their batches go without; these stay otherwise what they are, and may be empty.

    Raises:
        ValueError: `batch_size` is below 1.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import DataLoader, TensorDataset
        >>> [x.tolist() for (x,) in DataLoader(TensorDataset(lenet.arange(5)), batch_size=2)]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        prefetch: bool | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size!r}")
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle, self.drop_last, self.seed = shuffle, drop_last, seed
        self.augment, self.prefetch, self.part = augment, prefetch, part
        self.without: npt.NDArray[np.int64] | None = None
        self._epoch = 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """The sample numbers of an epoch, in the order they are seen."""
        count = len(self.dataset)
        if not self.shuffle:
            return np.arange(count, dtype=np.int64)
        return np.random.Generator(stream(self.seed, SHUFFLE, epoch)).permutation(count).astype(np.int64, copy=False)

    def batches(self, epoch: int, start: int = 0) -> Generator[tuple[Any, ...], None, None]:
        """The batches of an epoch as tensors, from batch number `start` on."""
        made = self._arrays(epoch, start)
        wanted = self.prefetch
        if wanted is None:
            wanted = self.augment is not None or is_slow(self.dataset)
        with closing(prefetched(made) if wanted else made) as arrays:  # the thread ends when the reader stops
            for parts in arrays:
                yield tuple(map(from_numpy, parts))

    def _arrays(self, epoch: int, start: int) -> Generator[tuple[npt.NDArray[Any], ...], None, None]:
        """The batches as arrays, images batch-last."""
        order, (i, k) = self.order(epoch), self.part
        lays = getattr(self.dataset, "lays", False)
        for number in range(start, len(self)):
            samples = order[number * self.batch_size : (number + 1) * self.batch_size]
            if k > 1:
                samples = samples[_start(len(samples), i, k) : _start(len(samples), i + 1, k)]
            if self.without is not None:
                samples = samples[~np.isin(samples, self.without)]
            with drawing_from(Substream(self.seed, SAMPLES, epoch, number)):
                first, *others = gather(self.dataset, samples)
                if self.augment is not None:
                    first = self.augment(first, samples, self.seed, epoch)
            if lays:
                yield first, *others
            else:
                yield tuple(logical(stored(part)) if part.ndim == 4 else part for part in (first, *others))

    def __iter__(self) -> Generator[tuple[Any, ...], None, None]:
        """One epoch; every pass over the loader is the next one."""
        epoch, self._epoch = self._epoch, self._epoch + 1
        return self.batches(epoch)


def _start(count: int, i: int, k: int) -> int:
    """Where part i of k begins; the first parts are the larger ones."""
    return -(-count * i // k)
