"""Whether a divergence came in with the data: the batch is looked at before the learning rate is blamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import SAMPLES, Substream, drawing_from
from lenetcli.data.dataset import gather, is_slow, origin_of
from lenetcli.data.finite import not_finite, sample, worst
from lenetcli.errors import DataError
from lenetcli.train.run import Run

Array = npt.NDArray[Any]

HUGE = 1e6  # no picture that is scaled or normalised has such values
SHOWN = 5  # samples that a message names
_TOGETHER = 1024


def of_step(run: Run, ago: int = 0) -> str:
    """What is wrong with the batches of the coming step, or of one some steps ago; empty where nothing is.

    An earlier batch may have done it: where that takes no decoding of files, all of the training data are looked at.
    """
    p, loader = run.progress, run.train_loader
    epoch, first = p.epoch, p.batch - ago * run.accumulate
    if first < 0:  # the epoch has ended meanwhile
        epoch, first = epoch - 1, first + run.batches
    if epoch < 0 or first < 0:
        return ""
    order = loader.order(epoch)
    numbers = order[first * loader.batch_size : (first + run.accumulate) * loader.batch_size]
    with drawing_from(Substream(loader.seed, SAMPLES, epoch, first)):
        said = _said(loader.dataset, [numbers], "train")
    return said or ("" if is_slow(loader.dataset) else of_split(loader.dataset, "train", loader.seed))


def of_split(dataset: Any, split: str, seed: int) -> str:
    """What is wrong with a whole split; empty where nothing is."""
    blocks = (np.arange(i, min(i + _TOGETHER, len(dataset))) for i in range(0, len(dataset), _TOGETHER))
    with drawing_from(Substream(seed, SAMPLES, 0, 0)):
        return _said(dataset, blocks, split)


def _said(dataset: Any, blocks: Iterable[npt.NDArray[np.int64]], split: str) -> str:
    try:
        bad = [text for numbers in blocks for text in _bad(dataset, numbers, split)]
    except (DataError, IndexError, TypeError, ValueError):  # a data set of the user's own that gives it no second time
        return ""
    more = f" and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
    return f"{'; '.join(bad[:SHOWN])}{more}" if bad else ""


def _bad(dataset: Any, numbers: npt.NDArray[np.int64], split: str) -> Iterator[str]:
    """Of each sample that is not fit to train on, what it is called and what it holds."""

    def name(row: int) -> str:
        index = int(numbers[row])
        return sample(split, index, lambda index: origin_of(dataset, index))

    for end, array in zip(("", " in its target"), gather(dataset, numbers)):
        rows = not_finite(array)
        for row in rows:
            yield f"{name(int(row))} holds {worst(array[row])}{end}"
        if not len(rows) and array.dtype.kind == "f" and array.size:
            sizes = np.abs(array).reshape(len(array), -1).max(axis=1)
            for row in np.flatnonzero(sizes > HUGE):
                yield f"{name(int(row))} holds values up to {sizes[row]:.3g}{end}"
