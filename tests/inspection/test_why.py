"""Why a weight is what it is: the parts of its steps make its change, and a sample's part is that sample's."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import lenetcli as lenet
from lenetcli import nn
from lenetcli.build.parts import build_run
from lenetcli.config import load
from lenetcli.inspection.step.record import advance
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.inspection.training.why import numbers_of, sample_gradients, why
from lenetcli.nn import functional as F
from lenetcli.report.training.why import draw
from tests.conftest import ROOT
from tests.train.small import train, write_config

OPTIONS = {
    "Adam": ["optimizer={type: Adam, lr: 0.01, weight_decay: 0.1}"],
    "SGD": ["optimizer={type: SGD, lr: 0.1, momentum: 0.9, weight_decay: 0.1, nesterov: true}", "train.warmup=3"],
    "AdamW": ["optimizer={type: AdamW, lr: 0.01}", "train.accumulate=3", "train.clip_grad_norm=0.1"],
    "RMSprop": ["optimizer={type: RMSprop, lr: 0.01, momentum: 0.5}", "train.validation=0.3", "train.ema=0.9"],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_parts_of_all_steps_are_the_change(options: list[str], tmp_path: Path) -> None:
    run, draws = tmp_path / "run", random.Random(str(options))
    assert train(write_config(tmp_path), run, *options) == 0
    for name, index in [
        ("fc1.weight", (3, 1)),
        ("fc2.bias", (draws.randrange(3),)),
        ("2.weight", (draws.randrange(5),)),
    ]:
        found = why(run, [], name, index)
        assert found.last - found.first == pytest.approx(found.sum, abs=1e-9)
        assert abs(found.rounding) < 1e-6
        for step in found.steps:
            whole = step.gradient + step.momentum + step.decay + step.rounding
            assert whole == pytest.approx(step.change, abs=1e-12)
            assert sum(s.change for s in step.samples) + step.others == pytest.approx(step.gradient, abs=1e-9)
            assert abs(step.rounding) <= 1e-6 * max(1.0, abs(step.before))
        assert [s.before for s in found.steps[1:]] == pytest.approx([s.before + s.change for s in found.steps[:-1]])
        assert found.steps[0].momentum == 0.0
        assert any(s.decay for s in found.steps) == ("weight_decay" in options[0] or "AdamW" in options[0])


def test_what_is_not_taken_apart_and_what_is_frozen_are_told(tmp_path: Path) -> None:
    config, said = write_config(tmp_path), []
    for number, (options, name, index) in enumerate([
        (["optimizer={type: Adafactor}"], "fc1.weight", (0, 1)),
        (["optimizer={type: ASGD, lr: 0.1, lambd: 0.1}"], "fc1.weight", (0, 1)),
        (["model.freeze=[fc1]"], "fc1.weight", (0, 1)),
    ]):  # fmt: skip
        assert train(config, tmp_path / str(number), *options) == 0
        found = why(tmp_path / str(number), [], name, index)
        assert found.last - found.first == pytest.approx(found.sum, abs=1e-9)
        text = io.StringIO()
        for part in draw(found, 2, ()):
            Console(file=text, width=200).print(part)
        said.append((found, text.getvalue()))
    (adafactor, first), (asgd, second), (frozen, third) = said
    assert adafactor.gradient == pytest.approx(adafactor.last - adafactor.first)
    assert "Adafactor asks for all numbers of a parameter" in first
    assert asgd.undivided is None
    assert asgd.decay != 0.0
    assert abs(asgd.rounding) < 1e-6
    assert asgd.momentum == pytest.approx(0.0, abs=1e-9)
    assert "asks for" not in second
    assert frozen.record()["undivided"] is None
    assert third.endswith("frozen: no step changes it\n")
    assert "epoch" not in third


def test_a_samples_part_is_the_gradient_of_a_training_on_that_sample_alone() -> None:
    run = build_run(load(str(ROOT / "configs" / "lenet.yaml"), ["train.batch_size=7"]))
    advance(run, 2)
    inputs, targets = next(run.train_loader.batches(0, 2))
    output = run.model(inputs)
    for name, index in [
        ("conv1.weight", (2, 0, 1, 1)),
        ("fc2.weight", (5, 9)),
        ("conv2.bias", (3,)),
        ("fc3.bias", (0,)),
    ]:
        parameter = run.model.get_parameter(name)
        parts = sample_gradients(output, lambda y: run.criterion(y, targets), parameter, index, 7)
        alone = []
        for row in range(7):
            run.model.zero_grad()
            run.criterion(run.model(inputs[row : row + 1]), targets[row : row + 1]).backward()
            alone.append(float(parameter.grad.array[index]) / 7)
        np.testing.assert_allclose(parts, alone, rtol=2e-5, atol=1e-9)
    numbers = numbers_of(run, 0, 2, 7)
    data = run.train_loader.dataset
    assert [int(data[number][1]) for number in numbers] == targets.tolist()


def test_parts_of_several_outputs_and_of_a_batch_norm_make_the_gradient() -> None:
    lenet.manual_seed(0)
    net, head = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU()), nn.Linear(3, 2)
    inputs, targets = lenet.randn(6, 4), lenet.tensor([0, 1, 1, 0, 1, 0])
    body = net(inputs)
    outputs = {"classes": head(body), "body": body}

    def loss(parts: dict[str, lenet.Tensor]) -> lenet.Tensor:
        return F.cross_entropy(parts["classes"], targets) + (parts["body"] ** 2).sum()

    parts = sample_gradients(outputs, loss, net[0].weight, (1, 2), 6)
    loss(outputs).backward()
    assert parts.sum() == pytest.approx(net[0].weight.grad[1, 2].item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["mlp", "lenet", "residual"])
def test_so_it_is_with_a_hundred_weights_of_a_preset(preset: str, tmp_path: Path) -> None:
    """The sum of all parts is the change, and a sample's part is that of a training on this sample alone."""
    run, draws = tmp_path / "run", random.Random(preset)
    assert train(ROOT / "configs" / f"{preset}.yaml", run, "train.epochs=1", "train.limit_batches=4") == 0
    replayed = Replayed(Recorded.of(run))
    model, criterion = replayed.run.model, replayed.run.criterion
    sizes = {name: list(p.shape) for name, p in model.named_parameters()}
    inputs, targets = next(replayed.run.train_loader.batches(0))
    inputs, targets = inputs[:6], targets[:6]
    model.eval()  # where a batch norm takes no sample for another's
    output, alone = model(inputs), []
    for row in range(6):
        model.zero_grad()
        criterion(model(inputs[row : row + 1]), targets[row : row + 1]).backward()
        alone.append({name: p.grad.array / 6 for name, p in model.named_parameters()})
    for _ in range(100):
        name = draws.choice(list(sizes))
        index = tuple(draws.randrange(size) for size in sizes[name])
        parts = sample_gradients(output, lambda y: criterion(y, targets), model.get_parameter(name), index, 6)
        wanted = [float(gradients[name][index]) for gradients in alone]
        np.testing.assert_allclose(parts, wanted, rtol=1e-4, atol=1e-7, err_msg=f"{name}{index}")
        found = why(run, [], name, index)
        assert found.last - found.first == pytest.approx(found.sum, abs=1e-9)
        assert abs(found.rounding) <= 1e-6 * max(1.0, abs(found.first))
