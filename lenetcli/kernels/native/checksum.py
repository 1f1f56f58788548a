"""CRC-32 where the processor multiplies without carries (bind_checksum.cc)."""

from __future__ import annotations

from lenetcli.kernels import checksum as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["crc32"]

HERE = hasattr(_native, "crc32")


def crc32(data: Array, start: int = 0) -> int:
    """As lenetcli.kernels.checksum.crc32."""
    return int(_native.crc32(data, start)) if HERE else reference.crc32(data, start)
