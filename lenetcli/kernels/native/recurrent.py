"""All steps of recurrent layers (recurrent.h, bind_recurrent.cc)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import recurrent as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["gru_walk", "gru_walk_backward", "lstm_walk", "lstm_walk_backward"]

FLOAT = np.dtype(np.float32)


def _takes(weights: Sequence[Array | None], *arrays: Array) -> bool:
    for a in arrays:
        if a.dtype is not FLOAT or not a.flags.carray:
            return False
    for w in weights:
        if w is not None and (w.dtype is not FLOAT or not w.flags.aligned or not w.size):
            return False
    return arrays[0].size > 0


def gru_walk(
    gates: Array, hidden: Array, weight: Array, h: Array, before: Array, y: Array, starts: Sequence[int],
    sizes: Sequence[int],
) -> None:  # fmt: skip
    """As lenetcli.kernels.recurrent.gru_walk."""
    take = _native.gru_walk if _takes((weight,), gates, hidden, h, before, y) else reference.gru_walk
    take(gates, hidden, weight, h, before, y, starts, sizes)


def gru_walk_backward(
    d_y: Array, gates: Array, hidden: Array, before: Array, weight: Array, d_h: Array, d_gates: Array, d_hidden: Array,
    starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """As lenetcli.kernels.recurrent.gru_walk_backward."""
    fits = _takes((weight,), d_y, gates, hidden, before, d_h, d_gates, d_hidden)
    take = _native.gru_walk_backward if fits else reference.gru_walk_backward
    take(d_y, gates, hidden, before, weight, d_h, d_gates, d_hidden, starts, sizes)


def lstm_walk(
    gates: Array, weight: Array, down: Array | None, h: Array, c: Array, before: Array, cell_before: Array, cell: Array,
    out: Array, y: Array, starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """As lenetcli.kernels.recurrent.lstm_walk."""
    fits = _takes((weight, down), gates, h, c, before, cell_before, cell, out, y)
    take = _native.lstm_walk if fits else reference.lstm_walk
    take(gates, weight, down, h, c, before, cell_before, cell, out, y, starts, sizes)


def lstm_walk_backward(
    d_y: Array, gates: Array, cell_before: Array, cell: Array, weight: Array, down: Array | None, d_h: Array,
    d_c: Array, d_gates: Array, starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """As lenetcli.kernels.recurrent.lstm_walk_backward."""
    fits = _takes((weight, down), d_y, gates, cell_before, cell, d_h, d_c, d_gates)
    take = _native.lstm_walk_backward if fits else reference.lstm_walk_backward
    take(d_y, gates, cell_before, cell, weight, down, d_h, d_c, d_gates, starts, sizes)
