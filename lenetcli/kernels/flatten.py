"""Images as rows of numbers, which Linear layers take."""

from __future__ import annotations

from lenetcli.kernels.layout import Array


def flatten(x: Array) -> Array:
    """x (N, ...) -> (N, M): a view where the memory allows, else a copy in any order."""
    return x if x.ndim == 2 else x.reshape(len(x), -1)
