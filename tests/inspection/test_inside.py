"""Attention of each head and gates of recurrent layers, of one sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.model.feature_maps import first_filters
from lenetcli.inspection.model.inner_views import inner_views
from lenetcli.report.model.inside import inner_picture, pixels


def test_attention_is_what_the_layer_itself_gives() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.MultiheadAttention(12, 3, dropout=0.5, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.steps(x, x, x, need_weights=False)[0]

    net, x = Net(), np.random.default_rng(0).standard_normal((5, 12)).astype(np.float32)
    (found,) = inner_views(net, x)
    assert (found.layer, found.names, found.rows, found.columns) == (
        "steps",
        ["head 0", "head 1", "head 2"],
        "query",
        "key",
    )
    assert net.training
    net.eval()
    t = lenet.tensor(x[None])
    wanted = net.steps(t, t, t, average_attn_weights=False)[1]
    np.testing.assert_allclose(np.stack(found.maps), wanted.detach().numpy()[0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_gates_lead_from_output_to_output(kind: str) -> None:
    layer = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    net = nn.Sequential(layer, nn.Steps(at=-1))
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    found = inner_views(net, x)
    assert [maps.layer for maps in found] == ["0 layer 0", "0 layer 0 backward", "0 layer 1", "0 layer 1 backward"]
    y = layer(lenet.tensor(x[None]))[0].detach().numpy()[0]
    np.testing.assert_allclose(np.hstack([maps.maps[-1] for maps in found[2:]]), y, rtol=1e-5, atol=1e-6)
    first = dict(zip(found[0].names, found[0].maps))
    if kind == "GRU":
        z, n, h = first["update gate z"], first["candidate n"], first["output y"]
        np.testing.assert_allclose(h[1:], (1 - z[1:]) * n[1:] + z[1:] * h[:-1], rtol=1e-4, atol=1e-6)
    if kind == "LSTM":
        i, f, g, o, c, h = found[0].maps
        np.testing.assert_allclose(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(h, o * np.tanh(c), rtol=1e-4, atol=1e-6)
    assert inner_picture(found).shape[2] == 3
    assert len(pixels(found[0])) == len(found[0].names)


def test_a_layer_behind_a_recurrent_one_has_no_filters_to_show() -> None:
    net = nn.Sequential(nn.Flatten(2), nn.GRU(8, 64, batch_first=True), nn.Steps(at=-1), nn.Linear(64, 10))
    assert first_filters(net, (1, 8, 8)) is None
    assert inner_views(nn.Sequential(nn.Linear(3, 2)), np.ones(3, np.float32)) == []
