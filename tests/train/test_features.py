"""What frozen layers give is kept between epochs, and no bit of a run is another for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.composite import use
from lenetcli.autograd.modes import no_grad
from lenetcli.build.parts import build_run
from lenetcli.config import load
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import logical, stored
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.features import ALIKE, kept_features, parts_of
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from tests.train.small import at, difference, resume, train

pytestmark = pytest.mark.skipif(kernels.twin != "native", reason="of NumPy's kernels nothing is kept")

CONFIG = """
model:
  input: [1, 10, 10]
  freeze: ["features.*"]
  layers:
    - {type: Sequential, name: features, layers: [
        {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, bias: false}, {type: BatchNorm2d}, {type: ReLU6},
        {type: Residual, layers: [{type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, groups: 8}]},
        {type: Conv2d, out_channels: 16, kernel_size: 3}, {type: ReLU}, {type: MaxPool2d, kernel_size: 2}]}
    - {type: Conv2d, name: conv, out_channels: 4, kernel_size: 3}
    - {type: ReLU}
    - {type: AdaptiveAvgPool2d, output_size: 1}
    - {type: Flatten}
    - {type: Dropout, p: 0.2}
    - {type: Linear, name: fc, out_features: 4}
data: {type: Random, shape: [1, 10, 10], classes: 4, train: 45, test: 13}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 0.01}
train: {epochs: 4, batch_size: 4}
"""
NO_GROUPS = "model.layers.0.layers.3.layers=[{type: ReLU}]"
BRANCHES = (
    "model.layers.0.layers.3={type: Sequential, layers: ["
    "{type: Conv2d, name: a, out_channels: 8, kernel_size: 1}, {type: Multiply, name: m, from: [a, input]}, "
    "{type: Add, name: s, from: [m, a]}, {type: Concat, from: [s, input]}]}"
)
OFF = "model.keep_features=false"
OPTIONS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "branches": (BRANCHES,),
    "unfrozen": ("model.unfreeze.epoch=3",),
    "averaged": ("train.ema=0.9", "train.validation=0.3"),
    "accumulated": ("train.accumulate=3", "train.clip_grad_norm=0.1"),
    "a part of the block": ('model.freeze=["features.0", "features.1"]',),
    "limited": ("train.limit_batches=3",),
    "by ones": ("train.batch_size=1", "train.eval_batch_size=1", "train.epochs=2"),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path / "c.yaml"


def built(config: Path, *changes: str) -> Run:
    return build_run(load(config, changes))


@pytest.mark.parametrize("name", OPTIONS)
def test_no_bit_is_another_for_what_is_kept(name: str, config: Path) -> None:
    assert kept_features(built(config, *OPTIONS[name])) is not None
    for out, more in (("kept", ()), ("anew", (OFF,))):
        assert train(config, config.parent / out, *OPTIONS[name], *more) == 0
    found = difference(config.parent / "kept", config.parent / "anew")
    assert found == "state.json: ['config']", "nothing but the key itself"


def test_a_kill_in_the_middle_is_not_seen(config: Path) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    assert train(config, config.parent / "whole") == 0
    with pytest.raises(Killed):
        train(config, config.parent / "torn", also=at(31, die))
    assert resume(config.parent / "torn") == 0
    assert difference(config.parent / "whole", config.parent / "torn") is None


@pytest.mark.parametrize(
    "changes",
    [
        (OFF,), ("model.freeze=[fc]",), ("model.keep_features=1", "data.train=9000"), ('model.freeze=["features.4"]',),
        ("data={type: Digits, augment: {flip: true}}", "model.input=[1, 8, 8]", "model.layers.6.out_features=10"),
        ('model.freeze=["features.1"]',), ("model.layers.0.layers.0={type: Dropout2d}", NO_GROUPS),
    ],
)  # fmt: skip
def test_nothing_is_kept_where_it_would_not_be_the_same_or_have_no_room(changes: tuple[str, ...], config: Path) -> None:
    run = built(config, *changes)
    assert kept_features(run) is None
    assert run.kept in (None, False)


def test_what_is_kept_is_computed_once(config: Path) -> None:
    run = built(config)
    seen = []
    kept = kept_features(run)
    assert kept is not None
    parts = parts_of(run.model)
    assert parts is not None
    assert parts.last == "features"
    forward = nn.Conv2d.forward
    first = run.model.features[0]

    def counting(self: nn.Conv2d, input: lenet.Tensor) -> lenet.Tensor:
        if self is first:
            seen.append(len(input.array))
        return forward(self, input)

    with pytest.MonkeyPatch.context() as patch, use.off():  # a recording calls no layer
        patch.setattr(nn.Conv2d, "forward", counting)
        list(fit(run))
    assert sum(seen) == 45 + 13, "every sample once"


def samples() -> dict[type[nn.Module], list[nn.Module]]:
    """Layers of every class that may be passed over."""
    convs = [nn.Conv2d(8, 16, 3, padding=1), nn.Conv2d(8, 96, 1, bias=False), nn.Conv2d(8, 8, 3, stride=2, groups=8),
             nn.Conv2d(8, 16, 3, groups=2), nn.Conv2d(8, 24, 5, padding=2, dilation=2)]  # fmt: skip
    with_sizes = {
        nn.Conv2d: convs, nn.ConvTranspose2d: [nn.ConvTranspose2d(8, 4, 3, stride=2)], nn.ZeroPad2d: [nn.ZeroPad2d(1)],
        nn.BatchNorm2d: [nn.BatchNorm2d(8).eval()], nn.SyncBatchNorm: [nn.SyncBatchNorm(8).eval()],
        nn.MaxPool2d: [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1)], nn.GELU: [nn.GELU(), nn.GELU("tanh")],
    }  # fmt: skip
    return {cls: with_sizes.get(cls) or [cls()] for cls in ALIKE}


@pytest.mark.parametrize("layer", [layer for layers in samples().values() for layer in layers], ids=repr)
def test_a_sample_gets_the_same_bits_in_every_batch(layer: nn.Module) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((70, 8, 11, 9)).astype(np.float32)

    def through(rows: object) -> np.ndarray:
        with no_grad():
            return np.array(layer(from_numpy(logical(stored(x[rows])))).numpy())  # type: ignore[index]

    whole = through(np.arange(70))
    for size in (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64):
        rows = rng.permutation(70)[:size]
        assert np.array_equal(through(rows), whole[rows]), size
