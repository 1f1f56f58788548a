"""Batches on their way to a device: while the model learns from one, the next is copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lenetcli.kernels.device import Uploads
from lenetcli.tensors.tensor import of_array


def moved(batches: Iterable[tuple[Any, ...]], device: str) -> Iterator[tuple[Any, ...]]:
    """The batches as they are for "cpu"; else on the GPU, each copied by a stream of its own, one batch ahead."""
    if device == "cpu":
        yield from batches
        return
    uploads, ahead = Uploads(), None
    for batch in batches:
        sent = uploads.send([tensor.array for tensor in batch])
        if ahead is not None:
            yield tuple(map(of_array, ahead.arrive()))
        ahead = sent
    if ahead is not None:
        yield tuple(map(of_array, ahead.arrive()))
