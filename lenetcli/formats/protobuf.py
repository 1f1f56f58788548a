"""Messages of protocol buffers, field by field; nothing is copied, and no more fields are looked at than allowed.

The usual library takes some eighty times a file's size where the file consists of empty messages, and copies all
arrays. Here every field is counted before anything is kept of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import plain_text

Array = npt.NDArray[Any]

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # wire types
_CHUNK = 1 << 20  # bytes of packed numbers at a time
_SIZES = {EIGHT: 8, FOUR: 4}


class Damaged(Exception):
    """What is wrong with a message."""


class Message:
    """Fields of a message, and of the messages in it.

    Args:
        data: the message.
        budget: a list of one number, how many fields may still be read; shared with the messages within.
    """

    def __init__(self, data: memoryview, budget: list[int]) -> None:
        self.data, self.budget = data, budget

    def fields(self) -> Iterator[tuple[int, int, Any]]:
        """(number, wire type, value) of each field: integers, and views of the bytes for all else.

        Raises:
            Damaged: a field is cut, of an unknown type, or one too many.

        Example:
            >>> list(Message(memoryview(bytes([8, 150, 1, 18, 1, 65])), [9]).fields())[0]
            (1, 0, 150)
        """
        data, at, end = self.data, 0, len(self.data)
        while at < end:
            self.budget[0] -= 1
            if self.budget[0] < 0:
                raise Damaged("it has more fields than a graph of any net")
            key, at = varint(data, at)
            number, wire = key >> 3, key & 7
            if wire == VARINT:
                value, at = varint(data, at)
                yield number, wire, value
                continue
            if wire == BYTES:
                size, at = varint(data, at)
            elif wire in _SIZES:
                size = _SIZES[wire]
            else:
                raise Damaged(f"it is damaged: a field of wire type {wire}")
            if size > end - at:
                raise Damaged(f"it is damaged: a field of {size:,} bytes where {end - at:,} are left")
            yield number, wire, data[at : at + size]
            at += size

    def inner(self, data: memoryview) -> Message:
        """A message within this one."""
        return Message(data, self.budget)


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits, and the place behind it.

    Raises:
        Damaged: it is cut or longer.
    """
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, place + 1
        shift += 7
    raise Damaged("it is damaged: a number is cut")


def signed(value: int) -> int:
    """An int64, which is written as its two's complement."""
    return value - (1 << 64) if value >> 63 else value


def text(value: memoryview) -> str:
    """A string.

    Raises:
        Damaged: it is none of UTF-8.
    """
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise Damaged("it is damaged: a text is no UTF-8") from None


def name_of(value: memoryview) -> str:
    """A name, as messages and tables may show it.

    Raises:
        Damaged: as `text`.
    """
    return plain_text(text(value))


def integers(wire: int, value: Any) -> Array:
    """int64 numbers of a repeated field: one, or many packed together.

    Raises:
        Damaged: the last one is cut.

    Example:
        >>> integers(BYTES, memoryview(bytes([1, 150, 1, 3]))).tolist()
        [1, 150, 3]
    """
    if wire == VARINT:
        return np.array([signed(value)], np.int64)
    if wire != BYTES:
        raise Damaged(f"it is damaged: integers of wire type {wire}")
    packed = np.frombuffer(value, np.uint8)
    if packed.size and packed[-1] >= 128:
        raise Damaged("it is damaged: a number is cut")
    found, at = [], 0
    while at < packed.size:
        end = min(at + _CHUNK, packed.size)
        while packed[end - 1] >= 128:  # never cut a number, whose last byte is small
            end += 1
        found.append(_unpacked(packed[at:end]))
        at = end
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _unpacked(packed: Array) -> Array:
    ends = np.flatnonzero(packed < 128)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise Damaged("it is damaged: a number is longer than ten bytes")
    place = np.arange(packed.size) - np.repeat(starts, lengths)
    parts = (packed & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)


def numbers(wire: int, value: Any, kind: str) -> Array:
    """Floating-point numbers of a repeated field, without a copy.

    Args:
        kind: "<f4" or "<f8".

    Raises:
        Damaged: the last one is cut.
    """
    size = int(kind[-1])
    if wire not in (BYTES, EIGHT if size == 8 else FOUR) or len(value) % size:
        raise Damaged("it is damaged: a list of numbers is cut")
    return np.frombuffer(value, kind)
