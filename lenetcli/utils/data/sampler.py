"""The order in which samples are seen: iterables of sample numbers, or of lists of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from lenetcli.autograd.random import Generator
from lenetcli.tensors.creation import as_tensor, empty
from lenetcli.tensors.sampling import multinomial, randint, randperm

Number = TypeVar("Number", covariant=True)

_AT_ONCE = 32  # numbers that RandomSampler draws with replacement at a time, as torch does


def drawn_seed(generator: Generator | None = None) -> int:
    """A seed for another generator, drawn as torch draws one: `random_()` of one int64."""
    from lenetcli.autograd.dtypes import int64

    return int(empty((), dtype=int64).random_(generator=generator).item())


class Sampler(Generic[Number]):
    """Base of samplers: a subclass has `__iter__`, which gives sample numbers, and, for most uses, `__len__`.

    Source: torch.utils.data.Sampler.

    Example:
        >>> from lenetcli.utils.data import DataLoader, Sampler
        >>> class Backwards(Sampler):
        ...     def __iter__(self):
        ...         return iter([2, 1, 0])
        >>> [batch.item() for batch in DataLoader(range(3), sampler=Backwards())]
        [2, 1, 0]
    """

    def __iter__(self) -> Iterator[Number]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class SequentialSampler(Sampler[int]):
    """The samples in their own order. Source: torch.utils.data.SequentialSampler.

    Example:
        >>> from lenetcli.utils.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The samples in random order.

    Args:
        data_source: has a length.
        replacement: a sample may come again before all have come.
        num_samples: how many; unless given, as many as there are.
        generator: unless given, each pass over the sampler seeds one with a number of the default generator.

    Raises:
        TypeError: `replacement` is no bool.
        ValueError: `num_samples` is no positive integer.

    Source: torch.utils.data.RandomSampler; the order is that of `randperm`, drawn as torch draws it.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.utils.data import RandomSampler
        >>> sorted(RandomSampler("abcd", num_samples=4, generator=lenet.Generator().manual_seed(1)))
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        _positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many samples a pass gives; follows the data set's length unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, wanted = len(self.data_source), self.num_samples
        generator = self.generator
        if generator is None:
            seed = drawn_seed()
            generator = _like_the_default().manual_seed(seed)
        if self.replacement:
            for start in range(0, wanted + 1, _AT_ONCE):
                size = min(_AT_ONCE, wanted - start)
                yield from randint(count, (size,), generator=generator).tolist()
        else:
            for _ in range(wanted // count):
                yield from randperm(count, generator=generator).tolist()
            yield from randperm(count, generator=generator).tolist()[: wanted % count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Some samples, by number, in random order. Source: torch.utils.data.SubsetRandomSampler.

    Example:
        >>> from lenetcli.utils.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([5, 3, 9]))
        [3, 5, 9]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Sample i with a chance in proportion to `weights[i]`.

    Args:
        weights: one number a sample, not negative; their sum need not be 1.
        num_samples: how many are drawn.
        replacement: a sample may come again.
        generator: None means the default one.

    Raises:
        ValueError: `num_samples` is no positive integer, `replacement` no bool, `weights` has not one dimension.

    Source: torch.utils.data.WeightedRandomSampler.

    Example:
        >>> from lenetcli.utils.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], 4))
        [1, 1, 1, 1]
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        _positive("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        from lenetcli.autograd.dtypes import float64

        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        return iter(multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` numbers of another sampler.

    Args:
        sampler: gives the numbers.
        batch_size: how many make a batch.
        drop_last: leave out a last, smaller batch.

    Raises:
        ValueError: `batch_size` is no positive integer, `drop_last` no bool.

    Source: torch.utils.data.BatchSampler.

    Example:
        >>> from lenetcli.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), 2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(itertools.islice(numbers, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]  # where it has one
        return full + (1 if rest and not self.drop_last else 0)


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _like_the_default() -> Generator:
    """A new generator of the kind that draws where none is named."""
    from lenetcli.autograd.random import default_generator

    return default_generator().fresh()
