"""Holding back a share of a data set, and taking some samples for all of it, of each class alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import EVALUATION, HOLDOUT, stream
from lenetcli.data.dataset import Subset


def hold_back(dataset: Any, targets: npt.NDArray[Any], share: float, seed: int = 0) -> tuple[Subset, Subset]:
    """Splits a data set in two: what stays, and a share of it, drawn at random; both keep the order of the samples.

    Args:
        dataset: the samples.
        targets: one for each sample. Where they are class numbers (N,), each class gives the same share, as near as
            whole samples allow, and a class of two samples or more keeps one.
        share: of all samples, above 0 and below 1; at least one sample is held back and one stays.
        seed: decides which.

    Raises:
        ValueError: fewer than two samples.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data import Digits
        >>> digits = Digits().train
        >>> stay, held = hold_back(digits, digits.targets, 0.1)
        >>> len(stay), len(held)
        (1298, 144)
        >>> np.bincount(digits.targets[held.indices]).tolist()
        [14, 15, 14, 15, 15, 15, 14, 14, 14, 14]
    """
    count = len(targets)
    if count < 2:
        raise ValueError(f"a data set of {count} samples cannot be split")
    order, sizes = _by_class(targets, seed, HOLDOUT)
    held = _first_of_each(order, sizes, _shares(sizes, share))
    return Subset(dataset, np.flatnonzero(~held).tolist()), Subset(dataset, np.flatnonzero(held).tolist())


def fifth_of_each(classes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where every fifth sample of each class is: the test split of a data set that comes as one."""
    chosen = np.zeros(len(classes), bool)
    for label in np.unique(classes):
        chosen[np.flatnonzero(classes == label)[4::5]] = True
    return chosen


def fair_sample(dataset: Any, count: int, seed: int = 0) -> Subset:
    """Some samples that stand for all: of each class the same share, as near as whole samples allow, drawn at random
    once and for all; in the order of the samples.

    Args:
        dataset: with `targets`, or a Subset of such a data set; without, samples are drawn of all alike.
        count: how many, from 1 to all.
        seed: decides which.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data import Digits
        >>> digits = Digits().test
        >>> np.bincount(digits.targets[fair_sample(digits, 50).indices]).tolist()
        [5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    """
    order, sizes = _by_class(_targets(dataset), seed, EVALUATION)
    exact = sizes * (count / len(dataset))
    taken = np.floor(exact).astype(np.int64)
    taken[np.argsort(taken - exact, kind="stable")[: count - int(taken.sum())]] += 1  # the largest remainders
    return Subset(dataset, np.flatnonzero(_first_of_each(order, sizes, taken)).tolist())


def _targets(dataset: Any) -> npt.NDArray[Any]:
    if isinstance(dataset, Subset):
        return _targets(dataset.dataset)[dataset.indices]
    found = getattr(dataset, "targets", None)
    return found if isinstance(found, np.ndarray) else np.zeros((len(dataset), 1))


def _by_class(targets: npt.NDArray[Any], seed: int, number: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Sample numbers class by class, each in random order, and the sizes of the classes."""
    count = len(targets)
    is_class = targets.ndim == 1 and targets.dtype.kind in "iu"
    kinds = targets if is_class else np.zeros(count, np.int64)
    order = np.random.Generator(stream(seed, number)).permutation(count)
    return order[np.argsort(kinds[order], kind="stable")], np.unique(kinds, return_counts=True)[1]


def _first_of_each(
    order: npt.NDArray[Any], sizes: npt.NDArray[np.int64], taken: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Marks so many of each class, the first in this order."""
    chosen = np.zeros(len(order), bool)
    for start, number in zip(np.cumsum(sizes) - sizes, taken):
        chosen[order[start : start + number]] = True
    return chosen


def _shares(sizes: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.int64]:
    """Whole numbers near `share` of each size that add up to `share` of the sum; the largest remainders round up."""
    exact = sizes * share
    taken = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    missing = max(1, round(float(sizes.sum()) * share)) - int(taken.sum())
    free = taken < sizes - 1
    first = np.argsort(np.where(free, taken - exact, np.inf), kind="stable")[: min(missing, int(free.sum()))]
    taken[first] += 1
    if taken.sum() == 0:  # no class has two samples
        taken[0] = 1
    return taken
