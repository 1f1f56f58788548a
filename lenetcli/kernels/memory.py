"""Keeps freed memory in the process: glibc hands big blocks back, and every step would fault them in again."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # <malloc.h>


def keep_freed_memory(limit: int = 1 << 30) -> bool:
    """Raises glibc's thresholds so that blocks up to `limit` bytes are reused; False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # musl and others manage memory their own way
    return bool(
        mallopt(_M_MMAP_THRESHOLD, limit)
        and mallopt(_M_TRIM_THRESHOLD, min(2 * limit, 2**31 - 1))
        and mallopt(_M_TOP_PAD, 1 << 24)
    )
