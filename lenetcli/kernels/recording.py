"""Native calls that are made once, kept, and made again by one call: where each finds its arrays.

    with Notes() as notes:              # every native call of this thread is noted, and made
        y = work(x)
        notes.mark()                    # what comes before can be played alone: the forward pass
        d_x = work_backwards(dy)
    plan = Plan(notes, [x, weight, dy], [y, d_x])
    plan.play(0, plan.blocks([0, 3]), [x, y])  # the first part, with x and y where these arrays are

The calls know addresses only. A block of memory is what their arrays overlap in. Blocks are inputs (parameters among
them), results that a caller may keep, or scratch memory, of which the plan has as much as is needed at once.

What NumPy does between the calls is not seen. A block that is read before any call has written it, and that nobody has
named, is such work: `Unknown`. NumPy's changes in place stay unseen, so whoever makes a plan compares its results with
those of the same work on other numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from lenetcli.kernels.device import address
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import absent

LINE = 128  # bytes, see native/memory.py
LATE = ("track",)  # changes of what outlives a step: made when all else of their part has gone well


class Unknown(Exception):
    """Work that is not all native calls; the message says which call shows it."""


class _Thread(threading.local):
    notes = False


_thread = _Thread()


def unchanged(array: Array) -> Array:
    """A copy, for work that has to find it as it is now; itself where calls are noted, as nobody comes between them."""
    return array if _thread.notes else array.copy()


class Notes:
    """The native calls of a `with` block."""

    def __init__(self) -> None:
        if absent is not None:
            raise Unknown(absent)
        from lenetcli.kernels.native import _native, memory

        self._memory, self._native = memory, _native
        self.recording: Any = _native.Recording()
        self.parts = [0]
        self.constants: list[Array] = []  # what the calls read that never changes

    def __enter__(self) -> Notes:
        self._memory.constants, _thread.notes = self.constants, True
        self.recording.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.parts.append(len(self.recording.names()))
        self.recording.end()
        self._memory.constants, _thread.notes = [], False

    def mark(self) -> None:
        """Ends a part that can be played alone."""
        self.parts.append(len(self.recording.names()))

    def require_finite(self, array: Array) -> None:
        """Lets plays end here where numbers are not finite, before `LATE` calls of this part.

        Raises:
            Unknown: they lie in no order of their own.
        """
        flat = array.reshape(-1, order="A")
        if address(flat) != address(array):
            raise Unknown("a gradient lies in no order of its own")
        self._native.is_finite(flat)

    def size(self) -> int:
        """Bytes that the calls so far have touched."""
        return sum(block.high - block.low for block in _blocks(self.recording.places()))


class Block:
    """Memory from `low` to `high`, which calls `first` to `last` touch; `read` before one of them has written it."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high, self.places, self.read = low, high, list[int](), False
        self.first, self.last, self.offset = 1 << 60, -1, -1


class Plan:
    """Calls to be made again. Arrays are named by their number, inputs first, then results.

    Args:
        notes: the calls.
        inputs: arrays that the calls find filled; `move` and `play` put them elsewhere.
        results: arrays that they fill for the caller; every play has to put them elsewhere.

    Raises:
        Unknown: NumPy has a part in the work.

    Attributes:
        size: bytes of scratch memory.
    """

    def __init__(self, notes: Notes, inputs: Sequence[Array], results: Sequence[Array]) -> None:
        self.recording, self.parts = notes.recording, list(zip(notes.parts, notes.parts[1:]))
        names, places = self.recording.names(), self.recording.places()
        order: list[int] = []
        for part in self.parts:
            order += sorted(range(*part), key=lambda i: names[i] in LATE)
        blocks = _blocks(places)
        position = {number: at for at, number in enumerate(order)}
        for block in blocks:
            calls = [position[places[i][0]] for i in block.places]
            block.first, block.last = min(calls), max(calls)
            block.read = not any(places[i][3] for i, call in zip(block.places, calls) if call == block.first)
        given = [_block_of(array, blocks) for array in inputs]
        made = [_block_of(array, blocks) for array in results]
        self.constants = notes.constants
        known = {block for block in (*given, *(_block_of(array, blocks) for array in self.constants)) if block}
        for block in sorted(blocks, key=attrgetter("first")):
            if block.read and block not in known:
                raise Unknown(f"{names[order[block.first]]} reads what NumPy has made")
        for array, found in zip(results, made):
            if found is None or found.read or found.high - found.low != array.nbytes:
                raise Unknown("NumPy makes a result")
        named = [(array, block) for array, block in zip((*inputs, *results), (*given, *made)) if block is not None]
        if len({block for _, block in named}) != len(named) or any(b.low != address(a) for a, b in named):
            raise Unknown("some of its arrays share memory")
        known.update(block for _, block in named)
        self.size = _place([block for block in blocks if block not in known])
        self.recording.arrange(order)
        self.recording.tie([block.places for block in blocks])
        self.numbers = [-1 if block is None else blocks.index(block) for block in (*given, *made)]
        self.memory = np.empty(self.size + LINE, np.uint8)
        start = address(self.memory)
        start += -start % LINE
        for number, block in enumerate(blocks):
            if block not in known:
                self.recording.put(number, start + block.offset)

    def move(self, number: int, array: Array) -> None:
        """Puts a named array elsewhere."""
        if self.numbers[number] >= 0:
            self.recording.put(self.numbers[number], address(array))

    def blocks(self, numbers: Sequence[int]) -> list[int]:
        """What `play` takes for these arrays.

        Raises:
            Unknown: no call touches one of them.
        """
        found = [self.numbers[n] for n in numbers]
        if -1 in found:
            raise Unknown("its output does not depend on its input")
        return found

    def play(self, part: int, blocks: list[int], arrays: list[Array]) -> bool:
        """Makes the calls of a part with arrays in the place of blocks; False where a kernel leaves it to NumPy.

        Parts are played in order: a later one writes where an earlier one has put what it handed on.
        """
        done: bool = self.recording.play(*self.parts[part], blocks, arrays)
        return done


def _blocks(places: Sequence[tuple[int, int, int, bool]]) -> list[Block]:
    """What the places of calls overlap in."""
    blocks: list[Block] = []
    for number, (_, low, high, _) in sorted(enumerate(places), key=lambda entry: entry[1][1]):
        if not blocks or low >= blocks[-1].high:
            blocks.append(Block(low, high))
        blocks[-1].high = max(blocks[-1].high, high)
        blocks[-1].places.append(number)
    return blocks


def _block_of(array: Array, blocks: Sequence[Block]) -> Block | None:
    """The block that an array is in; None where no call touches it."""
    at = address(array)
    for block in blocks:
        if block.low <= at < block.high:
            return block
    return None


def _place(blocks: Sequence[Block]) -> int:
    """Finds places for blocks, so that those that are needed at the same time do not overlap; gives the size of all."""
    placed: list[Block] = []
    for block in sorted(blocks, key=lambda block: (block.low - block.high, block.first)):
        offset = 0
        for other in sorted(placed, key=attrgetter("offset")):
            if other.last < block.first or other.first > block.last:
                continue
            if offset + (block.high - block.low) <= other.offset:
                break
            offset = max(offset, other.offset + (other.high - other.low + LINE - 1) // LINE * LINE)
        block.offset = offset
        placed.append(block)
    return max((block.offset + block.high - block.low for block in placed), default=0)
