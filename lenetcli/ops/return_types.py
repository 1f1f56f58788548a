"""Named results of ops that return several tensors, as torch.return_types."""

from __future__ import annotations

from collections import namedtuple
from typing import Any


def values_and_indices(name: str) -> Any:
    """A named tuple class (values, indices) that prints as torch's `torch.return_types.<name>`."""
    return _printing(name, namedtuple("Result", "values indices"))


def least_and_greatest(name: str) -> Any:
    """A named tuple class (min, max) that prints as torch's `torch.return_types.<name>`."""
    return _printing(name, namedtuple("Result", "min max"))


def sign_and_logarithm(name: str) -> Any:
    """A named tuple class (sign, logabsdet) that prints as torch's `torch.return_types.<name>`."""
    return _printing(name, namedtuple("Result", "sign logabsdet"))


def _printing(name: str, base: Any) -> Any:
    class Result(base):  # type: ignore[misc]  # a class that is known at run time only
        __slots__ = ()

        def __repr__(self) -> str:
            shown = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
            return f"torch.return_types.{name}(\n{shown})"

    Result.__name__ = Result.__qualname__ = name
    return Result
