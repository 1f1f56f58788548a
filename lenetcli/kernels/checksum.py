"""CRC-32, the checksum of zip and PNG."""

from __future__ import annotations

import zlib

from lenetcli.kernels.layout import Array


def crc32(data: Array, start: int = 0) -> int:
    """The checksum of bytes, as zlib has it.

    Args:
        data: uint8, one dimension, without gaps.
        start: checksum of what comes before them.

    Example:
        >>> import numpy as np
        >>> crc32(np.frombuffer(b"lenet", np.uint8)) == zlib.crc32(b"lenet")
        True
    """
    return zlib.crc32(data.data, start)
