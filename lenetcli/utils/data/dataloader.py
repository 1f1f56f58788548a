"""torch's DataLoader: samples in an order, made into batches, here or ahead in the background."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from queue import SimpleQueue
from typing import Any

from lenetcli.autograd import random as numbers
from lenetcli.data.prefetch import prefetched
from lenetcli.tensors.tensor import of_array
from lenetcli.utils.data.collate import default_collate, default_convert
from lenetcli.utils.data.dataset import IterableDataset, TensorDataset
from lenetcli.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, drawn_seed
from lenetcli.utils.data.worker import Worker, WorkerInfo


class DataLoader:
    """Batches of a data set. Source: torch.utils.data.DataLoader.

    Args:
        dataset: has a length and gives samples by number, or is an IterableDataset.
        batch_size: samples in a batch; None gives single samples, without a first dimension.
        shuffle: another order each epoch: that of `RandomSampler`.
        sampler: an iterable of sample numbers, in place of `shuffle`.
        batch_sampler: an iterable of lists of them, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: 0 makes each batch when it is asked for. With more, one thread makes up to
            `num_workers * prefetch_factor` batches ahead. Batch i is made as torch's worker i modulo `num_workers`:
            with that worker's random numbers, `get_worker_info()` and, of an IterableDataset, copy. Between two
            processes nothing is sent; what a data set changes in itself stays changed.
        collate_fn: what makes a batch of a list of samples; `default_collate`, or `default_convert` with
            `batch_size=None`, unless given.
        pin_memory: accepted: batches are where the samples are, and `to` copies from there.
        drop_last: leave out a last, smaller batch.
        timeout: seconds to wait for a batch of the background; 0: as long as it takes.
        worker_init_fn: called with each worker's number before it begins.
        multiprocessing_context: accepted: the workers are no processes.
        generator: gives the order and the workers' seeds; None means the default one.
        prefetch_factor: batches ahead for each worker; 2 unless given.
        persistent_workers: the workers, with what they know, serve the next epoch, too.
        pin_memory_device: accepted, as `pin_memory`.
        in_order: accepted: batches come in order.

    Raises:
        ValueError, TypeError: arguments that exclude each other or are out of range, in torch's words.
        RuntimeError: no batch came within `timeout`.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.utils.data import DataLoader, TensorDataset
        >>> loader = DataLoader(TensorDataset(lenet.arange(5), lenet.arange(5) * 2), batch_size=2)
        >>> [(x.tolist(), y.tolist()) for x, y in loader]
        [([0, 1], [0, 2]), ([2, 3], [4, 6]), ([4], [8])]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: numbers.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            if self._iterable:
                BatchSampler((), batch_size, drop_last)  # for its refusals
            else:
                assert sampler is not None
                batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = prefetch_factor if prefetch_factor is not None else 2 if num_workers else None
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.persistent_workers, self.multiprocessing_context = persistent_workers, multiprocessing_context
        self._batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self._workers: list[Worker] = []

    def __len__(self) -> int:
        if not self._iterable:
            return len(self.batch_sampler if self._batched else self.sampler)  # type: ignore[arg-type]
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        full, rest = divmod(count, self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Any]:
        """One epoch. The seed of the workers is drawn at once, that of the order with the first batch, as in torch."""
        seed = drawn_seed(self.generator)
        if not self.num_workers:
            return self._made_here()
        return self._made_ahead(seed)

    def _made_here(self) -> Generator[Any, None, None]:
        if self._iterable:
            samples = iter(self.dataset)
            while (batch := self._next_of(samples)) is not None:
                yield batch[0]
        else:
            for wanted in self.batch_sampler if self._batched else self.sampler:  # type: ignore[union-attr]
                yield self._fetched(self.dataset, wanted)

    def _made_ahead(self, seed: int) -> Generator[Any, None, None]:
        workers = self._hired(seed)
        ahead = max(1, self.num_workers * (self.prefetch_factor or 0))
        if self._iterable:
            with closing(prefetched(self._by_turns(workers), ahead, self.timeout)) as batches:
                yield from batches
            return
        order = iter(self.batch_sampler if self._batched else self.sampler)  # type: ignore[arg-type]
        asked: SimpleQueue[tuple[Any] | None] = SimpleQueue()  # the order is drawn here, batches are made there
        for wanted in islice(order, ahead):
            asked.put((wanted,))
        made = prefetched(self._in_order(workers, asked), ahead, self.timeout)
        try:
            for batch in made:
                asked.put(next(((wanted,) for wanted in order), None))
                yield batch
        finally:
            asked.put(None)  # before the thread that waits for it is
            made.close()

    def _hired(self, seed: int) -> list[Worker]:
        if self._workers and not self._iterable:
            return self._workers
        infos = (WorkerInfo(i, self.num_workers, seed + i, self.dataset) for i in range(self.num_workers))
        workers = [Worker(info, self.worker_init_fn, self._iterable) for info in infos]
        if self.persistent_workers:
            self._workers = workers
        return workers

    def _in_order(self, workers: list[Worker], asked: SimpleQueue[tuple[Any] | None]) -> Iterator[Any]:
        """Batch i by worker i modulo their number."""
        for i, (wanted,) in enumerate(iter(asked.get, None)):
            worker = workers[i % len(workers)]
            with worker.at_work():
                batch = self._fetched(worker.info.dataset, wanted)
            yield batch

    def _by_turns(self, workers: list[Worker]) -> Iterator[Any]:
        """A batch of each worker's own samples in turn, as long as it has any."""
        while workers:
            for worker in list(workers):
                assert worker.samples is not None
                with worker.at_work():
                    batch = self._next_of(worker.samples)
                if batch is None:
                    workers.remove(worker)
                else:
                    yield batch[0]

    def _fetched(self, dataset: Any, wanted: Any) -> Any:
        if not self._batched:
            return self.collate_fn(dataset[wanted])
        if type(dataset) is TensorDataset and self.collate_fn is default_collate:
            rows = list(wanted)
            return [of_array(t.array[rows]) if not t.requires_grad else t[rows] for t in dataset.tensors]
        several = getattr(dataset, "__getitems__", None)
        samples = several(wanted) if callable(several) else [dataset[i] for i in wanted]
        return self.collate_fn(samples)

    def _next_of(self, samples: Iterator[Any]) -> tuple[Any] | None:
        """The next batch of an iterator, in a tuple; None where there is none."""
        if self.batch_size is None:
            return next(((self.collate_fn(sample),) for sample in samples), None)
        found = list(islice(samples, self.batch_size))
        if not found or (self.drop_last and len(found) < self.batch_size):
            return None
        return (self.collate_fn(found),)
