"""Attention and volumes come in, from lenet and from both exporters of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.onnx_file import onnx_model
from lenetcli.onnx_import import imported
from tests.export.nets import expected, settled
from tests.onnx_import.nets import apart, written
from tests.onnx_import.test_torch_exports import compared, names, needs
from tests.onnx_import.torch_nets import export

pytest.importorskip("onnx")


class Mixed(nn.Module):
    """One attention between linear layers."""

    def __init__(self, mask: bool = False, **options: Any) -> None:
        super().__init__()
        self.given = nn.Linear(6, 8)
        self.mixed = nn.MultiheadAttention(8, 2, batch_first=True, **options)
        self.mask = lenet.triu(lenet.ones(5, 5), 1).bool() if mask else None

    def forward(self, x: Any) -> Any:
        query = self.given(x)
        other = query if self.mixed.kdim == 8 else x
        y, _ = self.mixed(query, other, other, attn_mask=self.mask, need_weights=self.mask is None)
        return y + query


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"kdim": 6, "vdim": 6}], ids=str)
def test_attention_comes_back(options: dict[str, Any], tmp_path: Path) -> None:
    net = settled(Mixed(**options))
    found = imported.read(written(onnx_model(net, (5, 6)), tmp_path))
    x = np.random.default_rng(0).standard_normal((3, 5, 6), np.float32)
    assert apart(found, x, [expected(net, x)]) <= 1e-6
    assert set(found.weights) == set(net.state_dict())


def test_attention_with_a_mask_is_refused_by_its_operator(tmp_path: Path) -> None:
    path = written(onnx_model(settled(Mixed(mask=True)), (5, 6)), tmp_path)
    with pytest.raises(DataError, match=r"net.onnx: \w+ \(mixed/"):
        imported.read(path)


def torch_net(torch: Any, name: str) -> tuple[Any, tuple[int, ...]]:
    class Attending(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is a value here
        def __init__(self) -> None:
            super().__init__()
            self.first, self.att = torch.nn.Linear(6, 8), torch.nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = torch.nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            return self.head((x + self.att(x, x, x)[0])[:, 0])

    if name == "attention":
        return Attending(), (5, 6)
    if name == "transformer":
        layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu")
        return torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), (5, 8)
    return torch.nn.Sequential(
        torch.nn.Conv3d(2, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool3d(2), torch.nn.Conv3d(4, 4, (1, 3, 3)),
        torch.nn.AvgPool3d((1, 2, 2)), torch.nn.ConvTranspose3d(4, 2, 2, 2), torch.nn.AdaptiveAvgPool3d(1),
        torch.nn.Flatten(), torch.nn.Linear(2, 3),
    ), (2, 4, 12, 12)  # fmt: skip


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "dynamo"])
@pytest.mark.parametrize("name", ["attention", "transformer", "volumes"])
def test_nets_of_torch_with_attention_or_volumes_come_in(name: str, dynamo: bool, torch: Any, tmp_path: Path) -> None:
    needs(dynamo)
    torch.manual_seed(0)
    net, shape = torch_net(torch, name)
    for parameter in net.parameters():
        parameter.data.uniform_(-0.5, 0.5)
    net.eval()
    path = tmp_path / "net.onnx"
    export(torch, net, shape, path, dynamo)
    found, difference = compared(torch, net, shape, path)
    assert difference <= 1e-6
    assert set(found.weights) == names(net)
