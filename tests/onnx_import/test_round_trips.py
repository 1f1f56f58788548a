"""lenet -> ONNX -> lenet: every layer that the exporter knows, in every opset that it writes, and random nets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.model import build_model
from lenetcli.errors import ConfigError, DataError
from lenetcli.export.graph import NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, onnx_model, to_bytes
from lenetcli.onnx_import import imported
from tests.export.nets import batch, expected, layer_samples, random_net, settled
from tests.nn.sample import LayerSample
from tests.onnx_import.nets import apart, written

pytest.importorskip("onnx")
REFUSED = {
    "Embedding": "looks up rows of a table",
    "Flatten(0": "mixes the samples of a batch",
    "Linear(4, 0)": "no layer",
}  # no chain has them
OPSETS = (11, 13, 18, 23)
LARGE = ("resnet18", "resnet34", "mobilenetv2")  # of which the small ones have all layers
CONFIGS = [
    pytest.param(path, marks=pytest.mark.slow) if path.stem in LARGE else path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
]


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("sample", layer_samples(), ids=str)
def test_a_layer_comes_back(sample: LayerSample, opset: int, tmp_path: Path) -> None:
    layer = settled(sample.make(nn, lenet.from_numpy))
    try:
        expected(layer, batch(sample, 2))
        graph = lower(layer, sample.arrays()[0].shape[1:], sample.arrays()[0].dtype)
    except (NotExportable, RuntimeError, ValueError, ZeroDivisionError):
        pytest.skip("cannot be exported; tests/export/test_onnx.py says why")
    path = written(to_bytes(graph, Written(opset)), tmp_path)
    refusal = next((words for begin, words in REFUSED.items() if str(sample).startswith(begin)), None)
    if refusal is not None:
        with pytest.raises(DataError, match=refusal):
            imported.read(path)
        return
    found = imported.read(path)
    for count in (2, 3):
        x = batch(sample, count)
        if sample.name == "BatchNorm1d" and "track_running_stats=False" in str(sample) and x.ndim == 2:
            with pytest.raises(ConfigError, match="Expected more than 1 value per channel"):  # a sample alone
                apart(found, x, [expected(layer, x)])
            return
        assert apart(found, x, [expected(layer, x)]) <= 1e-6


@pytest.mark.parametrize("seed", range(40))
def test_random_nets_come_back(seed: int, tmp_path: Path) -> None:
    model, shape = random_net(seed)
    found = imported.read(written(onnx_model(model, shape), tmp_path))
    x = np.random.default_rng(seed).standard_normal((3, *shape), np.float32)
    assert apart(found, x, [expected(model, x)]) <= 2e-6


def test_names_and_containers_come_back(tmp_path: Path) -> None:
    block = nn.Residual(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
    model = settled(nn.Sequential(nn.Conv2d(1, 2, 3), block, nn.Sequential(nn.Flatten(), nn.Linear(72, 4))))
    found = imported.read(written(onnx_model(model, (1, 8, 8)), tmp_path))
    assert set(found.weights) == set(model.state_dict())
    assert not found.notes


def test_a_batch_of_known_size_comes_back_for_any(tmp_path: Path) -> None:
    model = settled(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 4)))
    found = imported.read(written(onnx_model(model, (1, 8, 8), Written(batch=1)), tmp_path))
    x = np.random.default_rng(0).standard_normal((3, 1, 8, 8), np.float32)
    assert apart(found, x, [expected(model, x)]) <= 1e-6


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_comes_back(path: Path, tmp_path: Path) -> None:
    loaded = configuration.load(path, ())
    model = settled(build_model(loaded)[0])
    shape = tuple(loaded.model.input)
    found = imported.read(written(onnx_model(model, shape), tmp_path))
    x = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    with lenet.no_grad():
        wanted = model(lenet.from_numpy(x))
    outputs = wanted if isinstance(wanted, tuple) else (wanted,)
    assert apart(found, x, [one.numpy() for one in outputs]) <= 1e-6
    assert set(found.weights) == {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
