"""ONNX files: checked by ONNX's own checker, and by its reference evaluator and onnxruntime against the engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.export.checked import difference
from lenetcli.export.graph import Graph, NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.lowering import lowered as lowered_examples
from lenetcli.export.onnx_file import Written, onnx_model, reference_fails, runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner
from tests.export.nets import batch, expected, layer_samples, random_net, settled
from tests.nn.sample import LayerSample, collected, layers

onnx = pytest.importorskip("onnx")

# layers whose forward takes more than one input, or that have none
CANNOT = {
    "Add", "Concat", "Multiply", "Bilinear", "CosineSimilarity", "PairwiseDistance", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d",
    "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList",
}  # fmt: skip
BLOCKS = {"Sequential", "Residual", "Graph"}


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # softmax without dim, InstanceNorm of other channels; overflow in the reference
        yield


def by_reference(content: bytes, x: Any) -> Any:
    from onnx.reference import ReferenceEvaluator

    if reference_fails(onnx.load_from_string(content)):
        pytest.skip("what ONNX's reference evaluator fails at")

    return ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"input": x})[0]


def by_onnxruntime(content: bytes, x: Any) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})[0]


def lowered(layer: nn.Module, shape: tuple[int, ...], kind: Any) -> Graph | str:
    """The graph, or why there is none."""
    try:
        return lower(layer, shape, kind)
    except NotExportable as refusal:
        return str(refusal)


RUN = {"reference": by_reference, "onnxruntime": by_onnxruntime}
each_sample = pytest.mark.parametrize("sample", layer_samples(), ids=str)
each_runner = pytest.mark.parametrize("run", RUN.values(), ids=list(RUN))


def test_every_layer_has_a_sample_or_takes_more_than_one_input() -> None:
    wanted = {name for name in layers() if not name.endswith("Loss")} - CANNOT - BLOCKS
    wanted -= {"RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell", "Steps"}  # they stand in test_recurrent.py
    wanted -= {name for name in wanted if name.startswith("Transformer")}  # they stand in test_attention.py
    wanted -= {"MultiheadAttention", "Positions", "Tokens"}
    wanted -= {name for name in wanted if name.startswith("Lazy")}  # after their first input they are the others
    wanted.remove("AdaptiveMaxPool2d")  # whose samples ask for indices; it stands in the random nets
    assert {sample.name for sample in layer_samples()} == wanted


@each_runner
@each_sample
def test_a_layer_gives_what_the_engine_gives_for_any_batch(sample: LayerSample, run: Any) -> None:
    layer = settled(sample.make(nn, lenet.from_numpy))
    shape, kind = sample.arrays()[0].shape[1:], sample.arrays()[0].dtype
    try:
        expected(layer, batch(sample, 2))
    except (RuntimeError, ValueError, ZeroDivisionError):
        pytest.skip("a sample without a batch: it cannot be exported")
    graph = lowered(layer, shape, kind)
    if isinstance(graph, str):
        said = (
            "dimensions with the batch",
            "number of samples",
            "forward fails with",
            "embedding_bag() gives values that",
        )
        assert any(words in graph for words in said)
        return
    content = to_bytes(graph)
    for count in (2, 3, 5):
        x = batch(sample, count)
        np.testing.assert_allclose(run(content, x), expected(layer, x), rtol=1e-5, atol=1e-5, err_msg=str(count))


def several_inputs() -> list[LayerSample]:
    """Samples of layers that take two inputs or more with a batch, and are no losses."""
    found = [s for s in collected("SAMPLES") if len(s.inputs) > 1 and not s.name.endswith("Loss")]
    return [s for s in found if not s.call and all(x.ndim > 1 and x.size for x in s.arrays())]


@pytest.mark.parametrize("sample", several_inputs(), ids=str)
def test_a_layer_of_several_inputs_gives_what_the_engine_gives(sample: LayerSample) -> None:
    layer = settled(sample.make(nn, lenet.from_numpy))
    examples = sample.arrays()
    graph = lowered_examples(layer, examples, counted=len({len(x) for x in examples}) == 1)
    for run in (runner(to_bytes(graph)), python_runner(python_source(graph, None, "numbers"))):
        assert run is not None
        assert difference(run, layer, graph, examples=examples) <= 1e-5


@pytest.mark.parametrize("seed", range(60))
@each_runner
def test_random_nets_give_what_the_engine_gives(seed: int, run: Any) -> None:
    model, shape = random_net(seed)
    content = onnx_model(model, shape)
    for count in (1, 4):
        x = np.random.default_rng(seed).standard_normal((count, *shape), np.float32)
        np.testing.assert_allclose(run(content, x), expected(model, x), rtol=1e-5, atol=1e-5)


def test_the_file_says_what_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5))
    made = onnx.load_from_string(onnx_model(model, (1, 8, 8), Written(metadata={"lenet.inputs": "{}"})))
    assert (made.ir_version, made.opset_import[0].version) == (8, 18)
    assert made.producer_name == "lenet"
    assert {p.key: p.value for p in made.metadata_props} == {"lenet.inputs": "{}"}
    sizes = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (made.graph.input[0], made.graph.output[0])
    ]
    assert sizes == [["N", 1, 8, 8], ["N", 5]]
    assert [v.name for v in made.graph.initializer] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert [n.op_type for n in made.graph.node] == ["Conv", "Relu", "Flatten", "Gemm"]
    assert [n.name for n in made.graph.node] == ["0/Conv", "1/Relu", "2/Flatten", "3/Gemm"]


def test_the_same_model_gives_the_same_bytes() -> None:
    model, shape = random_net(3)
    assert onnx_model(model, shape) == onnx_model(model, shape)


def test_the_models_mode_is_left_alone() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    model[1].eval()
    onnx_model(model, (2,))
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


def test_a_layer_used_twice_shares_its_weights() -> None:
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    content = onnx_model(model, (3,))
    assert len(onnx.load_from_string(content).graph.initializer) == 2
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(by_reference(content, x), expected(model, x), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.AdaptiveMaxPool2d(3, return_indices=True), "the indices of AdaptiveMaxPool2D are wanted"),
        (nn.MaxUnpool2d(2), "its forward fails with 2 samples: .*missing 1 required positional argument: 'indices'"),
        (nn.MSELoss(), "its forward fails with 2 samples: .*missing 1 required positional argument: 'target'"),
        (nn.ModuleList([nn.ReLU()]), 'its forward fails with 2 samples: .*missing the required "forward" function'),
        (nn.Linear(4, 2).double(), "only float32"),
        (nn.LayerNorm((2, 1, 4, 4)), "forward fails with 3 samples: .*expected input with shape|normalise over"),
    ],
)
def test_what_cannot_be_said_is_refused_by_the_layers_name(layer: nn.Module, reason: str) -> None:
    first = nn.Identity()
    with pytest.raises(NotExportable, match=reason) as caught:
        onnx_model(nn.Sequential(first, layer), (1, 4, 4))
    assert str(caught.value).startswith(f"1 ({type(layer).__name__}): cannot be exported")


def test_an_input_without_a_batch_is_refused() -> None:
    with pytest.raises(NotExportable, match="depends on the number of samples by more than its first size"):
        onnx_model(nn.Sequential(nn.MaxPool2d(2)), (4, 4))


def test_the_runner_of_the_command_gives_the_same() -> None:
    model, shape = random_net(5)
    graph = lower(model, shape)
    run = runner(to_bytes(graph))
    assert run is not None
    x = np.ones((2, *shape), np.float32)
    np.testing.assert_allclose(run(x)[0], expected(model, x), atol=1e-5)
