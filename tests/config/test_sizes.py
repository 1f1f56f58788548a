"""Limits on sizes: layers never become larger than was counted before, and absurd ones are refused at once."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.parts import build_data, build_model
from lenetcli.config.catalogue import ROLES, takes_layers
from lenetcli.config.signature import arguments
from lenetcli.config.size_limits import LIMITS, bounds, too_large
from lenetcli.errors import ConfigError
from tests.config.golden import GOOD

LAYERS = {name: cls for name, cls in ROLES["layers"].classes.items() if not takes_layers(cls)}
SHAPES = [(4, 9, 8), (8, 6), (6,), (1, 5, 5), (12, 4, 4)]


def drawn(cls: Any, stream: random.Random, shape: tuple[int, ...]) -> dict[str, Any]:
    """Arguments of the right names and, often enough, of usable sizes."""
    args: dict[str, Any] = {}
    for argument in arguments(cls, ROLES["layers"].base):
        index = cls.from_input.get(argument.name)
        if argument.name in cls.from_input:
            args[argument.name] = shape[index] if isinstance(index, int) else list(shape[index])
        elif argument.is_tensor:
            continue
        elif argument.required or (stream.random() < 0.4 and not isinstance(argument.default, (bool, float, str))):
            count = stream.choice([0, 0, 0, len(shape) - 1, 2 * (len(shape) - 1)])
            one = stream.choice([1, 2, 3, 4, 5, 9])
            args[argument.name] = tuple(stream.choice([1, 2, 3]) for _ in range(count)) if count else one
    return args


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_becomes_larger_than_was_counted(name: str) -> None:
    cls, stream = LAYERS[name], random.Random(name)
    for _ in range(150):
        shape = stream.choice(SHAPES)
        args = drawn(cls, stream, shape)
        try:
            layer = cls(**args).eval()
            result = layer(lenet.zeros(1, *shape))
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError, ZeroDivisionError, ConfigError):
            continue
        counted = bounds(name, args, shape)
        assert sum(p.numel() for p in layer.parameters() if p.ndim > 1) <= counted["weights"], args
        if isinstance(result, lenet.Tensor) and name not in ("Unfold", "Bilinear"):
            assert result.numel() <= counted["numbers in its result for one sample"], (args, shape, result.shape)


def test_layers_of_well_known_nets_are_no_absurd_ones() -> None:
    conv = {"in_channels": 64, "out_channels": 64, "kernel_size": 3, "padding": 1}
    assert too_large("Conv2d", conv, (64, 224, 224)) is None
    assert (
        too_large(
            "Conv2d", {"in_channels": 3, "out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3}, (3, 224, 224)
        )
        is None
    )
    assert too_large("Linear", {"in_features": 9216, "out_features": 4096}, (9216,)) is None
    assert too_large("MaxPool2d", {"kernel_size": 2}, (512, 112, 112)) is None
    assert too_large("AdaptiveAvgPool2d", {"output_size": (6, 6)}, (256, 13, 13)) is None


@pytest.mark.parametrize(
    "change",
    [
        "model.layers.conv.out_channels=1000000000",
        "model.layers.conv.kernel_size=1000000",
        "model.layers.conv.kernel_size=9223372036854775807",
        "model.layers.conv.padding=100000",
        "model.layers.conv.stride=9223372036854775807",
        "model.layers.fc.out_features=1000000000",
        "model.layers.1={type: ZeroPad2d, padding: 100000}",
        "model.layers.1={type: Upsample, scale_factor: 1.0e9}",
        "model.layers.1={type: Upsample, size: [100000, 100000]}",
        "model.layers.1={type: AdaptiveAvgPool2d, output_size: 100000}",
        "model.layers.1={type: ConvTranspose2d, out_channels: 2, kernel_size: 2, stride: 10000}",
        "model.layers.1={type: LayerNorm, normalized_shape: [100000, 100000]}",
        "model.layers.1={type: Unfold, kernel_size: 5000, padding: 5000}",
        "model.layers.1={type: AvgPool2d, kernel_size: 20000, padding: 10000}",
        "model.layers.1={type: LocalResponseNorm, size: 1000000}",
        "model.layers.1={type: PReLU, num_parameters: 1000000000}",
        "model.input=[1000, 1000, 1000]",
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_asked_for(change: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    config = configuration.load(path, [change])
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ConfigError, match=r"too large|wanted at most"):
        build_model(config)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 1
    assert peak < 1 << 24


@pytest.mark.parametrize(
    "change", ["data.classes=1000000000", "data.train=1000000000", "data.shape=[1, 100000, 100000]"]
)
def test_absurd_amounts_of_data_are_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    config = configuration.load(path, ["data={type: Random, shape: [1, 8, 8]}", change])
    with pytest.raises(ConfigError, match=r"data: Random: wanted at most"):
        build_data(config)


def test_a_model_of_many_large_layers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    many = ", ".join("{type: Linear, out_features: 64}" for _ in range(6))
    config = configuration.load(path, ["model.input=[64]", f"model.layers=[{many}]"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LIMITS, "weights", 3 * 64 * 65)
        with pytest.raises(
            ConfigError, match=r"layers\[3\]\.out_features: .* 16,576 weights, with those of the layers before"
        ):
            build_model(config)
    assert set(LIMITS) == set(bounds("", {}, (1,)))
