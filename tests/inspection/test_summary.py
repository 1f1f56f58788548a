"""Layers with shapes, parameters and multiply-adds: against numbers by hand, and against torch's counter."""

from __future__ import annotations

from typing import Any

import pytest

from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_model
from lenetcli.inspection.model.summary import summary
from tests.conftest import ROOT


def model_of(name: str) -> tuple[Any, tuple[int, ...]]:
    config = configuration.load(str(ROOT / "configs" / f"{name}.yaml"))
    return build_model(config)[0], tuple(config.model.input)


def test_lenets_layers_are_those_worked_out_by_hand() -> None:
    found = summary(*model_of("lenet"))
    by_name = {layer.path: layer for layer in found.layers}
    conv2 = by_name["conv2"]
    assert (conv2.kind, conv2.input, conv2.output) == ("Conv2d", [6, 15, 15], [16, 13, 13])
    assert conv2.parameters == 16 * 6 * 3 * 3 + 16
    assert conv2.multiply_adds == 16 * 13 * 13 * 6 * 3 * 3
    assert by_name["conv1"].multiply_adds == 6 * 30 * 30 * 9
    assert [by_name[name].multiply_adds for name in ("fc1", "fc2", "fc3")] == [576 * 120, 120 * 84, 84 * 10]
    assert (found.parameters, found.trainable, found.bytes) == (81_194, 81_194, 4 * 81_194)
    assert found.multiply_adds == 48_600 + 146_016 + 69_120 + 10_080 + 840
    assert found.layers[0].path == ""
    maps = 6 * 30 * 30 * 2 + 6 * 15 * 15 + 16 * 13 * 13 * 2 + 16 * 6 * 6
    assert found.activations == maps + 576 + 120 * 2 + 84 * 2 + 10


def test_containers_hold_what_is_inside_them() -> None:
    found = summary(*model_of("cnn"))
    block = next(layer for layer in found.layers if layer.path == "block1")
    assert (block.depth, block.leaf, block.input, block.output) == (1, False, [3, 32, 32], [32, 16, 16])
    assert (block.parameters, block.multiply_adds) == (0, 0)
    assert [layer.depth for layer in found.layers if layer.path.startswith("block1.")] == [2, 2, 2, 2]
    assert found.parameters == sum(layer.parameters for layer in found.layers)


class Tied(nn.Module):
    """A layer called twice, and two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.twin = nn.Linear(4, 4)
        self.twin.weight = self.fc.weight
        self.frozen = nn.Linear(4, 2).requires_grad_(False)

    def forward(self, x: Any) -> Any:
        return self.frozen(self.twin(self.fc(self.fc(x))))


def test_reused_tensors_are_counted_once() -> None:
    found = summary(Tied(), (4,))
    rows = [(layer.path, layer.parameters, layer.reused, layer.multiply_adds) for layer in found.layers[1:]]
    assert rows == [("fc", 20, False, 16), ("fc", 0, True, 16), ("twin", 4, True, 16), ("frozen", 10, False, 8)]
    assert (found.parameters, found.trainable, found.multiply_adds) == (34, 24, 56)


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    before = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    summary(model, (2, 4, 4))
    assert model.training
    assert not model[0].has_hooks
    assert {name: tensor.tolist() for name, tensor in model.state_dict().items()} == before


MODELS = {
    "conv": lambda nn: [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4)],
    "dilated": lambda nn: [nn.Conv2d(3, 4, (3, 2), dilation=2, bias=False), nn.MaxPool2d(2)],
    "transposed": lambda nn: [nn.ConvTranspose2d(3, 6, 3, stride=2, padding=1, output_padding=1, groups=3)],
    "linear": lambda nn: [nn.Flatten(), nn.Linear(3 * 16 * 16, 7), nn.BatchNorm1d(7), nn.Linear(7, 2, bias=False)],
}


@pytest.mark.parametrize("name", MODELS)
def test_multiply_adds_are_half_of_torchs_flops(torch: Any, name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    found = summary(nn.Sequential(*MODELS[name](nn)), (3, 16, 16))
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        torch.nn.Sequential(*MODELS[name](torch.nn)).eval()(torch.zeros(1, 3, 16, 16))
    assert 2 * found.multiply_adds == counter.get_total_flops() > 0


@pytest.mark.parametrize("name", ["lenet", "cnn", "mlp"])
def test_whole_configurations_count_as_in_torch(torch: Any, name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, sample = model_of(name)

    def twin(module: Any) -> Any:
        if type(module).__name__ == "Sequential":
            return torch.nn.Sequential(*map(twin, module.children()))
        return eval(repr(module), dict(vars(torch.nn)))

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        twin(model).eval()(torch.zeros(1, *sample))
    assert 2 * summary(model, sample).multiply_adds == counter.get_total_flops()
