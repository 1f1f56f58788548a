"""The gates of recurrent layers (recurrent.h, bind_recurrent.cc)."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import recurrent as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["gru_gates", "gru_gates_backward", "lstm_gates", "lstm_gates_backward"]

FLOAT = np.dtype(np.float32)


def _takes(*arrays: Array) -> bool:
    for a in arrays:
        if a.dtype is not FLOAT or not a.flags.carray:
            return False
    return arrays[0].size > 0


def gru_gates(gates: Array, hidden: Array, before: Array, y: Array) -> None:
    """As lenetcli.kernels.recurrent.gru_gates."""
    take = _native.gru_gates if _takes(gates, hidden, before, y) else reference.gru_gates
    take(gates, hidden, before, y)


def gru_gates_backward(
    grad: Array, gates: Array, hidden: Array, before: Array, d_gates: Array, d_hidden: Array
) -> None:
    """As lenetcli.kernels.recurrent.gru_gates_backward."""
    arrays = grad, gates, hidden, before, d_gates, d_hidden
    take = _native.gru_gates_backward if _takes(*arrays) else reference.gru_gates_backward
    take(*arrays)


def lstm_gates(gates: Array, hidden: Array, before: Array, cell: Array, y: Array) -> None:
    """As lenetcli.kernels.recurrent.lstm_gates."""
    take = _native.lstm_gates if _takes(gates, hidden, before, cell, y) else reference.lstm_gates
    take(gates, hidden, before, cell, y)


def lstm_gates_backward(grad: Array, d_cell: Array, gates: Array, before: Array, cell: Array, d_gates: Array) -> None:
    """As lenetcli.kernels.recurrent.lstm_gates_backward."""
    arrays = grad, d_cell, gates, before, cell, d_gates
    take = _native.lstm_gates_backward if _takes(*arrays) else reference.lstm_gates_backward
    take(*arrays)
