"""Work in other threads than the program's, where the system lets any begin: the one place that begins them.

It may not: there is a limit to processes or memory, or the platform has no threads. Then the work is done in the
program's own thread, with the same results.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def begun(work: Callable[[], object], count: int = 1, name: str = "lenet") -> list[threading.Thread]:
    """Up to `count` threads that do the work; fewer, or none, where the system has no more to give.

    Example:
        >>> for thread in begun(lambda: print("done")):
        ...     thread.join()
        done
    """
    threads: list[threading.Thread] = []
    for _ in range(count):
        thread = threading.Thread(target=work, name=name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # "can't start new thread"
            break
        threads.append(thread)
    return threads


def mapped(function: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """The function's result for each item, in order, computed by up to `most` threads, the calling one among them.

    Raises:
        Exception: what the function raised for the first item for which it did; those after it may be left out.

    Example:
        >>> mapped(abs, [-1, 2, -3], 8)
        [1, 2, 3]
    """
    left = deque(range(len(items)))
    found: dict[int, R] = {}
    failed: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                at = left.popleft()
            except IndexError:
                return
            try:
                found[at] = function(items[at])
            except BaseException as error:
                failed[at] = error
                left.clear()

    threads = begun(work, min(most, len(items)) - 1)
    work()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[min(failed)]
    return [found[at] for at in range(len(items))]
