"""Flatten layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class Flatten(Module):
    """Joins dimensions into one: (N, C, H, W) -> (N, C H W) by default. Source: torch.nn.Flatten.

    Args:
        start_dim: first dimension that is joined.
        end_dim: last one.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Flatten()(lenet.ones(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    native_calls: ClassVar[bool] = True

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dimension into several: the inverse of Flatten. Source: torch.nn.Unflatten.

    Args:
        dim: the dimension.
        unflattened_size: its new sizes, of which one may be -1.

    Raises:
        TypeError: sizes that are no integers.
        RuntimeError: sizes that do not multiply to the size of the dimension.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Unflatten(1, (2, 3))(lenet.ones(4, 6)).shape
        torch.Size([4, 2, 3])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        is_sequence = isinstance(unflattened_size, (tuple, list))
        if not is_sequence or not all(isinstance(size, (int, np.integer)) for size in unflattened_size):
            raise TypeError(f"unflattened_size must be a tuple of integers, got {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
