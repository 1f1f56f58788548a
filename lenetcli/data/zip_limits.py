"""Small files that would unpack to fill the memory."""

from __future__ import annotations

from pathlib import Path

from lenetcli.errors import DataError

_HARMLESS = 1 << 26  # bytes that any machine has
_MOST = 200  # times; pictures shrink to a half or a tenth, a bomb to a thousandth


def check_unpacked(path: Path, unpacked: int, packed: int) -> None:
    """Refuses to unpack a file that would grow out of all proportion.

    Args:
        unpacked: bytes that it states to have when unpacked.
        packed: bytes that it has.

    Raises:
        DataError: it is a bomb.
    """
    if unpacked > _HARMLESS and unpacked > _MOST * packed:
        raise DataError(f"{path}: {packed:,} bytes would unpack to {unpacked:,}: refused, no images shrink that much")
