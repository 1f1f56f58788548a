"""The story of a training step: that its numbers are torch's, and that it is the step that training makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_run
from lenetcli.inspection.step.record import advance, record_step
from lenetcli.inspection.step.rules import rule_of
from lenetcli.inspection.step.story import PHASES, Moment, Story
from lenetcli.train.loop import fit, train_epoch
from lenetcli.train.run import Run
from tests.conftest import ROOT

TUTORIAL, MLP = (str(ROOT / "configs" / f"{name}.yaml") for name in ("tutorial", "mlp"))
LAYERS = (
    "model.layers=[{type: Conv2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1, name: conv},"
    "{type: BatchNorm2d, name: norm}, {type: Tanh}, {type: AvgPool2d, kernel_size: 2}, {type: Dropout, p: 0.25},"
    "{type: Flatten}, {type: Linear, out_features: 10, bias: false, name: fc}]"
)
SMALL_CNN = [MLP, LAYERS]


def made(path: str, *changes: str) -> Run:
    return build_run(configuration.load(path, list(changes)))


def told(path: str, *changes: str, after: int = 0, **options: Any) -> tuple[Run, Story]:
    run = made(path, *changes)
    advance(run, after)
    return run, record_step(run, **options)


def phase(story: Story, name: str) -> list[Moment]:
    return [moment for moment in story.moments if moment.phase == name]


@pytest.mark.parametrize(
    "words",
    [
        [TUTORIAL],
        [MLP],
        SMALL_CNN,
        [MLP, "train.accumulate=3", "train.warmup=10", "train.clip_grad_norm=0.1", "train.ema=0.9"],
    ],
    ids=["tutorial", "mlp", "cnn", "options"],
)
@pytest.mark.parametrize("after", [0, 2])
def test_it_is_the_step_that_training_makes(words: list[str], after: int) -> None:
    run, story = told(*words, after=after)
    assert (story.step, run.progress.step) == (after + 1, after + 1)
    twin = made(*words)
    events = fit(twin)
    while twin.progress.step <= after:
        next(events)
    assert_same_weights(run.model, twin.model)
    if run.average is not None and twin.average is not None:
        assert_same_weights(run.average, twin.average)


def assert_same_weights(model: Any, twin: Any) -> None:
    """Equal up to the rounding of fused operations."""
    found = model.state_dict()
    for name, tensor in twin.state_dict().items():
        np.testing.assert_allclose(found[name].array, tensor.array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_phases_come_in_order() -> None:
    _, story = told(MLP)
    order = [PHASES.index(moment.phase) for moment in story.moments]
    assert order == sorted(order)
    assert {m.phase for m in story.moments} == set(PHASES) - {"clip"}
    assert [m.number for m in story.moments] == list(range(1, len(story.moments) + 1))


@pytest.mark.parametrize("words", [[TUTORIAL], [MLP], SMALL_CNN], ids=["tutorial", "mlp", "cnn"])
def test_what_is_worked_out_by_hand_is_what_happened(words: list[str]) -> None:
    run, story = told(*words, after=1)
    worked = [line for moment in story.moments for line in moment.by_hand]
    assert len(worked) > 15
    for line in worked:
        if line.actual is not None:
            assert line.value == pytest.approx(line.actual, rel=1e-4, abs=1e-6), line
    last = phase(story, "update")[0].by_hand[-1]
    assert last.actual == float(run.model.get_parameter(story.parameter).array[story.index])


def test_numbers_are_those_of_torch(torch: Any) -> None:
    run = made(TUTORIAL, "optimizer.momentum=0.9")
    nnt = torch.nn
    net = nnt.Sequential(
        nnt.Conv2d(1, 6, 3), nnt.ReLU(), nnt.MaxPool2d(2), nnt.Conv2d(6, 16, 3), nnt.ReLU(), nnt.MaxPool2d(2),
        nnt.Flatten(), nnt.Linear(576, 120), nnt.ReLU(), nnt.Linear(120, 84), nnt.ReLU(), nnt.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for ours, theirs in zip(run.model.parameters(), net.parameters()):
            theirs.copy_(torch.tensor(ours.detach().numpy()))
    names = [name for name, _ in run.model.named_parameters()]
    story = record_step(run)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    outputs, gradients = [], []
    x = torch.tensor(story.tensors["input"].copy())
    for layer in net:
        x = layer(x)
        x.register_hook(lambda grad: gradients.append(grad.numpy().copy()))
        outputs.append(x.detach().numpy().copy())
    loss = nnt.functional.mse_loss(x, torch.tensor(story.tensors["target"].copy()))
    loss.backward()
    assert story.loss == pytest.approx(loss.item(), rel=1e-5)
    results = [m.shown[-1] for m in phase(story, "forward") if m.title != "T"]
    assert len(results) == len(outputs)
    for result, expected in zip(results, outputs):
        np.testing.assert_allclose(result.array, expected, rtol=1e-4, atol=1e-5)
    for result, expected in zip(reversed(results), gradients):
        np.testing.assert_allclose(story.tensors[f"d_{result.name}"], expected, rtol=1e-4, atol=1e-6)
    for name, theirs in zip(names, net.parameters()):
        np.testing.assert_allclose(story.tensors[f"{name}.grad"], theirs.grad.numpy(), rtol=1e-4, atol=1e-6)
    optimizer.step()
    moved = {change.name: change.after for change in story.moments[-2].changes}
    for name, theirs in zip(names, net.parameters()):
        after = moved[name]
        assert after is not None
        np.testing.assert_allclose(after, theirs.detach().numpy(), rtol=1e-5, atol=1e-7)


OPTIMIZERS = [
    "{type: SGD, lr: 0.1}",
    "{type: SGD, lr: 0.1, momentum: 0.9, dampening: 0.3, weight_decay: 0.01}",
    "{type: SGD, lr: 0.1, momentum: 0.9, nesterov: true, maximize: true}",
    "{type: Adam, weight_decay: 0.1}",
    "{type: Adam, amsgrad: true}",
    "{type: AdamW, lr: 0.01, weight_decay: 0.1}",
    "{type: Adamax, weight_decay: 0.1}",
    "{type: NAdam, weight_decay: 0.1}",
    "{type: NAdam, decoupled_weight_decay: true, weight_decay: 0.1}",
    "{type: RAdam, weight_decay: 0.1}",
    "{type: RMSprop}",
    "{type: RMSprop, momentum: 0.9, centered: true, weight_decay: 0.1}",
    "{type: Adagrad, lr_decay: 0.1, initial_accumulator_value: 0.2}",
    "{type: Adadelta, weight_decay: 0.1}",
    "{type: Rprop}",
    "{type: ASGD, lr: 0.1, lambd: 0.01, weight_decay: 0.1}",
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("after", [0, 1, 7])
def test_each_optimizers_rule_by_hand_gives_what_it_does(optimizer: str, after: int) -> None:
    _, story = told(MLP, f"optimizer={optimizer}", after=after, parameter="fc2.weight")
    moment = phase(story, "update")[0]
    last = moment.by_hand[-1]
    assert last.formula.startswith("p ←")
    before, actual = moment.changes[0].before, last.actual
    assert before is not None
    assert actual is not None
    start = float(before[story.index])
    assert last.value - start == pytest.approx(actual - start, rel=1e-3, abs=2e-8)


def test_every_optimizer_has_a_rule_but_those_that_no_number_alone_is_enough_for() -> None:
    named = {name for name in lenet.optim.__all__ if name[0].isupper() and name != "Optimizer"}
    assert {text.split()[1].rstrip(",}") for text in OPTIMIZERS} == named - {"Adafactor", "LBFGS", "Muon"}
    for after in (0, 2):
        moment = phase(told(MLP, "optimizer={type: Adafactor}", after=after, parameter="fc2.weight")[1], "update")[0]
        assert moment.by_hand == ()
        assert {change.name for change in moment.changes} == {"fc2.weight", "its step", "its row_var", "its col_var"}


def test_the_followed_number_can_be_chosen() -> None:
    _, story = told(MLP, parameter="fc3.bias", index=(4,))
    assert (story.parameter, story.index) == ("fc3.bias", (4,))
    assert any("d_c[4]" in line.formula for m in phase(story, "backward") for line in m.by_hand)
    _, story = told(MLP, parameter="fc2.weight", index=(3, 5))
    assert any(line.formula == "d_x[3,5] = grad[5,3]" for m in phase(story, "backward") for line in m.by_hand)


def test_names_lead_from_one_moment_to_the_next() -> None:
    _, story = told(TUTORIAL)
    for moment in phase(story, "forward") + phase(story, "loss"):
        *operands, result = moment.shown
        assert result.name == f"y{moment.number}"
        for operand in operands:
            assert operand.name == "target" or operand.name in story.tensors, operand.name
    arrived = {s.name for m in phase(story, "backward") for s in m.shown}
    assert {"d_conv1.weight", "d_fc3.bias"} <= arrived


def test_a_residual_sums_the_gradients_of_both_ways() -> None:
    layers = (
        "[{type: Flatten}, {type: Linear, out_features: 12}, {type: Residual, layers: ["
        "{type: Linear, out_features: 12}, {type: ReLU, inplace: true}]}, {type: Linear, out_features: 10}]"
    )
    run, story = told(MLP, f"model.layers={layers}")
    twin = made(MLP, f"model.layers={layers}")
    next(train_epoch(twin))
    assert any("sum of 2 gradients" in note for m in story.moments for note in m.notes)
    assert_same_weights(run.model, twin.model)


def test_gradients_of_several_batches_add_up() -> None:
    _, story = told(MLP, "train.accumulate=2")
    first, second = (m for m in phase(story, "backward") if m.title.startswith("AccumulateGrad"))
    assert first.changes[0].before is None
    np.testing.assert_array_equal(second.changes[0].before, first.changes[0].after)
    assert "input2" in story.tensors


def test_running_statistics_are_changes() -> None:
    _, story = told(*SMALL_CNN)
    (norm,) = (m for m in phase(story, "forward") if m.title == "NativeBatchNorm")
    assert [c.name for c in norm.changes][:2] == ["norm.running_mean", "norm.running_var"]


def test_the_loss_after_the_step_is_that_of_the_new_weights() -> None:
    run, story = told(MLP)
    inputs, targets = next(run.train_loader.batches(0))
    with lenet.no_grad():
        assert story.loss_after == pytest.approx(run.criterion(run.model(inputs), targets).item(), rel=1e-6)
    assert story.loss_after < story.loss


def test_training_before_the_step_goes_over_the_end_of_an_epoch() -> None:
    run = made(MLP, "scheduler={type: StepLR, step_size: 1, gamma: 0.1}")
    advance(run, run.steps)
    assert (run.progress.epoch, run.progress.batch) == (1, 0)
    assert run.lr == pytest.approx(2e-4)
    assert record_step(run).epoch == 2


def test_an_operation_without_a_formula_points_to_its_source() -> None:
    class Twice(lenet.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    y = Twice.apply(lenet.ones(2, requires_grad=True))
    rule = rule_of(y.grad_fn, {}, {"x": np.ones(2)})
    assert Path(__file__).name in rule.forward
    assert rule.backward["x"].startswith("d_x = grad")


def test_joined_tensors_have_roles_of_their_own() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(64, 5), nn.Linear(64, 5)

        def forward(self, x: Any) -> Any:
            x = x.flatten(1)
            return lenet.cat([self.a(x), self.b(x)], dim=1)

    run = made(MLP)
    run.model = Net()
    run.optimizer = lenet.optim.SGD(run.model.parameters(), lr=0.1)
    story = record_step(run)
    joined = next(m for m in story.moments if m.title == "Cat")
    assert [s.role for s in joined.shown] == ["x0", "x1", "y"]
    back = next(m for m in story.moments if m.title == "CatBackward")
    assert [(s.role, s.array.shape) for s in back.shown] == [("grad", (32, 10)), ("d_x0", (32, 5)), ("d_x1", (32, 5))]
    assert len(back.rules) == 2


def test_a_model_of_ones_own_can_be_followed() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            x = x.flatten(1)
            return self.fc(x) + self.fc(x.relu())

    run = made(MLP)
    run.model = Net()
    run.optimizer = lenet.optim.SGD(run.model.parameters(), lr=0.1)
    story = record_step(run, "fc.weight")
    last = phase(story, "update")[0].by_hand[-1]
    assert last.value == pytest.approx(last.actual, rel=1e-6)
