"""ONNX files of every layer in every form: opsets, batches of any size or a known one; what readers stumble over."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import ConfigError
from lenetcli.export.graph import Graph, NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, onnx_model, reference_fails, to_bytes
from lenetcli.export.opsets import OLDEST, OPSET, REWRITES
from tests.export.nets import batch, expected, layer_samples, settled
from tests.nn.sample import LayerSample

onnx = pytest.importorskip("onnx")

# the oldest, each that changed an operator and the one before it, newer ones
OPSETS = sorted({OLDEST, *(since for since, _ in REWRITES.values()), OPSET - 1, OPSET, 21, 23})
BATCHES = (None, 3)
EMPTY = {"ConvTranspose", "GlobalAveragePool", "Flatten"}  # what the reference evaluator cannot do for no samples
ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Greater", "Where"}
SCALARS = {("Clip", 1), ("Clip", 2), ("Pad", 2)}  # inputs that are scalars by the specification


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def lowered(sample: LayerSample) -> tuple[nn.Module, Graph]:
    layer = settled(sample.make(nn, lenet.from_numpy))
    try:
        expected(layer, batch(sample, 2))
        return layer, lower(layer, sample.arrays()[0].shape[1:], sample.arrays()[0].dtype)
    except (NotExportable, RuntimeError, ValueError, ZeroDivisionError):
        pytest.skip("cannot be exported; tests/export/test_onnx.py says why")


def by_onnxruntime(content: bytes) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def by_reference(content: bytes) -> Any:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_from_string(content))
    return lambda x: evaluator.run(None, {"input": x})[0]


@pytest.mark.parametrize("sample", layer_samples(), ids=str)
def test_a_layer_gives_the_engines_numbers_in_every_opset_for_every_batch(sample: LayerSample) -> None:
    layer, graph = lowered(sample)
    wanted = {}
    for count in (0, 1, 3):
        x = batch(sample, 1)[:0] if count == 0 else batch(sample, count)
        try:
            wanted[count] = x, expected(layer, x)
        except ValueError:  # statistics of a batch of one
            assert count == 1
    for opset, fixed in itertools.product(OPSETS, BATCHES):
        content = to_bytes(graph, Written(opset, fixed))
        runtime, reference = by_onnxruntime(content), by_reference(content)
        for count, (x, y) in wanted.items():
            if fixed not in (None, count):
                continue
            said = f"opset {opset}, batch {fixed}, {count} samples"
            np.testing.assert_allclose(runtime(x), y, rtol=1e-5, atol=1e-5, err_msg=said)
            empty = count == 0 and {node.op for node in graph.nodes} & EMPTY
            if not empty and not reference_fails(onnx.load_from_string(content)):
                np.testing.assert_allclose(reference(x), y, rtol=1e-5, atol=1e-5, err_msg=said)


def faults(made: Any) -> list[str]:
    """What readers of .onnx files have stumbled over."""
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    found = []
    for node in made.graph.node:
        for place, name in enumerate(node.input):
            array = constants.get(name)
            if array is None:
                continue
            if (node.op_type, place) in SCALARS and array.ndim:
                found.append(f"{node.name}: input {place} has shape {array.shape}, wanted a scalar")
            if node.op_type in ELEMENTWISE and ".constant" in name and array.size == 1 and array.ndim:
                found.append(f"{node.name}: a number of shape {array.shape}")
            if (node.op_type, place) == ("Pad", 1) and array.min() < 0:
                found.append(f"{node.name}: crops by Pad")
            if (node.op_type, place) == ("Reshape", 1) and array.min() < 0:
                found.append(f"{node.name}: a size that is known is left to be found")
        if node.op_type == "Pow" and constants[node.input[1]] == 0.5:
            found.append(f"{node.name}: a square root as a power")
    return found


@pytest.mark.parametrize("sample", layer_samples(), ids=str)
def test_no_layer_is_written_in_words_that_readers_stumble_over(sample: LayerSample) -> None:
    graph = lowered(sample)[1]
    if graph.output.label[0] != "N" or sample.name in ("Conv3d", "ConvTranspose3d"):  # these join samples and depths
        pytest.skip("a size that joins samples is not known")
    for opset in OPSETS:
        assert faults(onnx.load_from_string(to_bytes(graph, Written(opset)))) == []


def test_a_wrong_file_would_be_found() -> None:
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    constants = {
        "x.constant": np.zeros(1, np.float32), "pads": np.array([0, -1]), "shape": np.array([0, -1]),
        "half": np.array(0.5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Clip", ["input", "x.constant"], ["a"], name="clip"),
        helper.make_node("Pad", ["a", "pads"], ["b"], name="pad"),
        helper.make_node("Reshape", ["b", "shape"], ["c"], name="reshape"),
        helper.make_node("Pow", ["c", "half"], ["d"], name="pow"),
        helper.make_node("Mul", ["d", "x.constant"], ["e"], name="mul"),
    ]
    graph = helper.make_graph(nodes, "g", [], [], [numpy_helper.from_array(a, n) for n, a in constants.items()])
    assert [fault.split(":")[0] for fault in faults(helper.make_model(graph))] == [
        "clip", "pad", "reshape", "pow", "mul",
    ]  # fmt: skip


# Pools: ONNX's own words wherever they mean what torch's do

WINDOWS = [
    (size, kernel, stride, padding)
    for size in (5, 6, 7, 8)
    for kernel in (2, 3)
    for stride in (1, 2, 3)
    for padding in (0, 1)
]


def pool_node(layer: nn.Module, size: tuple[int, int]) -> tuple[Any, bytes]:
    """The node of a pool; and the file."""
    content = onnx_model(nn.Sequential(layer), (2, *size))
    made = onnx.load_from_string(content)
    (node,) = [n for n in made.graph.node if n.op_type in ("MaxPool", "AveragePool")]
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} | {"first": node.input[0]}, content


def agrees(layer: nn.Module, size: tuple[int, int], content: bytes) -> None:
    x = np.random.default_rng(0).standard_normal((2, 2, *size)).astype(np.float32)
    runs = [by_onnxruntime(content)]
    if not reference_fails(onnx.load_from_string(content)):
        runs.append(by_reference(content))
    for run in runs:
        np.testing.assert_allclose(run(x), expected(layer, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), WINDOWS)
def test_ceil_mode_of_a_max_pool_stays_ceil_mode(size: int, kernel: int, stride: int, padding: int) -> None:
    """Borders are unequal only where torch drops a window on one axis and not on the other."""
    for across in (size, size + 1):
        layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=True)
        words, content = pool_node(layer, (size, across))
        agrees(layer, (size, across), content)
        rooms = [n + 2 * padding - kernel for n in (size, across)]
        rest = [-room % stride for room in rooms]
        dropped = [
            bool(r) and -(-room // stride) * stride >= n + padding for n, r, room in zip((size, across), rest, rooms)
        ]
        overhang = [bool(r) and not d for r, d in zip(rest, dropped)]
        uneven = any(dropped) and any(overhang)
        assert words["first"] == "input", "borders of its own"
        assert words["ceil_mode"] == int(any(overhang) and not uneven)
        assert (words["pads"] != [padding] * 4) == uneven


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), WINDOWS)
@pytest.mark.parametrize("with_border", [True, False])
def test_a_padded_mean_counts_its_border_in_onnx_words(
    size: int, kernel: int, stride: int, padding: int, with_border: bool
) -> None:
    layer = nn.AvgPool2d(kernel, stride, padding, count_include_pad=with_border)
    words, content = pool_node(layer, (size, size + 1))
    agrees(layer, (size, size + 1), content)
    assert words["first"] == "input"
    assert words.get("pads", [0] * 4) == [padding] * 4
    if padding:
        assert words["count_include_pad"] == int(with_border)
    ceil = nn.AvgPool2d(kernel, stride, padding, True, with_border)
    agrees(ceil, (size, size + 1), pool_node(ceil, (size, size + 1))[1])


# Upsampling


@pytest.mark.parametrize("size", [(4, 5), (3, 7), (6, 1)])
@pytest.mark.parametrize(
    "upsample",
    [
        nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=(3, 1.5)), nn.Upsample((12, 35)),
        nn.Upsample(scale_factor=0.5),
        nn.Upsample(scale_factor=2, mode="nearest-exact"), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.Upsample((12, 18), mode="bicubic"),
        nn.Upsample((12, 20), mode="bilinear", align_corners=True), nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.Upsample(scale_factor=3, mode="bicubic", align_corners=True), nn.UpsamplingBilinear2d(scale_factor=2),
    ],
    ids=str,
)  # fmt: skip
def test_upsampling_is_resize_with_torchs_numbers(upsample: nn.Module, size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
    if 0 in [int(n * 0.5) for n in size] and "scale_factor=0.5" in repr(upsample):
        return
    wanted = expected(upsample, x)
    for opset in (OLDEST, OPSET):
        content = onnx_model(nn.Sequential(upsample), (3, *size), Written(opset))
        ops = [node.op_type for node in onnx.load_from_string(content).graph.node]
        assert ops == ["Resize"], ops
        np.testing.assert_allclose(by_onnxruntime(content)(x), wanted, rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(by_reference(content)(x), wanted, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("size", "out"), [(6, 10), (3, 7), (7, 11), (12, 20), (5, 13)])
def test_where_rounding_decides_which_pixel_is_nearest_the_engines_choice_is_kept(size: int, out: int) -> None:
    layer = nn.Upsample((out, out))
    content = onnx_model(nn.Sequential(layer), (1, size, size))
    x = np.arange(size * size, dtype=np.float32).reshape(1, 1, size, size)
    np.testing.assert_array_equal(by_onnxruntime(content)(x), expected(layer, x))
    np.testing.assert_array_equal(by_reference(content)(x), expected(layer, x))


@pytest.mark.parametrize(
    "layer",
    [nn.ZeroPad2d((-1, 2, 0, -2)), nn.ConstantPad1d((-1, -1), 2.0), nn.ReplicationPad2d((-1, 2, 1, -1)),
     nn.ReflectionPad2d((-1, 2, 1, -1)), nn.ReflectionPad2d((-1, -1, 0, 0)), nn.CircularPad2d((-1, 0, 0, -2)),
     nn.CircularPad2d((-1, 2, 1, 0)), nn.ReflectionPad2d((3, -4, 0, 0))],
    ids=str,
)  # fmt: skip
def test_crops_are_slices(layer: nn.Module) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 7)).astype(np.float32)
    content = onnx_model(nn.Sequential(layer), (3, 6, 7))
    for run in (by_onnxruntime(content), by_reference(content)):
        np.testing.assert_array_equal(run(x), expected(layer, x))
    assert faults(onnx.load_from_string(content)) == []


def test_a_known_batch_stands_in_the_file() -> None:
    made = onnx.load_from_string(onnx_model(nn.Sequential(nn.Linear(3, 2)), (3,), Written(13, 4)))
    sizes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in (made.graph.input[0], made.graph.output[0])]
    assert (sizes, made.opset_import[0].version, made.ir_version) == ([[4, 3], [4, 2]], 13, 7)


@pytest.mark.parametrize("opset", [OLDEST - 1, 1000])
def test_an_opset_that_there_is_not_is_refused(opset: int) -> None:
    with pytest.raises(ConfigError, match=f"--opset {opset}: wanted {OLDEST} to "):
        onnx_model(nn.Sequential(nn.ReLU()), (3,), Written(opset))
