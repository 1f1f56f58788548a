"""Several losses as one: each counts as it would alone, whatever cuts the samples into batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_run
from lenetcli.errors import ConfigError
from lenetcli.train.evaluate import evaluate
from lenetcli.train.events import Evaluated, Step
from lenetcli.train.loop import fit
from lenetcli.train.losses import Losses, Term, loss_of
from lenetcli.train.several_tally import SeveralTally, check_state

HEADS = """
model:
  input: [1, 8, 8]
  layers:
    - {type: Flatten, name: trunk}
    - {type: Linear, name: digit, out_features: 10}
    - {type: Linear, name: second, from: trunk, out_features: 10}
    - {type: Linear, from: trunk, out_features: 64}
    - {type: Unflatten, name: picture, dim: 1, unflattened_size: [1, 8, 8]}
  outputs: [picture, digit, second]
data: {type: Digits}
loss:
  - {output: digit, type: CrossEntropyLoss, ignore_index: 3}
  - {output: second, type: CrossEntropyLoss, weight: 0.25, reduction: sum}
  - {output: picture, type: MSELoss, weight: 2, target: input}
  - {output: picture, type: L1Loss, weight: 0.5, target: input}
optimizer: {type: SGD, lr: 0.001}
train: {epochs: 1, batch_size: 64}
"""


def heads(place: Path, *changes: str) -> Any:
    (place / "heads.yaml").write_text(HEADS)
    return build_run(configuration.load(place / "heads.yaml", changes))


def test_figures_are_told_under_the_outputs_names(tmp_path: Path) -> None:
    run = heads(tmp_path)
    assert [term.name for term in run.criterion.terms] == ["digit", "second", "picture.MSELoss", "picture.L1Loss"]
    assert [term.index for term in run.criterion.terms] == [1, 2, 0, 0]
    events = list(fit(run))
    step = next(event for event in events if isinstance(event, Step))
    assert step.outputs is not None
    weights = {term.name: term.weight for term in run.criterion.terms}
    parts = {name: figures["loss"] or 0.0 for name, figures in step.outputs.items()}
    assert step.loss == pytest.approx(sum(weights[name] * part for name, part in parts.items()), rel=1e-6)
    for found in (event for event in events if isinstance(event, Evaluated)):
        assert found.outputs is not None
        total = sum(weights[name] * (figures["loss"] or 0.0) for name, figures in found.outputs.items())
        assert found.loss == pytest.approx(total, rel=1e-9)
        assert found.accuracy == found.outputs["digit"]["accuracy"]
        assert found.outputs["picture.MSELoss"]["accuracy"] is None
        json.dumps(found.record())


def test_accumulated_batches_make_the_step_of_one_batch(tmp_path: Path) -> None:
    whole, parts = (
        heads(tmp_path, f"train.batch_size={size}", f"train.accumulate={count}", "train.shuffle=false")
        for size, count in ((96, 1), (32, 3))
    )
    for run in (whole, parts):
        for i, event in enumerate(fit(run)):
            if i == 2 or not isinstance(event, Step):
                break
    for ours, theirs in zip(whole.model.parameters(), parts.model.parameters()):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_an_evaluation_does_not_depend_on_batches(tmp_path: Path) -> None:
    run = heads(tmp_path)
    found = []
    for size in (7, 355):
        run.test_loader.batch_size = size
        found.append(evaluate(run.model, run.test_loader, run.criterion, 10))
    for name in found[0].outputs or {}:
        a, b = ((each.outputs or {})[name] for each in found)
        assert a.loss == pytest.approx(b.loss, rel=1e-5)
        assert (a.accuracy, a.count, a.ignored) == (b.accuracy, b.count, b.ignored)
    assert (found[0].outputs or {})["digit"].ignored > 0
    assert found[0].counts is not None


def test_each_loss_is_as_it_is_alone() -> None:
    lenet.manual_seed(0)
    a, b = lenet.randn(6, 3, requires_grad=True), lenet.randn(6, 2, requires_grad=True)
    labels, inputs = lenet.tensor([0, 1, 2, 0, 1, 2]), lenet.randn(6, 2)
    losses = Losses([
        Term("a", nn.CrossEntropyLoss(), 0, 0.3), Term("b", nn.MSELoss(), 1, 2.0, "input"),
    ])  # fmt: skip
    total = loss_of(losses, (a, b), labels, inputs)
    total.backward()
    grads = [a.grad.numpy().copy(), b.grad.numpy().copy()]
    a.grad = b.grad = None
    alone = 0.3 * nn.CrossEntropyLoss()(a, labels) + 2 * nn.MSELoss()(b, inputs)
    alone.backward()
    assert total.item() == pytest.approx(alone.item(), rel=1e-6)
    for grad, tensor in zip(grads, (a, b)):
        np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-5)


def test_a_batch_of_which_one_loss_counts_nothing_counts_for_the_others(tmp_path: Path) -> None:
    run = heads(tmp_path, "loss.1.ignore_index=3")
    three = lenet.full((4,), 3, dtype=lenet.int64)
    batch = (lenet.rand(4, 1, 8, 8), three)
    from lenetcli.train.step import Step as Making

    step = Making(run)
    step.make([batch], before="update")
    assert np.isfinite(step.loss.item())
    assert step.shares[0] == 0
    assert run.model.digit.weight.grad is None or not run.model.digit.weight.grad.numpy().any()
    assert run.model.get_submodule("3").weight.grad.numpy().any()


@pytest.mark.parametrize("state", ["[[1]]", "{}", "[[1, 2, 3, 4, 5]]", '[["a", 1, 1, 1, 1]]', "[[1e300, 1, 1, 1, 1]]"])
def test_sums_that_are_none_are_refused(state: str) -> None:
    losses = Losses([Term("a", nn.MSELoss()), Term("b", nn.L1Loss())])
    with pytest.raises(ValueError, match="epoch_losses"):
        check_state(losses, state)
    check_state(losses, SeveralTally(losses).state())
    check_state(nn.MSELoss(), None)
    with pytest.raises(ValueError, match="epoch_losses"):
        check_state(nn.MSELoss(), "[]")


def test_weights_of_classes_are_those_of_losses_of_labels(tmp_path: Path) -> None:
    run = heads(tmp_path, "train.class_weights=balanced")
    assert run.criterion.terms[0].criterion.weight is not None
    assert run.criterion.terms[1].criterion.weight is not None
    (tmp_path / "auto.yaml").write_text(
        HEADS.replace("outputs: [picture, digit, second]", "outputs: [picture]")
        .replace("    - {type: Linear, name: digit, out_features: 10}\n", "")
        .replace("    - {type: Linear, name: second, from: trunk, out_features: 10}\n", "")
        .split("loss:")[0]
        + "loss: {type: MSELoss, target: input}\noptimizer: {type: SGD, lr: 0.1}\ntrain: {epochs: 1}\n"
    )
    config = configuration.load(tmp_path / "auto.yaml")
    assert build_run(config).criterion.terms[0].target == "input"
    with pytest.raises(ConfigError, match="has no weights of classes"):
        build_run(configuration.load(tmp_path / "auto.yaml", ["train.class_weights=balanced"]))
