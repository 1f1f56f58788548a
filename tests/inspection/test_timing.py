"""The clock in ops, and the rows of a timed step, here against numbers worked out from the shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.autograd.function import Function
from lenetcli.autograd.op import Op
from lenetcli.build.parts import build_run
from lenetcli.errors import ConfigError
from lenetcli.inspection.step import profile
from lenetcli.inspection.step.clock import clocked
from lenetcli.kernels import dispatch, native
from tests.conftest import ROOT, run_of

needs_native = pytest.mark.skipif(native.absent is not None, reason="the native kernels are not built")
CONV1, CONV2, FC = 6 * 30 * 30 * 9, 16 * 13 * 13 * 6 * 9, [576 * 120, 120 * 84, 84 * 10]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "SECONDS", 0.01)
    monkeypatch.setattr(profile, "SIDE", 128)


def methods() -> Iterator[Any]:
    for cls in (*Op.__subclasses__(), *Function.__subclasses__()):
        yield from (vars(cls).get(name) for name in ("forward", "backward", "merge"))


def test_the_clock_tells_forward_and_backward_of_every_op_and_leaves_nothing_behind() -> None:
    told: list[tuple[str, bool]] = []
    x = lenet.ones(3, requires_grad=True)
    (x.exp() * 2).sum().backward()  # imports the ops
    before = list(methods())
    with clocked(lambda node, name, forward, seconds: told.append((name, forward)) if seconds > 0 else None):
        (x.exp() * 2).sum().backward()
    names = ["ExpBackward", "MulBackward", "SumBackward"]
    assert told == [(name, True) for name in names] + [(name, False) for name in reversed(names)]
    assert list(methods()) == before
    x.exp()
    assert len(told) == 6


def test_the_clock_goes_away_after_an_error_and_counts_an_op_with_ops_inside_once() -> None:
    class Twice(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.exp() + x.exp()

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad.exp()

    told: list[tuple[str, bool]] = []
    Twice.apply(lenet.ones(1, requires_grad=True)).backward()  # imports the ops, as the product does
    lenet.ones(2, 3) @ lenet.ones(3, 2)
    before = list(methods())
    with clocked(lambda node, name, forward, seconds: told.append((name, forward))):
        Twice.apply(lenet.ones(1, requires_grad=True)).backward()
    assert told == [("TwiceBackward", True), ("TwiceBackward", False)]
    told.clear()
    with (
        pytest.raises(lenet.errors.ShapeError),
        clocked(lambda node, name, forward, seconds: told.append((name, forward))),
    ):
        lenet.ones(2, 3) @ lenet.ones(2, 3)
    assert list(methods()) == before


@needs_native
def test_fused_layers_are_one_row_with_the_multiply_adds_of_the_single_layers() -> None:
    with dispatch.force("native"):
        found = profile.time_step(run_of("lenet"), 20)
    assert [row.layers for row in found.layers] == [
        ["conv1", "1", "2"], ["conv2", "4", "5"], ["6"], ["fc1", "8"], ["fc2", "10"], ["fc3"],
    ]  # fmt: skip
    assert found.layers[0].types == ["Conv2d", "ReLU", "MaxPool2d"]
    assert found.layers[0].ops == ["ConvReluPoolBackward"]
    assert found.kernels == f"native {native.target()}"
    check_lenet(found, {"conv1": CONV1, "conv2": CONV2, "fc1": FC[0], "fc2": FC[1], "fc3": FC[2]})


def test_with_numpy_every_layer_is_a_row_of_its_own() -> None:
    with dispatch.force("numpy"):
        found = profile.time_step(run_of("lenet"), 20)
    assert [row.layers for row in found.layers] == [
        ["conv1"], ["1"], ["2"], ["conv2"], ["4"], ["5"], ["6"], ["fc1"], ["8"], ["fc2"], ["10"], ["fc3"],
    ]  # fmt: skip
    assert [row.types for row in found.layers][:3] == [["Conv2d"], ["ReLU"], ["MaxPool2d"]]
    assert found.kernels == "numpy"
    check_lenet(found, {"conv1": CONV1, "conv2": CONV2, "fc1": FC[0], "fc2": FC[1], "fc3": FC[2]})


def check_lenet(found: profile.Timing, made: dict[str, int]) -> None:
    """Multiply-adds of a step, and times that can be."""
    assert found.batch == 20
    for row in found.layers:
        count = made.get(row.layers[0], 0)
        assert row.forward_multiply_adds == 20 * count
        # the gradients of weight and input; the images need none
        assert row.backward_multiply_adds == 20 * count * (1 if row.layers[0] == "conv1" else 2)
        assert row.forward > 0
        # pooling and relu may be made in one kernel with the convolution before
        assert row.backward > 0 or set(row.types) <= {"ReLU", "MaxPool2d"}
        assert (row.rate is None) == (count == 0)
    assert found.loss.layers == ["loss"]
    assert found.loss.types == ["CrossEntropyLoss"]
    assert found.loss.seconds > 0
    assert min(found.forward, found.backward, found.update, found.step, found.loader, found.peak) > 0
    assert found.between_forward > 0
    assert found.between_backward > 0


def test_a_frozen_layer_takes_less_of_backward() -> None:
    run = run_of("mlp")
    first = next(layer for layer in run.model.modules() if isinstance(layer, nn.Linear))
    first.weight.requires_grad_(False)
    found = profile.time_step(run, 3)
    assert found.layers[1].layers[0] in {path for path, m in run.model.named_modules() if m is first}
    assert found.layers[1].backward_multiply_adds == 0  # neither the data nor the weight wants a gradient


@pytest.mark.usefixtures("consenting")
def test_a_model_with_its_own_forward_is_a_row_beside_its_layers(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(
        "from lenetcli import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(64, 10)\n"
        "    def forward(self, x):\n"
        "        return self.fc(x.flatten(1).tanh()) + self.fc(x.flatten(1))\n"
    )
    text = (ROOT / "configs" / "mlp.yaml").read_text()
    head, _, tail = text.partition("  layers:")
    (tmp_path / "net.yaml").write_text(
        head + "  layers: [{type: 'nets.py:Net', name: net}]\n" + tail[tail.index("\ndata:") :]
    )
    found = profile.time_step(build_run(configuration.load(str(tmp_path / "net.yaml"), [])), 5)
    rows = {row.layers[0]: row for row in found.layers}
    assert list(rows) == ["net", "net.fc"]
    assert "TanhBackward" in rows["net"].ops
    assert rows["net.fc"].forward_multiply_adds == 2 * 5 * 640  # called twice


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    assert profile.time_step(run_of("mlp", "train.limit_batches=1"), 2000).batch == 2000
    assert profile.time_step(run_of("mlp", "train.batch_size=7")).batch == 7


def test_without_parameters_there_is_nothing_to_time() -> None:
    run = run_of("mlp")
    for p in run.model.parameters():
        p.requires_grad_(False)
    with pytest.raises(ConfigError, match="no parameters to train"):
        profile.time_step(run)
