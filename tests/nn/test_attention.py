"""Attention layers: what their samples do not say. Values and refusals are torch 2.13's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn

NAN = float("nan")


def filled(layer: nn.Module) -> Any:
    """The layer with ((0, 1, 2, ...) % 7 - 3) / 10 in each parameter."""
    with lenet.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(((lenet.arange(parameter.numel()) % 7 - 3) * 0.1).reshape(parameter.shape))
    return layer


def test_output_and_weights_are_torchs() -> None:
    x = lenet.tensor([[[1.0, -1.0], [0.5, 2.0]]])
    y, weights = filled(nn.MultiheadAttention(2, 1, batch_first=True))(x, x, x)
    np.testing.assert_allclose(y.detach().numpy(), [[[-0.32, -0.1896643], [-0.32, -0.1907235]]], atol=1e-6)
    np.testing.assert_allclose(weights.detach().numpy(), [[[0.4832125, 0.5167875], [0.5361759, 0.4638241]]], atol=1e-6)


def test_initial_values_are_drawn_in_the_order_of_torch() -> None:
    lenet.manual_seed(0)
    layer = nn.MultiheadAttention(2, 1)
    lenet.manual_seed(0)
    first, then = nn.Linear(2, 2), nn.init.xavier_uniform_(lenet.empty(6, 2))
    assert layer.out_proj.weight.tolist() == first.weight.tolist()
    assert layer.in_proj_weight is not None
    assert layer.in_proj_bias is not None
    assert layer.in_proj_weight.tolist() == then.tolist()
    assert not layer.in_proj_bias.detach().numpy().any()
    assert not layer.out_proj.bias.detach().numpy().any()


def test_an_encoder_holds_copies_and_a_transformer_draws_anew() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 3)
    weights = [layer.linear1.weight.detach().numpy() for layer in encoder.layers]
    assert all((weight == weights[0]).all() for weight in weights)
    assert weights[0] is not weights[1]
    net = nn.Transformer(4, 2, 2, 2, 8)
    first, second = (layer.linear1.weight.detach().numpy() for layer in net.encoder.layers)
    assert (first != second).all()
    assert isinstance(net.encoder.norm, nn.LayerNorm)
    assert isinstance(net.decoder.norm, nn.LayerNorm)


def test_a_sequence_of_padding_gives_nan_with_weights_and_the_bias_without() -> None:
    layer, x = filled(nn.MultiheadAttention(2, 1, batch_first=True)), lenet.randn(2, 3, 2)
    padding = lenet.tensor([[False, False, True], [True, True, True]])
    y, weights = layer(x, x, x, padding)
    assert np.isnan(y.detach().numpy()[1]).all()
    assert np.isnan(weights.detach().numpy()[1]).all()
    assert not np.isnan(y.detach().numpy()[0]).any()
    y, weights = layer(x, x, x, padding, need_weights=False)
    assert weights is None
    np.testing.assert_array_equal(y[1].detach().numpy(), np.broadcast_to(layer.out_proj.bias.detach().numpy(), (3, 2)))


def test_the_zero_key_is_what_is_left_of_padding() -> None:
    x = lenet.randn(3, 1, 2)
    _, weights = nn.MultiheadAttention(2, 1, add_zero_attn=True)(x, x, x, lenet.ones(1, 3).bool())
    assert weights.tolist() == [[[0.0, 0.0, 0.0, 1.0]] * 3]


def test_dropout_is_that_of_the_weights_and_taken_as_it_is() -> None:
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True), lenet.randn(2, 3, 4)
    lenet.manual_seed(1)
    _, dropped = layer(x, x, x, average_attn_weights=False)
    _, whole = layer.eval()(x, x, x, average_attn_weights=False)
    lenet.manual_seed(1)
    np.testing.assert_array_equal(dropped.detach().numpy(), F.dropout(whole, 0.5).detach().numpy())
    nn.MultiheadAttention(4, 2, dropout=1.5)


def test_masks_of_two_kinds_are_taken_with_a_warning() -> None:
    layer, x = nn.MultiheadAttention(2, 1), lenet.randn(3, 1, 2)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask is deprecated"):
        layer(x, x, x, lenet.zeros(1, 3), attn_mask=lenet.zeros(3, 3).bool())


def test_the_causal_mask_is_found_by_looking() -> None:
    """A stack looks whether a mask is the causal one where that is not told; the numbers are the same."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), 2)
    x, mask = lenet.randn(2, 5, 4), nn.Transformer.generate_square_subsequent_mask(5)
    wanted = encoder(x, mask, is_causal=False).detach().numpy()
    for told in (None, True):
        np.testing.assert_allclose(encoder(x, mask, is_causal=told).detach().numpy(), wanted, atol=1e-6)
    changed = x.clone()
    changed[:, 3:] = 0
    np.testing.assert_allclose(encoder(changed, mask)[:, :3].detach().numpy(), wanted[:, :3], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.MultiheadAttention(7, 2), "embed_dim must be divisible by num_heads, got embed_dim=7, num_heads=2"),
        (lambda: nn.MultiheadAttention(8, 0), "must be greater than 0, got embed_dim=8 and num_heads=0 instead"),
        (lambda: attend(is_causal=True), "Need attn_mask if specifying the is_causal hint"),
        (lambda: attend(key_padding_mask=lenet.zeros(3, 4).long()), "key_padding_mask are supported, got torch.int64"),
        (lambda: attend(attn_mask=lenet.zeros(3, 4)), r"2D attn_mask .*, but should be \(4, 4\)"),
        (lambda: attend(attn_mask=lenet.zeros(3, 4, 4)), r"3D attn_mask .* should be \(6, 4, 4\). That is samples"),
        (lambda: attend(key_padding_mask=lenet.zeros(4, 4)), r"key_padding_mask.shape\[0\] to be 3, but got 4"),
        (lambda: attend(lenet.zeros(4, 3, 7)), "was expecting embedding dimension of 8, but got 7"),
        (lambda: attend(lenet.zeros(1, 4, 3, 8)), "unbatched 2D or batched 3D tensor but received 4-D query tensor"),
        (lambda: attend(key=lenet.zeros(5, 3, 8)), r"key shape \[5, 3, 8\] does not match value shape \[4, 3, 8\]"),
        (lambda: attend(key=lenet.zeros(4, 2, 8), value=lenet.zeros(4, 2, 8)), "query has 3 samples and key 2"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"), "activation should be relu/gelu, not tanh"),
        (lambda: two(3, 2), "batch number of src and tgt must be equal, got 3 and 2"),
        (lambda: nn.Positions(4, 2)(lenet.zeros(1, 5, 2)), r"Positions wants 4 steps of 2 numbers, got \[1, 5, 2\]"),
        (lambda: nn.Tokens()(lenet.zeros(3, 4)), r"Tokens wants pictures \(N, C, \*\), got \[3, 4\]"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call: Any, words: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=words):
        call()


def attend(query: Any = None, key: Any = None, value: Any = None, **more: Any) -> Any:
    x = lenet.zeros(4, 3, 8)
    given = [x if part is None else part for part in (query, key, value)]
    return nn.MultiheadAttention(8, 2)(*given, **more)


def two(source: int, target: int) -> Any:
    return nn.Transformer(8, 2, 1, 1)(lenet.zeros(4, source, 8), lenet.zeros(4, target, 8))


def test_tokens_are_places_and_positions_are_added() -> None:
    x = lenet.arange(12.0).reshape(1, 2, 2, 3)
    tokens = nn.Tokens()(x)
    assert tokens[0, 4].tolist() == x[0, :, 1, 1].tolist()
    layer = filled(nn.Positions(6, 2, class_token=True))
    y = layer(tokens).detach().numpy()
    np.testing.assert_allclose(y[0, 0], (layer.token[0, 0] + layer.weight[0]).detach().numpy())
    np.testing.assert_allclose(y[0, 1:], (tokens[0] + layer.weight[1:]).detach().numpy())
    assert repr(layer) == "Positions(6, 2, class_token=True)"
