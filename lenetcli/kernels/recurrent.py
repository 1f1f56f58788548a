"""Recurrent layers: the gates of one step for n sequences, and all steps of a GRU or LSTM (`walk`), with gradients.

What the input of a step and the state before it contribute comes in apart, and results go into arrays of the caller:

    gates (n, G) = x weight_ih' + bias_ih,  hidden (n, G) = h weight_hh' + bias_hh,  G = H, 3 H or 4 H for H units

A walk has rows T of all steps: step s has the sequences 0 to sizes[s], in rows from starts[s] on, in walking order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import matmul
from lenetcli.kernels.selection import larger


def _sigmoid(x: Array) -> None:
    """1 / (1 + exp(-x)), in place."""
    np.multiply(x, -1, out=x)  # np.negative of NumPy 2.4 reads neighbours where x has gaps and is its own result
    np.exp(x, out=x)
    x += 1
    np.divide(1, x, out=x)


def rnn_gates(gates: Array, hidden: Array, y: Array, relu: bool) -> None:
    """y = tanh(gates + hidden), or the larger of that sum and 0."""
    np.add(gates, hidden, out=y)
    if relu:
        larger(0, y, out=y)
    else:
        np.tanh(y, out=y)


def rnn_gates_backward(grad: Array, y: Array, d_gates: Array, relu: bool) -> None:
    """The gradient of y -> that of gates and hidden."""
    if relu:
        d_gates[...] = np.where(y <= 0, grad.dtype.type(0), grad)
    else:
        np.multiply(grad, 1 - y * y, out=d_gates)


def gru_gates(gates: Array, hidden: Array, before: Array, y: Array) -> None:
    """Gates become r, z, n; y = (1 - z) n + z before.

    r, z = sigmoid(gates + hidden), n = tanh(gates + r hidden)
    """
    units = before.shape[1]
    both = gates[:, : 2 * units]
    both += hidden[:, : 2 * units]
    _sigmoid(both)
    r, z, n = np.split(gates, 3, axis=1)
    n += r * hidden[:, 2 * units :]
    np.tanh(n, out=n)
    np.subtract(before, n, out=y)
    y *= z
    y += n


def gru_gates_backward(
    grad: Array, gates: Array, hidden: Array, before: Array, d_gates: Array, d_hidden: Array
) -> None:
    """The gradient of y -> those of gates and hidden; `grad` becomes what goes to `before` past them."""
    r, z, n = np.split(gates, 3, axis=1)
    d_r, d_z, d_n = np.split(d_gates, 3, axis=1)
    units = before.shape[1]
    d_n[...] = grad * (1 - z) * (1 - n * n)
    d_z[...] = grad * (before - n) * z * (1 - z)
    d_r[...] = d_n * hidden[:, 2 * units :] * r * (1 - r)
    d_hidden[:, : 2 * units] = d_gates[:, : 2 * units]
    d_hidden[:, 2 * units :] = d_n * r
    grad *= z


def lstm_gates(gates: Array, hidden: Array, before: Array, cell: Array, y: Array) -> None:
    """Gates become i, f, g, o; cell = f before + i g, y = o tanh(cell).

    i, f, o = sigmoid(gates + hidden), g = tanh(gates + hidden)
    """
    gates += hidden
    i, f, g, o = np.split(gates, 4, axis=1)
    _sigmoid(gates[:, : 2 * before.shape[1]])
    np.tanh(g, out=g)
    _sigmoid(o)
    np.multiply(f, before, out=cell)
    cell += i * g
    np.tanh(cell, out=y)
    y *= o


def lstm_gates_backward(grad: Array, d_cell: Array, gates: Array, before: Array, cell: Array, d_gates: Array) -> None:
    """The gradients of y and cell -> that of gates and hidden; `d_cell` becomes the gradient of `before`."""
    i, f, g, o = np.split(gates, 4, axis=1)
    d_i, d_f, d_g, d_o = np.split(d_gates, 4, axis=1)
    bent = np.tanh(cell)
    d_o[...] = grad * bent * o * (1 - o)
    d_cell += grad * o * (1 - bent * bent)
    d_i[...] = d_cell * g * i * (1 - i)
    d_f[...] = d_cell * before * f * (1 - f)
    d_g[...] = d_cell * i * (1 - g * g)
    d_cell *= f


def _rows(starts: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[slice, int]]:
    return ((slice(start, start + size), size) for start, size in zip(starts, sizes))


def gru_walk(
    gates: Array, hidden: Array, weight: Array, h: Array, before: Array, y: Array, starts: Sequence[int],
    sizes: Sequence[int],
) -> None:  # fmt: skip
    """All steps of a GRU.

    Args:
        gates: (T, 3 H), what inputs add; becomes r, z, n.
        hidden: (T, 3 H), holds the bias of states; becomes what states add.
        weight: (H, 3 H), of states.
        h: (N, H), the states; become the last ones.
        before, y: (T, H), each step's state and result.
    """
    for rows, n in _rows(starts, sizes):
        before[rows] = h[:n]
        hidden[rows] += matmul(before[rows], weight)
        gru_gates(gates[rows], hidden[rows], before[rows], y[rows])
        h[:n] = y[rows]


def gru_walk_backward(
    d_y: Array, gates: Array, hidden: Array, before: Array, weight: Array, d_h: Array, d_gates: Array, d_hidden: Array,
    starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """The gradients of gates and hidden, from that of y, which is used up, and of the last states in `d_h`.

    Args:
        weight: (3 H, H).
        d_h: becomes the gradient of the first states.
    """
    for rows, n in reversed(list(_rows(starts, sizes))):
        d_y[rows] += d_h[:n]
        gru_gates_backward(d_y[rows], gates[rows], hidden[rows], before[rows], d_gates[rows], d_hidden[rows])
        np.add(matmul(d_hidden[rows], weight), d_y[rows], out=d_h[:n])


def lstm_walk(
    gates: Array, weight: Array, down: Array | None, h: Array, c: Array, before: Array, cell_before: Array, cell: Array,
    out: Array, y: Array, starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """All steps of an LSTM.

    Args:
        gates: (T, 4 H), what inputs and biases add; becomes i, f, g, o.
        weight: (R, 4 H), of states.
        down: (H, R), of the projection; without, R is H and `out` is y.
        h, c: (N, R) and (N, H), the states; become the last ones.
        before, y: (T, R), each step's state and result.
        cell_before, cell, out: (T, H), its cell and what it shows.
    """
    for rows, n in _rows(starts, sizes):
        before[rows], cell_before[rows] = h[:n], c[:n]
        lstm_gates(gates[rows], matmul(before[rows], weight), cell_before[rows], cell[rows], out[rows])
        if down is not None:
            y[rows] = matmul(out[rows], down)
        h[:n], c[:n] = y[rows], cell[rows]


def lstm_walk_backward(
    d_y: Array, gates: Array, cell_before: Array, cell: Array, weight: Array, down: Array | None, d_h: Array,
    d_c: Array, d_gates: Array, starts: Sequence[int], sizes: Sequence[int],
) -> None:  # fmt: skip
    """The gradient of gates, from that of y and of the last states in `d_h` and `d_c`.

    Args:
        d_y: becomes the whole gradient of y, with what later steps add.
        weight, down: (4 H, R) and (R, H).
        d_h, d_c: become the gradients of the first states.
    """
    for rows, n in reversed(list(_rows(starts, sizes))):
        d_y[rows] += d_h[:n]
        d_out = d_y[rows] if down is None else matmul(d_y[rows], down)
        lstm_gates_backward(d_out, d_c[:n], gates[rows], cell_before[rows], cell[rows], d_gates[rows])
        d_h[:n] = matmul(d_gates[rows], weight)
