"""Data sets under torch's names: something with samples by number, or something that gives them one after another."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from lenetcli.autograd.random import Generator
from lenetcli.data import dataset as arrays
from lenetcli.tensors.sampling import randperm
from lenetcli.tensors.tensor import Tensor

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """Base of data sets with samples by number: a subclass has `__getitem__(index)` and, for most uses, `__len__`.

    One that can make several samples at once may have `__getitems__(indices)`, which gives a list of them.

    Raises:
        NotImplementedError: a sample is asked of a class without `__getitem__`.

    Source: torch.utils.data.Dataset.

    Example:
        >>> from lenetcli.utils.data import Dataset
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, i):
        ...         return i * i
        >>> [Squares()[i] for i in range(3)], len(Squares() + Squares())
        ([0, 1, 4], 6)
    """

    def __getitem__(self, index: Any) -> Sample:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """Base of data sets that give their samples one after another: a subclass has `__iter__`.

    With several workers each has a copy of it, whose `__iter__` may ask `get_worker_info()` for its share.

    Source: torch.utils.data.IterableDataset.

    Example:
        >>> from lenetcli.utils.data import DataLoader, IterableDataset
        >>> class Count(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(3))
        >>> [batch.tolist() for batch in DataLoader(Count(), batch_size=2)]
        [[0, 1], [2]]
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]  # as in torch
        return ChainDataset([self, other])


class TensorDataset(arrays.TensorDataset, Dataset[Any]):
    """Tensors of equal length, side by side: sample i is row i of each.

    Raises:
        AssertionError: their lengths differ.

    Source: torch.utils.data.TensorDataset.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.utils.data import TensorDataset
        >>> TensorDataset(lenet.ones(3, 2), lenet.arange(3))[1]
        (tensor([1., 1.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if any(len(tensors[0]) != len(t) for t in tensors):
            raise AssertionError(f"Size mismatch between tensors: lengths {[len(t) for t in tensors]}")
        self.tensors = tensors


class StackDataset(Dataset[Any]):
    """Several data sets side by side: sample i is the tuple, or the dictionary, of their samples i.

    Raises:
        ValueError: none, both kinds of arguments, or lengths that differ.

    Source: torch.utils.data.StackDataset.

    Example:
        >>> from lenetcli.utils.data import StackDataset
        >>> StackDataset(image=[7, 8], label="ab")[1]
        {'image': 8, 'label': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or ``dict``- (via ``kwargs``) like input/output, "
                "but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets: Any = args or kwargs
        parts = args or tuple(kwargs.values())
        self._length = len(parts[0])
        if any(len(part) != self._length for part in parts):
            raise ValueError(f"Size mismatch between datasets: lengths {[len(part) for part in parts]}")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: part[index] for name, part in self.datasets.items()}
        return tuple(part[index] for part in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """Data sets one after the other.

    Raises:
        AssertionError: none, or one without numbered samples.

    Source: torch.utils.data.ConcatDataset.

    Example:
        >>> from lenetcli.utils.data import ConcatDataset
        >>> joined = ConcatDataset(["ab", "cde"])
        >>> len(joined), joined[2], joined[-1]
        (5, 'c', 'e')
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(part, IterableDataset) for part in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(part) for part in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        part = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]


class ChainDataset(IterableDataset[Any]):
    """Data sets without numbers, one after the other.

    Source: torch.utils.data.ChainDataset.

    Example:
        >>> from lenetcli.utils.data import ChainDataset, IterableDataset
        >>> class Count(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(2))
        >>> list(ChainDataset([Count(), Count()]))
        [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for part in self._parts():
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts())

    def _parts(self) -> Iterator[Any]:
        for part in self.datasets:
            if not isinstance(part, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield part


class Subset(Dataset[Sample]):
    """Some samples of a data set, by number.

    Source: torch.utils.data.Subset.

    Example:
        >>> from lenetcli.utils.data import Subset
        >>> list(Subset("abcd", [2, 0]))
        ['c', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        own = [self.indices[i] for i in indices]
        several = getattr(self.dataset, "__getitems__", None)
        return several(own) if callable(several) else [self.dataset[i] for i in own]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Splits a data set at random into parts that do not overlap.

    Args:
        lengths: counts, or shares that add up to 1 (each is rounded down, and what is left goes one by one to the
            first ones).
        generator: None means the default one. The order is `randperm(len(dataset), generator=generator)`.

    Raises:
        ValueError: the lengths do not add up to the whole, or a share is not between 0 and 1.

    Source: torch.utils.data.random_split.

    Example:
        >>> from lenetcli.utils.data import random_split
        >>> [len(part) for part in random_split(range(10), [0.7, 0.3])]
        [7, 3]
    """
    count, counts = len(dataset), list(lengths)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, share in enumerate(lengths):
            if not 0 <= share <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
        counts = [math.floor(count * share) for share in lengths]
        for i in range(count - sum(int(n) for n in counts)):
            counts[i % len(counts)] += 1
        for i, n in enumerate(counts):
            if n == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2
                )
    if sum(counts) != count:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset! {counts} sum to {sum(counts)}, "
            f"the dataset has {count}"
        )
    order = randperm(count, generator=generator).tolist()
    ends = itertools.accumulate(int(n) for n in counts)
    return [Subset(dataset, order[end - int(n) : end]) for n, end in zip(counts, ends)]
