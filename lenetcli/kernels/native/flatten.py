"""Images as rows: those that lie channels-last become batch-last, which the matrix product takes as they are."""

from __future__ import annotations

from lenetcli.kernels import flatten as reference
from lenetcli.kernels.layout import Array, is_channels_last, logical
from lenetcli.kernels.native.memory import stored

__all__ = ["flatten"]


def flatten(x: Array) -> Array:
    """As lenetcli.kernels.flatten.flatten."""
    return reference.flatten(logical(stored(x)) if is_channels_last(x) and x.size else x)
