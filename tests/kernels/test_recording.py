"""Native calls, noted and made again: in other memory, in parts, with their scratch memory planned."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lenetcli.kernels import native
from lenetcli.kernels.device import address
from lenetcli.kernels.layout import Array
from lenetcli.kernels.recording import Notes, Plan, Unknown

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def relus(count: int, size: int = 4096) -> tuple[Notes, Array, list[Array]]:
    """A chain of relus, its input and its results; a result is not known to the next but by memory."""
    from lenetcli.kernels.native import _native

    arrays = [numbers(size), *(np.empty(size, np.float32) for _ in range(count))]
    notes = Notes()
    with notes:
        for x, y in pairwise(arrays):
            _native.relu(x, y)
    return notes, arrays[0], arrays[1:]


def test_calls_are_made_again_with_other_arrays() -> None:
    notes, x, results = relus(3)
    plan = Plan(notes, [x], results[-1:])
    other, made = numbers(4096, seed=1), np.zeros(4096, np.float32)
    assert plan.play(0, plan.blocks([0, 1]), [other, made])
    np.testing.assert_array_equal(made, np.maximum(other, 0))


def test_arrays_that_are_not_needed_together_share_their_place() -> None:
    notes, x, results = relus(9)
    assert Plan(notes, [x], results[-1:]).size == 2 * x.nbytes  # of eight, two at a time


def test_a_recording_is_played_in_parts() -> None:
    from lenetcli.kernels.native import _native

    x, kept, passing, last = numbers(4096), *(np.empty(4096, np.float32) for _ in range(3))
    notes = Notes()
    with notes:
        _native.relu(x, kept)
        notes.mark()
        _native.times(kept, kept, passing)
        _native.relu(passing, last)
    plan = Plan(notes, [x], [last])
    other, made = numbers(4096, seed=1), np.empty_like(x)
    assert plan.play(0, plan.blocks([0]), [other])
    assert plan.play(1, plan.blocks([1]), [made])
    np.testing.assert_array_equal(made, np.maximum(other, 0) ** 2)


def test_work_of_numpy_is_found() -> None:
    from lenetcli.kernels.native import _native

    x, y, z = numbers(4096), np.empty(4096, np.float32), np.empty(4096, np.float32)
    notes = Notes()
    with notes:
        _native.relu(x, y)
        _native.relu(y + 1, z)
    with pytest.raises(Unknown, match="relu reads what NumPy has made"):
        Plan(notes, [x], [z])


@pytest.mark.parametrize("result", [np.zeros(4096, np.float32), None])
def test_a_result_that_no_call_makes_whole_is_refused(result: Array | None) -> None:
    notes, x, results = relus(2)
    with pytest.raises(Unknown, match="NumPy makes a result"):
        Plan(notes, [x], [results[-1][:5] if result is None else result])


def test_two_results_in_one_place_are_refused() -> None:
    notes, x, results = relus(2)
    with pytest.raises(Unknown, match="share memory"):
        Plan(notes, [x], [results[-1], results[-1]])


def test_an_array_at_no_address_of_its_type_is_left_to_the_tape() -> None:
    notes, x, results = relus(1)
    plan = Plan(notes, [x], results)
    crooked = np.frombuffer(bytes(4 * 4096 + 1), np.uint8)[1:].view(np.float32)
    assert address(crooked) % 4
    assert not plan.play(0, plan.blocks([0, 1]), [crooked, np.empty_like(x)])


def test_calls_outside_and_in_other_threads_are_not_noted() -> None:
    from threading import Thread

    from lenetcli.kernels.native import _native

    x, y = numbers(4096), np.empty(4096, np.float32)
    notes = Notes()
    with notes:
        other = Thread(target=_native.relu, args=(x, y))
        other.start()
        other.join()
    _native.relu(x, y)
    assert notes.recording.names() == []


def test_a_failed_recording_ends() -> None:
    from lenetcli.kernels.native import _native

    notes = Notes()
    with pytest.raises(ZeroDivisionError), notes:
        raise ZeroDivisionError
    assert not _native.recording()


def test_a_recording_refuses_what_it_does_not_have() -> None:
    notes, x, results = relus(2)
    plan = Plan(notes, [x], results[-1:])
    for first, last, blocks, arrays in [(0, 9, [], []), (0, 1, [99], [x]), (0, 1, [0], [])]:
        with pytest.raises((ValueError, IndexError)):
            plan.recording.play(first, last, blocks, arrays)
    with pytest.raises((TypeError, RuntimeError)):
        plan.recording.play(0, 1, [0], ["no array"])
