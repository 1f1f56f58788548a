"""Recurrent layers in a configuration."""

from __future__ import annotations

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.model import build_model
from lenetcli.errors import ConfigError
from tests.conftest import ROOT

TEXT = """
model:
  input: [1, 7, 4]
  layers:
    - {type: Flatten, end_dim: 2}
%s
data: {type: Random, shape: [1, 7, 4], classes: 5}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 1}
"""
GRU = "{type: GRU, hidden_size: 3, batch_first: true}"
LAST, HEAD = "{type: Steps, at: -1}", "{type: Linear, out_features: 5}"


def load(*layers: str) -> configuration.Config:
    return configuration.load("own.yaml", (), TEXT % "\n".join(f"    - {layer}" for layer in layers))


def test_a_chain_takes_the_outputs_of_a_recurrent_layer() -> None:
    model, rows = build_model(load(GRU, "{type: Steps}", "{type: LSTM, hidden_size: 2, batch_first: true}", LAST, HEAD))
    assert [row.output for row in rows] == [(7, 4), (7, 3), (7, 3), (7, 2), (2,), (5,)]
    x = lenet.randn(2, 1, 7, 4)
    y, _ = model[3](model[1](x.flatten(1, 2))[0])
    np.testing.assert_array_equal(model(x).detach().numpy(), model[5](y[:, -1]).detach().numpy())


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((GRU, HEAD), "Linear takes one tensor\n"),
        ((GRU, HEAD), "put {type: Steps, at: -1} before it for the last step's output, or {type: Steps}"),
        ((GRU,), "GRU gives its outputs and a state, and the model takes one tensor"),
        (("{type: GRU, hidden_size: 3}", LAST), "GRU takes samples first in a configuration: batch_first must be true"),
        ((GRU, "{type: Steps, at: 7}"), "there is no step 7 in dimension 1"),
        (("{type: GRU, hidden_size: 100000000, batch_first: true}", LAST), "GRU is too large"),
        (("{type: RNN, hidden_size: 3, batch_first: true, nonlinearity: gelu}", LAST), "Select from 'tanh' or 'relu'"),
        (("{type: LSTM, hidden_size: 3, batch_first: true, proj_size: 3}", LAST), "has to be smaller than hidden_size"),
        (("{type: GRU, input_size: 5, hidden_size: 3, batch_first: true}", LAST), "Expected 5, got 4"),
        (("{type: GRUCell, hidden_size: 3}",), "a step's input and the state before it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_what_would(layers: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_model(load(*layers))
    assert said in str(refused.value)


def test_the_example_is_a_gru_over_rows() -> None:
    model, rows = build_model(configuration.load(ROOT / "configs" / "sequence.yaml"))
    assert [row.output for row in rows] == [(8, 8), (8, 64), (64,), (10,)]
    assert model.rows.input_size == 8
