"""Attention leaves with the engine's numbers, as ONNX and as one Python file."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.export.checked import difference
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner
from tests.export.nets import settled

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class SelfAttention(nn.Module):
    """All that an attention gives, of itself, under a mask that is made of numbers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, *args, batch_first=True, **kwargs)
        self.mask = nn.Transformer.generate_square_subsequent_mask(5)

    def forward(self, x: Any) -> Any:
        y, weights = self.attention(x, x, x, attn_mask=self.mask, average_attn_weights=False)
        return y, weights


class Both(nn.Module):
    """A transformer whose decoder sees the encoder's input, too."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(4, 2, 1, 1, 6, activation="gelu", batch_first=True, norm_first=True)

    def forward(self, x: Any) -> Any:
        return self.transformer(x, lenet.flip(x, [1]), src_key_padding_mask=x[:, :, 0] > 0.5)


def encoder(**kwargs: Any) -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, **kwargs), 2, nn.LayerNorm(4))


NETS = {
    "attention": SelfAttention(),
    "attention, further keys": SelfAttention(bias=False, add_bias_kv=True, add_zero_attn=True),
    "encoder": encoder(),
    "encoder, norms first": encoder(norm_first=True, activation="gelu", bias=False),
    "encoder and decoder": Both(),
    "class token": nn.Sequential(nn.Positions(5, 4, class_token=True), encoder(), nn.Steps(0)),
    "tokens": nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Tokens(), nn.Linear(1, 3)),
}


@pytest.mark.parametrize("name", NETS)
def test_a_net_leaves_with_the_engines_numbers(name: str) -> None:
    model = settled(NETS[name])
    graph = lower(model, (5, 4))
    for opset in (13, 18):
        run = runner(to_bytes(graph, Written(opset)))
        assert run is not None
        assert difference(run, model, graph, (3, 1)) < 1e-5
    assert difference(python_runner(python_source(graph, None, "numbers")), model, graph, (3, 1)) < 1e-5


class Scaled(nn.Module):
    """Attention without projections, under a mask."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, x: Any) -> Any:
        return nn.functional.scaled_dot_product_attention(x, x, x, **self.settings)


def test_masks_of_truth_values_and_the_causal_one_leave() -> None:
    seen = lenet.ones(5, 5).tril().bool()
    for model in (Scaled(is_causal=True), Scaled(attn_mask=seen)):
        graph = lower(model, (2, 5, 4))
        run = runner(to_bytes(graph))
        assert run is not None
        assert difference(run, model, graph, (3, 1)) < 1e-6
