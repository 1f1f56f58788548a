"""Recurrent layers as ONNX's operators, which order the gates in another way than torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.export.arrangement import reshaped
from lenetcli.export.graph import Array, Builder, Value, lowers
from lenetcli.ops.nn.lstm import Gru, Lstm, Rnn


@lowers(Rnn, any_batch=True)
def rnn(
    b: Builder,
    x: Value,
    h0: Value | None,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Value | None,
    bias_hh: Value | None,
    reverse: bool,
    nonlinearity: str,
) -> Any:
    weights = _weights(b, (weight_ih, weight_hh, bias_ih, bias_hh), (0,))
    return _walk(b, "RNN", x, weights, (h0,), reverse, activations=(nonlinearity.capitalize(),))


@lowers(Gru, any_batch=True)
def gru(
    b: Builder,
    x: Value,
    h0: Value | None,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Value | None,
    bias_hh: Value | None,
    reverse: bool,
) -> Any:
    weights = _weights(b, (weight_ih, weight_hh, bias_ih, bias_hh), (1, 0, 2))  # r, z, n -> z, r, n
    return _walk(b, "GRU", x, weights, (h0,), reverse, linear_before_reset=1)


@lowers(Lstm, any_batch=True)
def lstm(
    b: Builder,
    x: Value,
    h0: Value | None,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Value | None,
    bias_hh: Value | None,
    c0: Value | None,
    weight_hr: Value | None,
    reverse: bool,
) -> Any:
    if weight_hr is not None:
        raise b.refusal("ONNX's LSTM has no projection (proj_size)")
    weights = _weights(b, (weight_ih, weight_hh, bias_ih, bias_hh), (0, 3, 1, 2))  # i, f, g, o -> i, o, f, g
    return _walk(b, "LSTM", x, weights, (h0, c0), reverse)


def _weights(b: Builder, given: Sequence[Value | None], order: tuple[int, ...]) -> list[Array | None]:
    """The weights, and both biases in a row, gates in ONNX's order; each has a first size of 1, a direction."""
    found: list[Array] = []
    for value in given:
        if value is not None and value.array is None:
            raise b.refusal("its weights are computed from the input")
        if value is not None and value.array is not None:
            b.check_type(value)
            parts = np.split(value.array, len(order))
            found.append(np.concatenate([parts[i] for i in order]))
    weights, biases = found[:2], found[2:]
    return [w[None] for w in weights] + [np.concatenate(biases)[None] if biases else None]


def _walk(
    b: Builder,
    op: str,
    x: Value,
    weights: Sequence[Array | None],
    states: Sequence[Value | None],
    reverse: bool,
    **attributes: Any,
) -> Any:
    """The node, without its dimension of directions."""
    if x.ndim != 3:
        raise b.refusal("its input is packed: sequences of different lengths")
    hidden = b.results[1].shape[-1]
    first = [None if h is None else reshaped(b, h, (1, *h.shape)) for h in states]
    direction = "reverse" if reverse else "forward"
    made = b.add(
        op,
        x,
        *weights,
        None,
        *first,
        outputs=len(b.results),
        hidden_size=int(hidden),
        direction=direction,
        **attributes,
    )
    steps, *rest = b.results[0].shape
    output = reshaped(b, made[0], b.results[0].shape, (steps, 1, *rest))
    ends = [reshaped(b, name, value.shape, (1, *value.shape)) for name, value in zip(made[1:], b.results[1:])]
    return (output, *ends)
