"""Damage to the bytes of a file: what disks, networks and people who mean harm do to it."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lenetcli.errors import LenetError

_EXTREME = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def mutations(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Versions of the content with one to three kinds of damage each, the same for the same seed."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(content)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            draw.choice(_DAMAGE)(data, draw)
        yield bytes(data)


def _place(data: bytearray, draw: random.Random) -> int:
    """Somewhere; at the beginning or the end, where the headers are, more often than elsewhere."""
    near = min(len(data), 200)
    return draw.choice((draw.randrange(len(data) + 1), draw.randrange(near + 1), len(data) - draw.randrange(near + 1)))


def _flip(data: bytearray, draw: random.Random) -> None:
    if data:
        data[_place(data, draw) % len(data)] ^= 1 << draw.randrange(8)


def _overwrite(data: bytearray, draw: random.Random) -> None:
    at, size = _place(data, draw), draw.choice((1, 2, 4, 8))
    data[at : at + size] = (draw.choice(_EXTREME) % 256**size).to_bytes(size, draw.choice(("big", "little")))


def _cut(data: bytearray, draw: random.Random) -> None:
    at = _place(data, draw)
    del data[at : at + draw.choice((1, 2, 10, 1000))]


def _truncate(data: bytearray, draw: random.Random) -> None:
    del data[_place(data, draw) :]


def _insert(data: bytearray, draw: random.Random) -> None:
    at = _place(data, draw)
    data[at:at] = draw.choice(
        (b"\x00", b"\xff" * 9, b"[" * 2000, b"{" * 2000, b"9" * 5000, b"-", b"NaN", b"\n", b'"', b",1")
    )


def _repeat(data: bytearray, draw: random.Random) -> None:
    at = _place(data, draw)
    data[at:at] = data[max(0, at - 50) : at]


def _digit(data: bytearray, draw: random.Random) -> None:
    """Another digit, where there is one: text formats stay readable and say something else."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if places:
        data[draw.choice(places)] = draw.randrange(48, 58)


_DAMAGE = (_flip, _overwrite, _cut, _truncate, _insert, _repeat, _digit)


def survives(path: Path, content: bytes, read: Callable[[], Any], code: int = 3) -> bool:
    """Reads a file of this content; whether it was taken. Anything but a clean refusal is an error.

    Args:
        code: the exit code that refusals have.
    """
    path.write_bytes(content)
    began, refusal = time.process_time(), None
    try:
        read()
    except LenetError as error:
        refusal = error
    assert time.process_time() - began < 5
    assert refusal is None or refusal.exit_code == code, f"{type(refusal).__name__}: {refusal}"
    assert len(str(refusal)) < 2000
    return refusal is None


def largest_memory() -> int:
    """Most bytes that this process has held at a time; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
