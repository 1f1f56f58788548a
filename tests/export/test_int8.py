"""Nets in integers: the engine's integers in the C file, and in ONNX Runtime with its optimisations on and off."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.data.inputs import Inputs
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import ConfigError
from lenetcli.export.c_compiled import compiler, runner
from lenetcli.export.c_file import functions
from lenetcli.export.c_int8 import Int8Code, c_int8_source
from lenetcli.export.graph import NotExportable
from lenetcli.export.int8_grid import Grid, spanning
from lenetcli.export.int8_net import EXACT, MOST, IntegerNet, integer_net
from lenetcli.export.int8_onnx import qdq_graph
from lenetcli.export.int8_run import nearest, quotient, run
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, to_bytes
from tests.export.nets import batch, expected, layer_samples, settled
from tests.export.test_c_file import CHECKED, QUICK
from tests.export.whole_nets import NETS, BasicBlock
from tests.nn.sample import LayerSample

ONE_EACH = {sample.name: sample for sample in reversed(layer_samples())}.values()
WHOLE = ("LeNet", "residual (ResNet)", "Inception", "depthwise-separable with a gate")


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def in_integers(model: nn.Module, x: Any) -> IntegerNet:
    return integer_net(lower(model, x.shape[1:]), [x])


def in_onnxruntime(net: IntegerNet, x: Any, optimised: bool) -> list[Any]:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    content = to_bytes(qdq_graph(net, 18), Written(18))
    return list(ort.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, {"input": x}))


def check_onnx(net: IntegerNet, x: Any) -> None:
    """Bit for bit, though one step would do: no program has to round in another way, see `int8_net`."""
    for optimised in (False, True):
        for found, wanted in zip(in_onnxruntime(net, x, optimised), net.real(run(net, x)), strict=True):
            np.testing.assert_array_equal(found, wanted)


def check_c(net: IntegerNet, x: Any, options: tuple[str, ...]) -> None:
    if compiler() is None:
        return
    outputs = [value.sizes_of(1) for value in net.graph.outputs]
    program = runner(c_int8_source(net, None, "net"), "net", outputs, options)
    assert program is not None
    for found, wanted in zip(program(x), net.real(run(net, x)), strict=True):
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


@pytest.mark.parametrize("sample", ONE_EACH, ids=str)
def test_a_layer_gives_the_same_integers_everywhere(sample: LayerSample) -> None:
    layer, x = settled(sample.make(nn, lenet.from_numpy)), batch(sample, 16)
    try:
        net = in_integers(layer, x)
        Int8Code(net, "net")
    except (NotExportable, RuntimeError, ValueError):
        pytest.skip("cannot become integers")
    check_onnx(net, x)
    if x.ndim < 5:
        check_c(net, x[:3], QUICK)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_nets_give_the_same_integers_everywhere(name: str) -> None:
    whole = NETS[name]
    model = settled(whole.make())
    x = np.random.default_rng(0).standard_normal((16, *whole.sample), np.float32)
    net = in_integers(model, x)
    check_onnx(net, x)
    check_c(net, x[:2], CHECKED)
    wanted = expected(model, x)
    assert np.abs(net.real(run(net, x))[0] - wanted).max() < 0.03 * np.abs(wanted).max()


def test_a_net_of_many_joints_gives_the_same_integers_everywhere() -> None:
    """Sums and products of values on several grids, with constants, along repeated dimensions; means of all kinds."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.norm = BasicBlock(3, 6, 2), nn.BatchNorm2d(3)
            self.place = nn.Parameter(lenet.ones(6, 1, 1))
            self.linear = nn.Linear(6, 4)

        def forward(self, x: Any) -> Any:
            y = self.block(F.relu6(self.norm(x) * 3))
            y = y * y.mean((2, 3), keepdim=True) - 5 * F.avg_pool2d(y, 3, 1, 1) + self.place
            y = lenet.cat([y, F.avg_pool2d(y, 3, 1, 1, count_include_pad=False) * 0.1], 2)
            return self.linear(F.pad(y, (1, 0, 2, 1), value=0.5).permute(0, 2, 3, 1)).mean(-1)

    x = np.random.default_rng(3).standard_normal((16, 3, 10, 12), np.float32)
    net = in_integers(settled(Net()), x)
    check_onnx(net, x)
    check_c(net, x[:2], CHECKED)


def test_no_product_saturates_and_no_sum_leaves_the_whole_numbers_of_float32() -> None:
    """The largest weights and values at once, which break 8-bit weights on processors without VNNI."""
    model = nn.Sequential(nn.Linear(600, 3)).eval()
    for parameter, value in zip(model.parameters(), (1.0, 100.0)):
        parameter.array[...] = value
    x = np.full((2, 600), 2.0, np.float32)
    x[1] = -1
    net = in_integers(model, x)
    (own,) = net.weights.values()
    assert np.abs(own.values).max() <= MOST
    grid = net.grids["input"]
    for row, bias, multiplier in zip(own.values.astype(int), own.bias, own.multiplier):
        reach = max(abs(row.sum() * (q - grid.zero) + bias) for q in (-128, 127))
        assert reach * multiplier < EXACT
    check_onnx(net, x * 100)
    np.testing.assert_allclose(net.real(run(net, x))[0], expected(model, x), rtol=0.01)


def test_numbers_are_rounded_to_the_nearest_of_equals_to_the_even(tmp_path: Path) -> None:
    values = np.arange(-3000, 3000)
    for shift in (0, 1, 2, 7, 12):
        np.testing.assert_array_equal(nearest(values, shift), np.rint(values / 2**shift))
    for count in (1, 2, 3, 6, 9, 49, 64):
        np.testing.assert_array_equal(quotient(values, count), np.rint(values / count))
    if compiler() is None:
        return
    body = "\n".join(["#include <stdio.h>", *functions({"nearest", "quotient"}, Int8Code.ops), MAIN])
    (tmp_path / "round.c").write_text(body)
    subprocess.run([*(compiler() or []), *CHECKED, "round.c", "-o", "round"], cwd=tmp_path, check=True)
    said = subprocess.run(tmp_path / "round", capture_output=True, check=True).stdout.split()
    rows = np.array(said, int).reshape(-1, 26)
    np.testing.assert_array_equal(rows[:, 0], values)
    for i in range(25):
        wanted = np.rint(values / 2**i) if i < 13 else np.rint(values / (i - 12))
        np.testing.assert_array_equal(rows[:, i + 1], wanted)


MAIN = """
int main(void) {
  for (int v = -3000; v < 3000; v++) {
    printf("%d", v);
    for (int i = 0; i < 25; i++) printf(" %d", i < 13 ? nearest(v, i) : quotient(v, i - 12));
    putchar('\\n');
  }
  return 0;
}
"""


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.ConvTranspose2d(2, 2, 2), "1: ConvTranspose: has no integer form here"),
        (nn.LayerNorm(5), "1: LayerNormalization: has no integer form here"),
        (nn.Softmax(1), "1: Softmax: has no integer form here; a net may end before it"),
        (nn.Upsample(scale_factor=2, mode="bilinear"), "1: Resize: resizing by linear has no integer form"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_integer_form_is_refused_by_name(layer: nn.Module, message: str) -> None:
    with pytest.raises(NotExportable, match=f"^{message}"):
        in_integers(nn.Sequential(nn.Identity(), layer).eval(), np.ones((2, 2, 5, 5), np.float32))


def test_values_that_are_no_numbers_are_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    with pytest.raises(NotExportable, match="NaN or infinite values for training samples"):
        in_integers(model, np.full((2, 2), np.nan, np.float32))
    next(iter(model.parameters())).array[...] = np.inf
    with pytest.raises(NotExportable, match="NaN or infinite"):
        in_integers(model, np.ones((2, 2), np.float32))


def test_an_older_opset_is_refused() -> None:
    net = in_integers(nn.Sequential(nn.Linear(2, 2)).eval(), np.ones((2, 2), np.float32))
    with pytest.raises(ConfigError, match="--opset 12: int8 wants 13 or later"):
        qdq_graph(net, 12)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 0.0), (-3.0, 5.1), (-0.001, 200.0), (0.0, 0.0), (-7, 8)])
def test_a_grid_spans_what_was_seen_and_has_zero(low: float, high: float) -> None:
    grid = spanning(low, high)
    ends = grid.real(np.array([-128, 127]))
    assert ends[0] <= low
    assert high <= ends[1]
    assert grid.zero % 2 == 0
    assert grid.real(grid.of(np.array(0.0))) == 0
    if high > low:
        assert high - low > (ends[1] - ends[0]) / 2.1


def test_dead_channels_and_empty_values_become_integers() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2)).eval()
    for parameter in model.parameters():
        parameter.array[...] = 0
    x = np.ones((2, 1, 3, 3), np.float32)
    net = in_integers(model, x)
    check_onnx(net, x)
    check_c(net, x, QUICK)


INPUTS = [
    Inputs((1, 6, 6), 255.0, Preprocessing(1 / 255, None, (0.3, 0.4)), ("a", "b")),
    Inputs((3, 4, 5), 16.0, Preprocessing(1 / 16, None, ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])), ()),
    Inputs((1, 4, 4), 255.0, Preprocessing(1 / 255, (6, 5), None), ()),
]


@pytest.mark.skipif(compiler() is None, reason="no C compiler is here")
@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: str(inputs.shape))
def test_bytes_of_pictures_give_what_their_inputs_give(inputs: Inputs, tmp_path: Path) -> None:
    shape = inputs.shape[0], *inputs.size
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2)))
    pictures = np.random.default_rng(0).integers(0, 256, (20, *inputs.shape)).astype(np.uint8)
    x = np.ascontiguousarray(inputs(pictures))
    net = in_integers(model, x)
    (tmp_path / "net.c").write_text(c_int8_source(net, inputs, "net"))
    command = [*(compiler() or []), *CHECKED, "-DNET_MAIN", "net.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    said = subprocess.run(tmp_path / "net", input=pictures.tobytes(), capture_output=True, check=True).stdout.decode()
    rows = [[float(word) for word in line.split(" ")[-2:]] for line in said.splitlines()]
    np.testing.assert_allclose(rows, net.real(run(net, x))[0], atol=net.grids[net.graph.output.name].step)
    if inputs.size == inputs.shape[1:]:  # by a table, which is exact
        np.testing.assert_array_equal(np.array(rows, np.float32), net.real(run(net, x))[0])


def test_a_step_is_a_power_of_two() -> None:
    grid = Grid(-3, 4)
    np.testing.assert_array_equal(grid.of(np.array([0.0625, 0.1875, -20, 20, np.nan])), [4, 6, -128, 127, 4])
