"""The gates of recurrent layers: one step of each kind for n sequences, and its gradient.

What the input of a step and the state before it contribute comes in apart, and results go into arrays of the caller:

    gates (n, G) = x weight_ih' + bias_ih,  hidden (n, G) = h weight_hh' + bias_hh,  G = H, 3 H or 4 H for H units
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger


def _sigmoid(x: Array) -> None:
    """1 / (1 + exp(-x)), in place."""
    np.negative(x, out=x)
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
