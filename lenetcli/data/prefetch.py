"""The next batches are made in the background while the model learns from this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from lenetcli.background import begun

T = TypeVar("T")

PATIENCE = 0.05  # seconds between looks at whether anybody still wants more
_END = object()


def prefetched(items: Iterator[T], ahead: int = 2, timeout: float = 0) -> Generator[T, None, None]:
    """The same items, in the same order, made by a thread that is up to `ahead` of them before its reader.

    An exception comes out where the item would have come. When the reader stops early (break, an exception, Ctrl-C),
    the thread ends with the item in its hands. Where no thread can begin, items are made when they are asked for.

    Raises:
        RuntimeError: an item is not there after `timeout` seconds (0: as long as it takes).

    Example:
        >>> list(prefetched(iter("abc")))
        ['a', 'b', 'c']
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    over = threading.Event()
    makers = begun(lambda: _fill(items, ready, over), name="lenet-prefetch")
    if not makers:
        yield from items
        return
    late = False
    try:
        while True:
            try:
                item, error = ready.get(timeout=timeout or None)
            except queue.Empty:
                late = True
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        over.set()
        if not late:
            makers[0].join()


def _fill(items: Iterator[Any], ready: queue.Queue[tuple[Any, BaseException | None]], over: threading.Event) -> None:
    """Puts the items into the queue until there are no more or nobody wants them."""
    try:
        for item in items:
            if not _put(ready, (item, None), over):
                return
        _put(ready, (_END, None), over)
    except BaseException as error:
        _put(ready, (None, error), over)


def _put(ready: queue.Queue[Any], entry: Any, over: threading.Event) -> bool:
    """Waits for room in the queue; False where nobody wants more."""
    while not over.is_set():
        try:
            ready.put(entry, timeout=PATIENCE)
        except queue.Full:
            continue
        return True
    return False
