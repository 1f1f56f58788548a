"""torch.Size: the shape of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any


class Size(tuple[int, ...]):
    """A shape: a tuple of integers that prints as torch's does.

    Source: torch.Size.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 3).shape, lenet.zeros(2, 3).shape.numel()
        (torch.Size([2, 3]), 6)
    """

    def __new__(cls, sizes: Iterable[Any] = ()) -> Size:
        found = tuple(sizes)
        for i, size in enumerate(found):
            if not hasattr(size, "__index__"):
                raise TypeError(f"Size() takes an iterable of 'int' (item {i} is {type(size).__name__!r})")
        return tuple.__new__(cls, map(index, found))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, at: Any) -> Any:
        found = tuple.__getitem__(self, at)
        return Size(found) if isinstance(at, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return Size(tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count: Any) -> Any:
        return Size(tuple.__mul__(self, index(count))) if hasattr(count, "__index__") else NotImplemented

    __rmul__ = __mul__

    def numel(self) -> int:
        """The number of elements: the product of the sizes."""
        count = 1
        for size in self:
            count *= size
        return count
