"""Named results of ops that return values with their indices, as torch.return_types."""

from __future__ import annotations

from collections import namedtuple
from typing import Any


def values_and_indices(name: str) -> Any:
    """A named tuple class (values, indices) that prints as torch's `torch.return_types.<name>`."""

    class Result(namedtuple("Result", "values indices")):
        __slots__ = ()

        def __repr__(self) -> str:
            return f"torch.return_types.{name}(\nvalues={self[0]!r},\nindices={self[1]!r})"

    Result.__name__ = Result.__qualname__ = name
    return Result
