"""torch.utils.data under our names: the same batches in the same order, the same words where something is wrong."""

from __future__ import annotations

import time
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.random import drawing_from
from lenetcli.autograd.torch_random import TorchGenerator
from lenetcli.utils import data

Pair = namedtuple("Pair", "x y")


class Numbered:
    """Samples of any kind, made by number."""

    def __init__(self, make: Callable[[int], Any], count: int = 7) -> None:
        self.make, self.count = make, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


def plain(value: Any) -> Any:
    """A batch as plain data, with its types."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(v) for v in value]
    return value


def orders(t: Any, d: Any) -> Any:
    """Orders and batches of a program that shuffles in every way, with draws of its own in between."""
    x = t.arange(23)
    whole = d.TensorDataset(x, x * 2)
    first, second = d.random_split(whole, [0.7, 0.3])
    third, fourth = d.random_split(range(5), [2, 3], generator=maker(t).manual_seed(3))
    yield list(third), list(fourth)
    yield list(d.RandomSampler(range(9), True, 77)), list(d.RandomSampler(range(5), num_samples=13))
    yield list(d.WeightedRandomSampler([0.1, 0.5, 0.2], 20)), list(d.WeightedRandomSampler([0.1, 0.5, 0.2], 2, False))
    yield list(d.SubsetRandomSampler([4, 6, 9, 11])), list(d.BatchSampler(d.RandomSampler(x), 4, True))
    for options in (
        {"batch_size": 4, "shuffle": True},
        {"batch_size": 4, "shuffle": True, "drop_last": True},
        {"shuffle": True, "generator": maker(t).manual_seed(11)},
        {"sampler": d.SubsetRandomSampler(range(5)), "batch_size": 2},
        {"batch_sampler": [[3, 1], [2]]},
        {"batch_size": None, "sampler": [3, 1]},
    ):
        loader = d.DataLoader(first, **options)
        yield len(loader)
        for _ in range(2):
            for batch in loader:
                yield plain(batch), t.rand(1).item()
    yield [plain(second[i]) for i in range(3)]


def maker(t: Any) -> Any:
    return TorchGenerator() if t is lenet else t.Generator()


def test_orders_are_torchs_after_the_same_seed(torch: Any) -> None:
    from torch.utils import data as theirs

    torch.manual_seed(5)
    with drawing_from(TorchGenerator().manual_seed(5)):
        ours = list(orders(lenet, data))
    expected = list(orders(torch, theirs))
    assert len(ours) == len(expected)
    for here, there in zip(ours, expected):
        assert here == there


class Drawing(data.Dataset):
    """Samples that are drawn, and the worker who drew them."""

    def __init__(self, t: Any, d: Any) -> None:
        self.t, self.d = t, d

    def __len__(self) -> int:
        return 9

    def __getitem__(self, i: int) -> Any:
        info = self.d.get_worker_info()
        return self.t.rand(2), info.id if info else -1, info.num_workers if info else 0


@pytest.mark.filterwarnings("ignore:This process")
def test_workers_draw_what_torchs_draw(torch: Any) -> None:
    from torch.utils import data as theirs

    def drawn(t: Any, d: Any) -> list[Any]:
        loader = d.DataLoader(Drawing(t, d), 2, num_workers=2, shuffle=True)
        return [plain(batch) for _ in range(2) for batch in loader]

    torch.manual_seed(5)
    with drawing_from(TorchGenerator().manual_seed(5)):
        ours = drawn(lenet, data)
    assert ours == drawn(torch, theirs)


SAMPLES: dict[str, Callable[[Any], Callable[[int], Any]]] = {
    "a tensor": lambda t: lambda i: t.full((2,), i),
    "a number": lambda t: lambda i: i,
    "a float": lambda t: lambda i: i / 2,
    "True or False": lambda t: lambda i: i > 3,
    "text": lambda t: str,
    "bytes": lambda t: lambda i: b"ab",
    "an array": lambda t: lambda i: np.full(3, i, np.float32),
    "a number of NumPy": lambda t: np.float32,
    "an array without dimensions": lambda t: lambda i: np.array(i),
    "a tuple": lambda t: lambda i: (t.ones(2), i),
    "a list": lambda t: lambda i: [t.ones(1, 2), i],
    "a named tuple": lambda t: lambda i: Pair(i, t.zeros(1)),
    "a dictionary": lambda t: lambda i: {"x": t.full((1,), i), "name": str(i)},
    "an ordered dictionary": lambda t: lambda i: OrderedDict(b=i, a=float(i)),
    "a nest": lambda t: lambda i: {"a": (i, [t.ones(2), {"b": np.ones((1, 2))}])},
    "an image": lambda t: lambda i: t.arange(12.0).reshape(1, 3, 4) + i,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_batches_have_torchs_structure_values_and_types(torch: Any, name: str) -> None:
    from torch.utils import data as theirs

    for batch_size in (3, None):
        ours = [plain(b) for b in data.DataLoader(Numbered(SAMPLES[name](lenet)), batch_size)]
        assert ours == [plain(b) for b in theirs.DataLoader(Numbered(SAMPLES[name](torch)), batch_size)]


class Stream(data.IterableDataset):
    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.end))

    def __len__(self) -> int:
        return self.end - self.start


def share(number: int) -> None:
    """Each worker takes its part, as torch's own page shows it."""
    info = data.get_worker_info()
    assert info is not None
    assert info.id == number
    each = -(-len(info.dataset) // info.num_workers)
    start = info.dataset.start
    info.dataset.start, info.dataset.end = start + number * each, min(start + (number + 1) * each, info.dataset.end)


def batches(loader: data.DataLoader) -> list[Any]:
    return [batch.tolist() for batch in loader]


def test_an_iterable_data_set_is_whole_here_and_shared_or_repeated_by_workers() -> None:
    stream = Stream(3, 8)
    assert batches(data.DataLoader(stream, 2)) == [[3, 4], [5, 6], [7]]
    assert batches(data.DataLoader(stream, 2, drop_last=True)) == [[3, 4], [5, 6]]
    assert list(data.DataLoader(stream, None)) == [3, 4, 5, 6, 7]
    assert batches(data.DataLoader(stream, 2, num_workers=2)) == [[3, 4], [3, 4], [5, 6], [5, 6], [7], [7]]
    loader = data.DataLoader(stream, 2, num_workers=2, worker_init_fn=share)
    assert batches(loader) == [[3, 4], [6, 7], [5]]
    assert batches(loader) == [[3, 4], [6, 7], [5]]  # the data set itself is as it was
    assert list(stream + Stream(0, 2)) == [3, 4, 5, 6, 7, 0, 1]
    assert len(stream + Stream(0, 2)) == 7
    assert (len(data.DataLoader(stream, 2)), len(data.DataLoader(stream, 2, drop_last=True))) == (3, 2)


def test_a_sampler_without_end_is_read_only_as_far_as_batches_are_wanted() -> None:
    class Endless(data.Sampler[list[int]]):
        def __iter__(self) -> Iterator[list[int]]:
            while True:
                yield [0, 1]

    for workers in (0, 2):
        loader = iter(data.DataLoader(range(2), batch_sampler=Endless(), num_workers=workers))
        assert next(loader).tolist() == next(loader).tolist() == [0, 1]
        loader.close()


def test_an_error_of_a_sample_comes_out_where_its_batch_would_have() -> None:
    def make(i: int) -> int:
        if i == 4:
            raise LookupError("sample 4")
        return i

    for workers in (0, 3):
        loader = iter(data.DataLoader(Numbered(make), 2, num_workers=workers))
        assert [next(loader).tolist(), next(loader).tolist()] == [[0, 1], [2, 3]]
        with pytest.raises(LookupError, match="sample 4"):
            next(loader)


def test_a_batch_that_comes_too_late_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.05 seconds"):
        next(iter(data.DataLoader(Numbered(lambda i: time.sleep(1)), num_workers=1, timeout=0.05)))


def test_persistent_workers_begin_once() -> None:
    begun: list[int] = []
    for persistent, times in ((True, 2), (False, 4)):
        begun.clear()
        loader = data.DataLoader(
            range(4), num_workers=2, worker_init_fn=begun.append, persistent_workers=persistent, prefetch_factor=1
        )
        assert batches(loader) == batches(loader) == [[0], [1], [2], [3]]
        assert len(begun) == times


def test_images_lie_batch_last() -> None:
    (batch,) = data.DataLoader(Numbered(lambda i: lenet.full((3, 4, 5), i), 2), 2)
    assert batch.shape == (2, 3, 4, 5)
    assert batch.array.strides[0] == batch.array.itemsize


def test_several_samples_at_once_where_the_data_set_can() -> None:
    class Several(Numbered):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [-i for i in indices]

    assert batches(data.DataLoader(Several(int), 4)) == [[0, -1, -2, -3], [-4, -5, -6]]
    assert batches(data.DataLoader(data.Subset(Several(int), [5, 2]), 2)) == [[-5, -2]]


MISTAKES: list[Callable[[Any, Any], Any]] = [
    lambda t, d: d.DataLoader([1], num_workers=-1),
    lambda t, d: d.DataLoader([1], timeout=-1),
    lambda t, d: d.DataLoader([1], prefetch_factor=2),
    lambda t, d: d.DataLoader([1], num_workers=1, prefetch_factor=-1),
    lambda t, d: d.DataLoader([1], persistent_workers=True),
    lambda t, d: d.DataLoader([1], sampler=[0], shuffle=True),
    lambda t, d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    lambda t, d: d.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    lambda t, d: d.DataLoader([1], batch_size=None, drop_last=True),
    lambda t, d: d.DataLoader([1], batch_size=0),
    lambda t, d: d.DataLoader([1], batch_size=2.5),
    lambda t, d: d.DataLoader(d.ChainDataset([]), shuffle=True),
    lambda t, d: d.DataLoader(d.ChainDataset([]), sampler=[0]),
    lambda t, d: d.DataLoader([], shuffle=True),
    lambda t, d: d.RandomSampler([1], replacement=1),
    lambda t, d: d.RandomSampler([1], num_samples=0),
    lambda t, d: d.WeightedRandomSampler([1.0], 0),
    lambda t, d: d.WeightedRandomSampler([1.0], 1, replacement=2),
    lambda t, d: d.WeightedRandomSampler([[1.0]], 1),
    lambda t, d: d.BatchSampler([1], 2, drop_last=0),
    lambda t, d: d.ConcatDataset([]),
    lambda t, d: d.ConcatDataset([d.ChainDataset([])]),
    lambda t, d: d.ConcatDataset([[1]])[-2],
    lambda t, d: list(d.ChainDataset([[1]])),
    lambda t, d: d.StackDataset(),
    lambda t, d: d.StackDataset([1], a=[1]),
    lambda t, d: d.random_split([1, 2], [1.0, -0.5, 0.5]),
    lambda t, d: d.Dataset()[0],
    lambda t, d: list(d.DataLoader([[1], [1, 2]], 2)),
    lambda t, d: list(d.DataLoader([object()])),
    lambda t, d: list(d.DataLoader([np.array("text")])),
    lambda t, d: d.random_split([1, 2], [1, 2]),
    lambda t, d: d.TensorDataset(t.ones(1), t.ones(2)),
    lambda t, d: d.StackDataset([1], [1, 2]),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_told_as_torch_tells_them(torch: Any, number: int) -> None:
    from torch.utils import data as theirs

    messages = []
    for t, d in ((lenet, data), (torch, theirs)):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # its type is compared below
            MISTAKES[number](t, d)
        messages.append((type(caught.value), str(caught.value).split(" object at")[0].split(".ChainDataset")[-1]))
    (kind, said), (expected_kind, expected) = messages
    assert kind is expected_kind
    assert said.replace(" ", "").startswith(expected.replace(" ", ""))
