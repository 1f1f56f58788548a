"""Warnings that one thread does not show; `warnings.catch_warnings` changes what all threads of a process show."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class _Listener:
    """Takes the place of a filter's pattern: matches every text of one thread, while it is open."""

    def __init__(self) -> None:
        self.thread, self.heard, self.open = threading.get_ident(), list[str](), True

    def match(self, text: str) -> bool:
        if not self.open or threading.get_ident() != self.thread:
            return False
        self.heard.append(text)
        return True


@contextmanager
def silence() -> Iterator[list[str]]:
    """Within the block, this thread's warnings are put into the list that it gives instead of being shown.

    Example:
        >>> import warnings
        >>> with silence() as heard:
        ...     warnings.warn("nobody sees this", stacklevel=1)
        >>> heard
        ['nobody sees this']
    """
    listener = _Listener()
    filters: list[Any] = warnings.filters  # type: ignore[assignment]  # a list, whose entries may match as they like
    entry = ("ignore", listener, Warning, None, 0)
    filters.insert(0, entry)
    try:
        yield listener.heard
    finally:
        listener.open = False  # another thread's catch_warnings may have kept or taken away the entry
        with suppress(ValueError):
            filters.remove(entry)
