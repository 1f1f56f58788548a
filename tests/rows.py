"""Which rows of ops were done as one (`ops.fusion`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lenetcli.ops.fusion import PATTERNS


@contextmanager
def rows_done() -> Iterator[list[str]]:
    """Names of the patterns whose forward is run inside the block, in order."""
    done: list[str] = []
    patterns: set[type[Any]] = {pattern for pattern in PATTERNS.values() if "forward" in vars(pattern)}
    before = {pattern: vars(pattern)["forward"] for pattern in patterns}

    def noting(pattern: type[Any], forward: Any) -> Any:
        def run(first: Any, last: Any) -> Any:
            done.append(pattern.__name__)
            return forward(first, last)

        return staticmethod(run)

    try:
        for pattern in patterns:
            pattern.forward = noting(pattern, pattern.forward)
        yield done
    finally:
        for pattern, forward in before.items():
            pattern.forward = forward
