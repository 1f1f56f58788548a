"""Attention in a configuration."""

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
    - {type: Flatten, name: rows, end_dim: 2}
%s
data: {type: Random, shape: [1, 7, 4], classes: 5}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 1}
"""
SELF = "{type: MultiheadAttention, name: mixed, from: [rows, rows, rows], num_heads: 2, batch_first: true}"
LAYER = "{type: TransformerEncoderLayer, nhead: 2, dim_feedforward: 6, batch_first: true}"
LAST, HEAD = "{type: Steps, at: -1}", "{type: Linear, out_features: 5}"


def load(*layers: str) -> configuration.Config:
    return configuration.load("own.yaml", (), TEXT % "\n".join(f"    - {layer}" for layer in layers))


def test_a_graph_takes_what_attention_gives() -> None:
    model, rows = build_model(load(SELF, LAST, HEAD))
    assert [row.output for row in rows] == [(7, 4), (7, 4), (4,), (5,)]
    x = lenet.randn(2, 1, 7, 4).flatten(1, 2)
    y, _ = model.mixed(x, x, x)
    np.testing.assert_allclose(
        model(x.reshape(2, 1, 7, 4)).detach().numpy(), model[3](y[:, -1]).detach().numpy(), atol=1e-6
    )


def test_layers_of_a_transformer_follow_one_another() -> None:
    decoder = "{type: TransformerDecoderLayer, from: [a, rows], nhead: 2, dim_feedforward: 6, batch_first: true}"
    whole = (
        "{type: Transformer, from: [b, rows], nhead: 2, num_encoder_layers: 1, num_decoder_layers: 1, "
        "dim_feedforward: 6, batch_first: true, activation: gelu}"
    )
    named = LAYER.replace("{", "{name: a, "), decoder.replace("{", "{name: b, ")
    model, rows = build_model(load("{type: Positions}", *named, whole, LAST, HEAD))
    assert [row.output for row in rows][1:5] == [(7, 4)] * 4
    assert model.a.self_attn.embed_dim == model.b.linear2.out_features == 4


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((SELF.replace("2", "3"), LAST), "embed_dim must be divisible by num_heads, got embed_dim=4, num_heads=3"),
        ((SELF.replace(", batch_first: true", ""), LAST), "batch_first must be true"),
        ((SELF, HEAD), "MultiheadAttention gives its outputs and a state, and Linear takes one tensor"),
        (("{type: MultiheadAttention, num_heads: 2, batch_first: true}", LAST), "takes two inputs or more, got one"),
        (("{type: MultiheadAttention, from: [rows, rows], num_heads: 2, batch_first: true}", LAST), "value"),
        ((LAYER.replace("{", "{activation: tanh, "),), "wanted a function of your own, got \"tanh\""),
        ((LAYER.replace("{", "{activation: tanh, "),), "or relu, gelu"),
        ((LAYER.replace("6", "1000000000"),), "TransformerEncoderLayer is too large"),
        (("{type: Positions, num_positions: 5}",), "Positions wants 5 steps of 4 numbers"),
        (("{type: TransformerEncoder, num_layers: 2}",), "in a config, a block of such layers with `repeat` is one"),
        (("{type: Tokens}", "{type: Tokens}", "{type: Flatten}", "{type: Tokens}"), "Tokens wants pictures"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(layers: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_model(load(*layers))
    assert said in str(refused.value)


def test_the_example_is_a_transformer_of_patches() -> None:
    model, rows = build_model(configuration.load(ROOT / "configs" / "attention.yaml"))
    assert [row.output for row in rows] == [(32, 4, 4), (16, 32), (17, 32), (17, 32), (17, 32), (32,), (32,), (10,)]
    assert model.encoder[0][0].norm_first
