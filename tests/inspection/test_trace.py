"""What a trace says of the seed net, and that its numbers are the engine's and torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.model.parameters import ParameterRow, row, table
from tests.inspection.passes import trace


def seed_net(nn: Any) -> Any:
    """The tutorial's net, from lenetcli.nn or torch.nn."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


@pytest.fixture
def parts() -> tuple[Any, Any, Any]:
    lenet.manual_seed(0)
    return seed_net(nn), lenet.randn(2, 1, 32, 32), lenet.randn(2, 10)


def test_the_tutorials_chain_and_first_steps(parts: Any) -> None:
    model, x, y = parts
    found = trace(model, nn.MSELoss(), x, y, ["0.bias"])
    assert found.forward == (
        [
            "input",
            "conv2d",
            "relu",
            "maxpool2d",
            "conv2d",
            "relu",
            "maxpool2d",
            "view",
            "linear",
            "relu",
            "linear",
            "relu",
            "linear",
            "MSELoss",
            "loss",
        ]
    )
    assert found.first_steps == ["MseLossBackward", "AddmmBackward", "AccumulateGrad"]


def test_gradients_before_and_after(parts: Any) -> None:
    model, x, y = parts
    first = trace(model, nn.MSELoss(), x, y, ["0.bias"])
    assert first.parameters[0].before is None
    assert len(first.parameters[0].after) == 6
    again = trace(model, nn.MSELoss(), x, y, ["0.bias"])
    assert again.parameters[0].before is None
    assert again.parameters[0].after == first.parameters[0].after


def test_every_node_knows_its_module_shape_and_gradient(parts: Any) -> None:
    model, x, y = parts
    found = trace(model, nn.MSELoss(), x, y, ["0.bias"])
    by_id = {n.id: n for n in found.nodes}
    conv = next(n for n in found.nodes if n.name == "ConvolutionBackward" and n.module == "3")
    assert conv.shape == [2, 16, 13, 13]
    assert [by_id[i].parameter for i in conv.next[1:] if i is not None] == ["3.weight", "3.bias"]
    assert all(n.grad_norm is not None and np.isfinite(n.grad_norm) for n in found.nodes)
    parameters = dict(model.named_parameters())
    for node in found.nodes:
        if node.parameter:
            norm = float(np.linalg.norm(parameters[node.parameter].grad.numpy()))
            assert node.grad_norm == pytest.approx(norm, rel=1e-5)
    assert {n.parameter for n in found.nodes if n.parameter} == set(parameters)


def test_cross_entropy_is_one_step_of_the_chain(parts: Any) -> None:
    model, x, _ = parts
    found = trace(model, nn.CrossEntropyLoss(), x, lenet.tensor([1, 2]), ["0.bias"])
    assert found.forward[-3:] == ["linear", "CrossEntropyLoss", "loss"]


def test_numbers_equal_torchs_for_the_same_weights(torch: Any, parts: Any) -> None:
    model, x, y = parts
    twin = seed_net(torch.nn)
    twin.load_state_dict({k: torch.tensor(np.ascontiguousarray(v.numpy())) for k, v in model.state_dict().items()})
    found = trace(model, nn.MSELoss(), x, y, ["0.bias", "11.weight"])
    loss = torch.nn.MSELoss()(twin(torch.tensor(x.numpy())), torch.tensor(y.numpy()))
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    for shown in found.parameters:
        expected = twin.get_parameter(shown.name).grad.numpy()
        np.testing.assert_allclose(np.array(shown.after), expected, rtol=1e-4, atol=1e-6)


def parameter_rows(model: nn.Module) -> list[ParameterRow]:
    return [row(name, parameter) for name, parameter in model.named_parameters()]


def test_the_parameter_table_holds_torchs_figures(torch: Any, parts: tuple[Any, Any, Any]) -> None:
    model, x, y = parts
    nn.MSELoss()(model(x), y).backward()
    rows = parameter_rows(model)
    assert len(rows) == 10
    for each, parameter in zip(rows, model.parameters()):
        theirs, grad = torch.tensor(parameter.detach().numpy().copy()), torch.tensor(parameter.grad.numpy().copy())
        shown = each.record()
        assert (shown["shape"], shown["count"]) == (list(theirs.shape), theirs.numel())
        for name in ("mean", "std", "min", "max"):
            assert shown[name] == pytest.approx(getattr(theirs, name)().item(), rel=1e-4, abs=1e-7), (each.name, name)
        assert shown["grad_mean"] == pytest.approx(grad.mean().item(), rel=1e-4, abs=1e-7)
        assert shown["grad_std"] == pytest.approx(grad.std().item(), rel=1e-4, abs=1e-7)


def test_the_parameter_table_counts_a_shared_tensor_once() -> None:
    model = seed_net(nn)
    rows = parameter_rows(model)
    assert [r.name for r in rows][:2] == ["0.weight", "0.bias"]
    assert table(rows)["total"] == 81_194
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    assert table(parameter_rows(tied))["total"] == 16 + 4 + 4


def test_the_table_holds_gradients_where_there_are_any() -> None:
    layer = nn.Linear(2, 1)
    assert "grad_mean" not in parameter_rows(layer)[0].record()
    layer(lenet.ones(1, 2)).sum().backward()
    assert parameter_rows(layer)[0].record()["grad_mean"] == 1.0
    assert parameter_rows(layer)[0].record()["std"] == pytest.approx(layer.weight.std().item(), rel=1e-5)
