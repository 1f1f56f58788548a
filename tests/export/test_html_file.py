"""The net in one HTML file: its program gives the engine's numbers, forward and backward; what cannot go is named."""

from __future__ import annotations

import base64
import functools
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_model
from lenetcli.data.dataset import ArrayDataset
from lenetcli.data.inputs import Inputs
from lenetcli.data.transforms import Preprocessing
from lenetcli.export.graph import NotExportable
from lenetcli.export.html_file.program import Program
from lenetcli.export.html_file.samples import chosen
from lenetcli.export.html_file.tried import Job, results
from lenetcli.export.lowering import lower
from tests.export.nets import batch, layer_samples, random_net, settled

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
CONFIGS = [
    path for path in sorted(Path("configs").glob("*.yaml")) if path.stem not in ("resnet18", "resnet34", "mobilenetv2")
]
ONE_EACH = {sample.name: sample for sample in reversed(layer_samples())}
NEAR = 1e-5


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def job(model: nn.Module, x: Any) -> Job:
    """A model's program on one sample, with gradients of its outputs at random."""
    program = Program(lower(model, x.shape[1:], x.dtype, batch=1), model)
    random = np.random.default_rng(1)
    seeds = [random.standard_normal(output["shape"]).astype(np.float32) for output in program.outputs]
    return Job(program, x[:1], seeds)


def wanted(model: nn.Module, made: Job) -> dict[str, Any]:
    """The engine's outputs, and its gradients of the input and the parameters."""
    x = lenet.from_numpy(made.samples.copy()).requires_grad_()
    model.eval().zero_grad()
    found = model(x)
    outputs = [found] if isinstance(found, lenet.Tensor) else list(found)
    total: Any = sum((y * lenet.from_numpy(seed)).sum() for y, seed in zip(outputs, made.seeds, strict=True))
    numbers = {f"output {o['name']}": y.detach().numpy() for o, y in zip(made.program.outputs, outputs)}
    if total.requires_grad:
        total.backward()
    named = [("input", x), *model.named_parameters()]
    return numbers | {
        name: t.grad.numpy() if name == "input" else t.grad.numpy()[None] for name, t in named if t.grad is not None
    }


def check(model: nn.Module, made: Job, got: dict[str, Any]) -> None:
    """Every number of the engine's is there and near; what it has no gradient for is 0."""
    expected = wanted(model, made)
    assert set(expected) <= set(got)
    for name, values in got.items():
        there = expected.get(name, np.zeros_like(values))
        np.testing.assert_allclose(values, there, rtol=1e-4, atol=NEAR * max(1.0, np.abs(there).max()), err_msg=name)


@functools.cache
def layers() -> tuple[dict[str, tuple[nn.Module, Job, dict[str, Any]]], dict[str, str]]:
    """Each layer with what its program gives, all of one process; and why others are refused."""
    jobs, refused = {}, {}
    for name, sample in ONE_EACH.items():
        try:
            x = batch(sample, 1)
            layer = settled(sample.make(nn, lenet.from_numpy))
            jobs[name] = layer, job(layer, x)
        except (NotExportable, RuntimeError, ValueError) as error:
            refused[name] = str(error)
    found = results([made for _, made in jobs.values()])
    return {name: (*jobs[name], got) for name, got in zip(jobs, found)}, refused


@needs_node
@pytest.mark.parametrize("name", ONE_EACH)
def test_a_layer_gives_what_the_engine_gives_forward_and_backward(name: str) -> None:
    known, refused = layers()
    if name in refused:
        pytest.skip(refused[name])
    check(*known[name])


@needs_node
def test_most_layers_can_go() -> None:
    known, refused = layers()
    assert len(known) > 3 * len(refused), refused


@functools.cache
def whole_nets() -> dict[str, tuple[nn.Module, Job, dict[str, Any]] | str]:
    """The nets of the configurations, and nets of layers at random."""
    models: dict[str, tuple[nn.Module, tuple[int, ...]]] = {}
    for path in CONFIGS:
        config = configuration.load(path)
        models[path.stem] = settled(build_model(config)[0]), tuple(config.model.input)
    for seed in range(12):
        models[f"random {seed}"] = random_net(seed)
    made, refused = {}, {}
    for name, (model, shape) in models.items():
        try:
            made[name] = model, job(model, np.random.default_rng(2).standard_normal((1, *shape), np.float32))
        except NotExportable as error:
            refused[name] = str(error)
    found = results([each for _, each in made.values()])
    return {name: (*made[name], got) for name, got in zip(made, found)} | refused


@needs_node
@pytest.mark.parametrize("name", [*(path.stem for path in CONFIGS), *(f"random {seed}" for seed in range(12))])
def test_a_net_gives_what_the_engine_gives_forward_and_backward(name: str) -> None:
    found = whole_nets()[name]
    if isinstance(found, str):
        pytest.skip(found)
    check(*found)


def test_what_has_no_step_is_refused_by_name() -> None:
    model = nn.Sequential(nn.Identity(), nn.Upsample(scale_factor=2, mode="bilinear")).eval()
    with pytest.raises(NotExportable, match=r"^1: Resize: resizing by linear has no step there; a page cannot be made"):
        Program(lower(model, (1, 3, 3), batch=1), model)
    config = configuration.load("configs/sequence.yaml")
    recurrent = build_model(config)[0].eval()
    with pytest.raises(NotExportable, match=r"^rows: GRU: has no step there; a page cannot be made"):
        Program(lower(recurrent, tuple(config.model.input), batch=1), recurrent)


def test_too_many_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.export.html_file.program.LARGEST", 5)
    model = nn.Sequential(nn.Linear(3, 2)).eval()
    with pytest.raises(NotExportable, match="more than 5 numbers of weights are too much for a page; use onnx"):
        Program(lower(model, (3,), batch=1), model)


class Views(nn.Module):
    """A layer that uses its weight turned, in parts and repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(lenet.zeros(6, 4))
        self.frozen = nn.Parameter(lenet.ones(4), requires_grad=False)

    def forward(self, x: Any) -> Any:
        first, second = self.weight.chunk(2, 0)
        return F.linear(x, first) + x @ second.t() + self.weight[::2, 1] + self.frozen.sum()


@needs_node
def test_gradients_find_their_way_to_weights_that_are_used_in_parts() -> None:
    model = settled(Views())
    made = job(model, np.random.default_rng(0).standard_normal((1, 2, 4), np.float32))
    assert [weight["name"] for weight in made.program.weights if weight["trained"]] == ["weight"]
    check(model, made, results([made])[0])


def test_samples_are_of_every_class_and_some_are_mistakes() -> None:
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(4, 5)))
    model[1].weight.array[...] = 0
    model[1].bias.array[...] = [1, 0, 0, 0, 0]  # it says class 0 of everything
    labels = np.repeat(np.arange(5), 30)
    images = np.random.default_rng(0).integers(0, 9, (150, 1, 2, 2)).astype(np.float32)
    inputs = Inputs((1, 2, 2), 8.0, Preprocessing(1 / 8), tuple("abcde"))
    found = chosen(ArrayDataset(images, labels, inputs.preprocessing), model, inputs, None)
    assert found is not None
    assert (found["bytes"], found["ready"], len(found["numbers"]), len(set(found["numbers"]))) == (True, False, 40, 40)
    assert found["labels"] == labels[found["numbers"]].tolist()
    assert found["labels"][:32] == sorted(found["labels"][:32])
    assert {found["labels"][:32].count(label) for label in range(5)} <= {6, 7}
    assert 0 not in found["labels"][32:]
    values = np.frombuffer(base64.b64decode(found["values"]), np.uint8).reshape(-1, 1, 2, 2)
    np.testing.assert_array_equal(values, images[found["numbers"]])
    ready = chosen(ArrayDataset(images / 7, labels), model, None, None)
    assert ready is not None
    assert (ready["bytes"], ready["ready"], ready["border"]) == (False, True, None)


TIES = {
    "Max": lambda x: lenet.maximum(x, x.flip(-1)),
    "Amax": lambda x: x.amax(-1),
    "Relu": F.relu,
    "Hardtanh": lambda x: F.hardtanh(x, -1, 1),
    "Clamp": lambda x: x.clamp(-1, 1),
    "Abs": lambda x: x.abs(),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "adaptive max pool": lambda x: F.adaptive_max_pool2d(x, (2, 3)),
    "Leaky": lambda x: F.leaky_relu(x, 0.1),
    "Hardswish": lambda x: F.hardswish(3 * x),
    "Prod": lambda x: x.prod(-1),
}


class Applied(nn.Module):
    """A function as a net."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


@functools.cache
def ties() -> dict[str, tuple[nn.Module, Job, dict[str, Any]]]:
    """Functions at their corners: zeros, ends and equal numbers."""
    x = np.random.default_rng(0).integers(-1, 2, (1, 2, 4, 4)).astype(np.float32)
    made = {name: (model := Applied(function), job(model, x)) for name, function in TIES.items()}
    return {name: (*made[name], got) for name, got in zip(made, results([each for _, each in made.values()]))}


@needs_node
@pytest.mark.parametrize("name", TIES)
def test_gradients_are_the_engines_at_corners_too(name: str) -> None:
    check(*ties()[name])
