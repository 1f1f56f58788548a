"""Native calls read arrays where they lie in memory: all kinds that Python hands over, and those that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.kernels import native

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


class Own(np.ndarray):
    """A subclass, which goes the long way."""


def test_arrays_of_every_layout_are_read_as_numpy_reads_them() -> None:
    from lenetcli.kernels.native import _native

    whole = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    read_only = whole.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"x" + whole.tobytes(), np.uint8)[1:].view(np.float32).reshape(whole.shape)
    for given in (
        whole,
        whole.transpose(3, 1, 0, 2),
        whole[::-1, :, ::2, ::-2],
        whole[:, :1],
        whole[:0],
        np.broadcast_to(whole[:1], whole.shape),
        read_only,
        unaligned,
        whole.view(Own),
        memoryview(whole),  # type: ignore[arg-type]  # it is a buffer
    ):
        wanted = np.ascontiguousarray(given)
        out = np.full(wanted.shape, -1, np.float32)
        _native.copy(given, out)
        assert np.array_equal(out, wanted)


def test_arrays_of_other_types_are_refused() -> None:
    from lenetcli.kernels.native import _native

    x, out = np.ones((1, 1, 2, 2), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    read_only = out.copy()
    read_only.flags.writeable = False
    for given, to in (
        (x.astype(np.float64), out),
        (x.astype(">f4"), out),
        (x.view(np.int32), out),
        (x[0], out),
        (x.tolist(), out),
        (None, out),
        (x, read_only),
        (x, np.zeros((2, 1, 1, 2), np.float32).transpose(1, 2, 0, 3)[:, :, :, ::-1]),
    ):
        with pytest.raises(TypeError):
            _native.copy(given, to)
    assert not out.any()
    assert not read_only.any()


def test_rules_change_arrays_in_any_dense_order_and_leave_the_others() -> None:
    from lenetcli.kernels.native import _native

    p = [np.ones((3, 4), np.float32), np.ones((4, 3), np.float32).T, np.ones((3, 8), np.float32)[:, ::2]]
    grads = [np.full_like(p[0], 2), np.full((4, 3), 2, np.float32).T, np.full((3, 4), 2, np.float32)]
    assert _native.sgd(p, grads, (False, 0.0, 1.0), (0.25, 0.0, 0.0, False), None) == [2]
    assert [a.mean() for a in p] == [0.5, 0.5, 1.0]
    assert _native.sgd([p[0].astype(np.float64)], grads[:1], (False, 0.0, 1.0), (0.25, 0.0, 0.0, False), None) == [0]
