"""Who makes a batch: the workers of a loader, each with its own number, random numbers and iterator."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lenetcli.autograd.random import Generator, default_generator, drawing_from


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself.

    Args:
        id: its number, from 0.
        num_workers: how many there are.
        seed: of its random numbers.
        dataset: what it reads from; of an IterableDataset each worker has its own copy.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Here(threading.local):
    worker: WorkerInfo | None = None


_here = _Here()


def get_worker_info() -> WorkerInfo | None:
    """The worker that makes the current sample; None outside of one.

    Source: torch.utils.data.get_worker_info.

    Example:
        >>> from lenetcli.utils.data import get_worker_info
        >>> print(get_worker_info())
        None
    """
    return _here.worker


class Worker:
    """One of a loader's workers: its random numbers go on from batch to batch, its iterator from sample to sample.

    The engine's random numbers are its own while it works, from `seed`; those of Python's `random` and of NumPy's
    global state are the program's.
    """

    def __init__(self, info: WorkerInfo, begin: Callable[[int], None] | None, iterable: bool) -> None:
        if iterable:
            info = WorkerInfo(info.id, info.num_workers, info.seed, copy.copy(info.dataset))
        self.info = info
        self._generator: Generator = default_generator().fresh().manual_seed(info.seed)
        with self.at_work():
            if begin is not None:
                begin(info.id)
            self.samples: Iterator[Any] | None = iter(info.dataset) if iterable else None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block this thread is the worker."""
        before, _here.worker = _here.worker, self.info
        try:
            with drawing_from(self._generator):
                yield
        finally:
            _here.worker = before
