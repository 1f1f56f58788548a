"""Frozen layers and groups of parameters: what trains at which rate, and that runs with them resume exactly."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import load as load_weights
from lenetcli import nn, optim
from lenetcli.autograd.modes import fusion
from lenetcli.build.parts import build_run
from lenetcli.config import load
from lenetcli.config.catalogue import ROLES
from lenetcli.inspection.training.lr_finder import lr_range
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from lenetcli.train.step import Step
from lenetcli.trainer import Trainer
from tests.cli.conftest import Lenet, lenet, place  # noqa: F401  # fixtures
from tests.train.small import at, difference, resume, train

CONFIG = """
model:
  input: [1, 6, 6]
  layers:
    - {type: Conv2d, name: conv1, out_channels: 3, kernel_size: 3}
    - {type: BatchNorm2d, name: bn1}
    - {type: ReLU}
    - {type: Sequential, name: layer1, layers: [{type: Conv2d, name: conv, out_channels: 3, kernel_size: 3},
       {type: BatchNorm2d, name: bn, affine: false}, {type: ReLU}]}
    - {type: Flatten}
    - {type: Dropout, p: 0.3}
    - {type: Linear, name: fc, out_features: 4}
data: {type: Random, shape: [1, 6, 6], classes: 4, train: 14, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 0.01, weight_decay: 0.1}
train: {epochs: 4, batch_size: 4}
"""  # 4 steps an epoch
FREEZE = ('model.freeze=[conv1, bn1, "layer1.*"]',)
UNFREEZE = (*FREEZE, "model.unfreeze.epoch=3")  # after step 8
GROUPS = ('optimizer.groups=[{match: "fc", lr: 0.1, weight_decay: 0}, {match: "*.bias", betas: [0.5, 0.9]}]',)


class Killed(BaseException):
    """What stands for a SIGKILL."""


def die() -> None:
    raise Killed


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path / "c.yaml"


def built(config: Path, *changes: str) -> Run:
    return build_run(load(config, changes))


def trainable(run: Run) -> list[str]:
    return [name for name, parameter in run.model.named_parameters() if parameter.requires_grad]


# What a pattern matches


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("conv1", ["conv1.weight", "conv1.bias"]),
        ("conv1.weight", ["conv1.weight"]),
        ("layer1", ["layer1.conv.weight", "layer1.conv.bias"]),
        ("layer1.*", ["layer1.conv.weight", "layer1.conv.bias"]),
        ("*conv*", ["conv1.weight", "conv1.bias", "layer1.conv.weight", "layer1.conv.bias"]),
        ("*.bias", ["conv1.bias", "bn1.bias", "layer1.conv.bias", "fc.bias"]),
        ("[bc]*1", ["conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias"]),
        ("layer1.bn", []),
    ],
)
def test_a_pattern_means_modules_with_all_below_them_and_parameters(
    pattern: str, wanted: list[str], config: Path
) -> None:
    run = built(config, f"model.freeze=[{json.dumps(pattern)}]")
    assert [name for name, _ in run.model.named_parameters() if name not in trainable(run)] == wanted


def test_batch_norms_stay_in_evaluation_mode_where_all_that_they_learn_is_frozen(config: Path) -> None:
    for changes, frozen in (
        (("model.freeze=[bn1.weight]",), []), (("model.freeze=[bn1]",), ["bn1"]),
        (('model.freeze=["bn1.*"]',), ["bn1"]), (("model.freeze=[layer1]",), ["layer1.bn"]),
        (('model.freeze=["layer1.bn"]',), ["layer1.bn"]), (FREEZE, ["bn1", "layer1.bn"]),
    ):  # fmt: skip
        model = built(config, *changes).model
        for mode in (model.train, model.eval, model.train):
            mode()
            for name, module in model.named_modules():
                expected = mode == model.train and name not in frozen
                assert module.training is expected, (changes, name)


def test_what_is_frozen_does_not_move_by_one_bit_whatever_the_options(config: Path) -> None:
    decaying = "optimizer={type: SGD, lr: 0.1, momentum: 0.9, weight_decay: 0.5}"
    limited = ("train.clip_grad_norm=0.01", "train.accumulate=3")
    for changes in ((), ("train.ema=0.9",), limited, GROUPS, (decaying, "train.warmup=2")):
        run = built(config, *FREEZE, *changes)
        before = {name: tensor.array.copy() for name, tensor in run.model.state_dict().items()}
        list(fit(run))
        for model in (run.model, *([run.average.module] if run.average is not None else [])):
            for name, tensor in model.state_dict().items():
                assert np.array_equal(tensor.array, before[name]) is not name.startswith("fc"), (changes, name)
        assert [p for p in run.optimizer.state if not p.requires_grad] == [], "no state of what never moved"


def test_from_the_epoch_on_that_is_named_all_train(config: Path) -> None:
    run, moved = built(config, *UNFREEZE), {}
    before = run.model.conv1.weight.array.copy()
    for event in fit(run):
        if event.__class__.__name__ == "Step":
            moved[event.step] = not np.array_equal(run.model.conv1.weight.array, before)
    assert [step for step, has in moved.items() if has] == list(range(9, 17))
    assert trainable(run) == [name for name, _ in run.model.named_parameters()]
    assert run.model.train().bn1.training


def test_it_trains_as_torch_does_with_requires_grad_off(torch: Any, config: Path) -> None:
    changes = (*FREEZE, *GROUPS, "model.layers.5.p=0.0", "train.shuffle=false")
    run = built(config, *changes)
    layers = [torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Sequential(
        torch.nn.Conv2d(3, 3, 3), torch.nn.BatchNorm2d(3, affine=False), torch.nn.ReLU()), torch.nn.Flatten(),
        torch.nn.Linear(12, 4)]  # fmt: skip
    theirs = torch.nn.Sequential(*layers)
    for tensor, own in zip(theirs.state_dict().values(), run.model.state_dict().values(), strict=True):
        tensor.copy_(torch.from_numpy(np.array(own.numpy())))
    for layer in layers[:4]:
        layer.requires_grad_(False)
    head = layers[5]
    biases = [p for name, p in theirs.named_parameters() if name.endswith("bias") and not name.startswith("5")]
    rest = [p for name, p in theirs.named_parameters() if name.endswith("weight") and not name.startswith("5")]
    optimizer = torch.optim.Adam(
        [{"params": rest}, {"params": [head.weight, head.bias], "lr": 0.1, "weight_decay": 0},
         {"params": biases, "betas": (0.5, 0.9)}], lr=0.01, weight_decay=0.1,
    )  # fmt: skip
    batches = [
        tuple(torch.from_numpy(np.array(part.numpy())) for part in batch) for batch in run.train_loader.batches(0)
    ]
    losses, wanted = [], []
    theirs.train()
    layers[1].eval()
    layers[3].eval()
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(inputs), targets)
        loss.backward()
        optimizer.step()
        wanted.append(loss.item())
    for event in fit(run):
        if event.__class__.__name__ == "Step":
            losses.append(event.loss)
    np.testing.assert_allclose(losses[: len(wanted)], wanted, rtol=1e-5)


FUSED = """
model:
  input: [1, 8, 8]
  freeze: ["conv*", fc1]
  layers:
    - {type: Conv2d, name: conv1, out_channels: 4, kernel_size: 3}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Linear, name: fc1, out_features: 6}
    - {type: ReLU}
    - {type: Linear, name: fc2, out_features: 4}
data: {type: Random, shape: [1, 8, 8], classes: 4, train: 14, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.01}
train: {epochs: 1, batch_size: 4}
"""


@pytest.mark.parametrize("fused", [True, False])
def test_backward_ends_where_nothing_before_trains(fused: bool, config: Path) -> None:
    config.write_text(FUSED)
    run = built(config)
    with fusion(fused):
        step = Step(run)
        step.make(next(batches_of_steps(run)), before="backward")
    names, waiting = [], [step.loss.grad_fn]
    while waiting:
        node = waiting.pop()
        names.append(node.name())
        waiting += [below for below, _ in node.next_functions if below is not None]
    loss = ["LogSoftmaxBackward", "NllLossBackward"]
    assert sorted(names) == sorted(["AccumulateGrad", "AccumulateGrad", "AddmmBackward", "TBackward", *loss])


# Groups


def test_the_first_pattern_counts_and_the_rest_comes_first(config: Path) -> None:
    run = built(config, *GROUPS)
    names = {id(p): name for name, p in run.model.named_parameters()}
    groups = [[names[id(p)] for p in group["params"]] for group in run.optimizer.param_groups]
    assert groups == [
        ["conv1.weight", "bn1.weight", "layer1.conv.weight"],
        ["fc.weight", "fc.bias"],
        ["conv1.bias", "bn1.bias", "layer1.conv.bias"],
    ]
    options = [(g["lr"], g["weight_decay"], tuple(g["betas"])) for g in run.optimizer.param_groups]
    assert options == [(0.01, 0.1, (0.9, 0.999)), (0.1, 0, (0.9, 0.999)), (0.01, 0.1, (0.5, 0.9))]
    everything = built(config, 'optimizer.groups=[{match: "*", lr: 0.5}]')
    assert [group["lr"] for group in everything.optimizer.param_groups] == [0.5]


@pytest.mark.parametrize("name", sorted(set(ROLES["optimizer"].classes) - {"Muon"}))  # which takes matrices alone
def test_every_optimizer_takes_all_of_its_arguments_in_a_group(name: str, config: Path) -> None:
    from lenetcli.config.signature import arguments

    known = arguments(getattr(optim, name), optim.Optimizer)
    defaults = {a.name: a.default for a in known if a.default is not None and a.name not in ("nesterov", "maximize")}
    group = {**{k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()}, "lr": 0.003}
    run = built(config, f"optimizer={{type: {name}, lr: 0.01, groups: [{json.dumps({'match': 'fc', **group})}]}}")
    assert run.optimizer.param_groups[1]["lr"] == 0.003
    for event in fit(run):
        if event.__class__.__name__ == "Step":
            break


SCHEDULES = (
    "StepLR, step_size: 1",
    "CosineAnnealingLR",
    "ReduceLROnPlateau, patience: 0",
    "OneCycleLR, max_lr: [1.0, 2, 3]",
)


@pytest.mark.parametrize("scheduler", SCHEDULES)
def test_schedulers_act_on_every_group(scheduler: str, config: Path) -> None:
    run = built(config, *GROUPS, f"scheduler={{type: {scheduler}}}")
    before = [group["lr"] for group in run.optimizer.param_groups]
    list(fit(run))
    after = [group["lr"] for group in run.optimizer.param_groups]
    assert all(a != b for a, b in zip(before, after, strict=True)) or "Plateau" in scheduler


def test_warm_up_acts_on_every_group(config: Path) -> None:
    run = built(config, *GROUPS, "train.warmup=4", "optimizer.type=SGD", 'optimizer.groups=[{match: fc, lr: 0.1}]',
                "optimizer.weight_decay=0.0")  # fmt: skip
    step = Step(run)
    step.make(next(batches_of_steps(run)), before="update")
    before, grad = run.model.fc.bias.array.copy(), run.model.fc.bias.grad.array.copy()
    step.update()
    np.testing.assert_allclose(before - run.model.fc.bias.array, 0.1 / 4 * grad, rtol=1e-4)


# Resuming


@pytest.mark.parametrize("stop", [3, 4, 5, 7, 8, 9, 10])
@pytest.mark.parametrize("options", [(), ("train.ema=0.9", "train.accumulate=2", *GROUPS)], ids=["plain", "all"])
def test_a_kill_before_at_and_after_the_boundary_is_not_seen(options: tuple[str, ...], stop: int, config: Path) -> None:
    changes = (*UNFREEZE, *options, "scheduler={type: StepLR, step_size: 1, gamma: 0.5}", "train.epochs=5")
    whole, torn = config.parent / "whole", config.parent / "torn"
    assert train(config, whole, *changes) == 0
    if not options:
        code = train(config, torn, *changes, also=at(stop, lambda: os.kill(os.getpid(), signal.SIGINT)))
        assert code == 130
    else:
        with pytest.raises(Killed):
            train(config, torn, *changes, also=at(stop, die))
    assert resume(torn) == 0
    assert difference(whole, torn) is None


def test_the_rate_of_all_may_change_and_that_of_a_group_stays(config: Path) -> None:
    run = config.parent / "run"
    changes = (*GROUPS, "train.epochs=1", "scheduler={type: StepLR, step_size: 1, gamma: 0.5}")
    assert train(config, run, *changes) == 0
    assert resume(run, "optimizer.lr=0.004", "train.epochs=2") == 0
    last = (run / "checkpoints" / "latest").read_text()
    groups = load_weights(run / "checkpoints" / last / "optimizer.safetensors")["param_groups"]
    assert [group["lr"] for group in groups] == pytest.approx([0.001, 0.025, 0.001])


# Everything that shows or uses it


def test_commands_show_what_is_frozen_and_at_which_rate(lenet: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    changes = (*UNFREEZE, 'optimizer.groups=[{match: "fc.*", lr: 0.1}]')
    frozen = (
        "model.freeze: 6 of 8 tensors (120 of 172 parameters) do not train before epoch 3; "
        "2 batch norms stay in evaluation mode"
    )
    group = "optimizer.groups: fc.*: lr 0.1 (2 tensors, 52 parameters)"
    for words in (("train", "c.yaml", "--out", "run"), ("validate", "c.yaml"), ("step", "c.yaml")):
        done = lenet(words[0], words[1], *changes, *words[2:])
        assert done.code == 0, done.err
        assert frozen in done.err, words
        assert group in done.err, words
    lenet("train", "c.yaml", *changes, "train.epochs=2", "--out", "short")
    for what, frozen_now in (("run", 0), ("short", 0)):
        record = json.loads(lenet("inspect-params", what, "--json").out)
        assert [p["lr"] for p in record["parameters"]] == [0.01] * 6 + [0.1] * 2
        assert record["total"] - record["trainable"] == frozen_now
    lenet("train", "c.yaml", *changes, "train.epochs=1", "--out", "first")
    record = json.loads(lenet("inspect-params", "first", "--json").out)
    assert [p["trainable"] for p in record["parameters"]] == [False] * 6 + [True] * 2
    assert "frozen" in lenet("inspect-params", "first").out


COMMANDS = ("time", "gradcheck", "find-lr", "trace-grad", "step", "validate", "show", "train")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_configuration_with_frozen_layers(command: str, lenet: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    done = lenet(command, "c.yaml", *FREEZE, *GROUPS)
    assert done.code == 0, done.err + done.out


def test_every_command_takes_a_run_with_frozen_layers(lenet: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    lenet("train", "c.yaml", *UNFREEZE, *GROUPS, "--out", "run")
    looks = [("inspect-params", look) for look in ("--updates", "--gradients", "--tree", "--summary")]
    for name, *options in (*looks, ("report",), ("eval",), ("plot",), ("step",), ("trace-grad",), ("diff", "run")):
        done = lenet(name, "run", *options)
        assert done.code == 0, (name, options, done.err + done.out)


def test_a_step_is_shown_as_it_is_made_before_and_after_the_boundary(lenet: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    for after, learn in ((7, False), (8, True)):
        told = json.loads(lenet("step", "c.yaml", *UNFREEZE, "--step", str(after), "--json").out)
        notes = " ".join(told["moments"][-2]["notes"])
        assert ("frozen, so neither gradient nor step: conv1.weight" not in notes) is learn, (after, notes)
        assert "no gradient" not in notes


def test_finding_a_rate_leaves_what_was_frozen_frozen(config: Path) -> None:
    run = built(config, *UNFREEZE)
    lr_range(run, 1e-4, 1e-1, 20)
    assert trainable(run) == ["fc.weight", "fc.bias"]
    assert not run.model.bn1.training


def test_finding_a_rate_keeps_the_groups_apart(config: Path) -> None:
    run, seen = built(config, *GROUPS), set()
    run.optimizer.register_step_pre_hook(
        lambda optimizer, *_: seen.add(
            tuple(round(g["lr"] / optimizer.param_groups[0]["lr"], 6) for g in optimizer.param_groups)
        )
    )
    lr_range(run, 1e-4, 1e-2, 5)
    assert seen == {(1.0, 10.0, 1.0)}
    assert [group["lr"] for group in run.optimizer.param_groups] == [0.01, 0.1, 0.01]


def test_a_trainer_in_python_does_as_the_command(config: Path) -> None:
    trainer = Trainer(str(config), *UNFREEZE, out=config.parent / "run")
    trainer.fit(progress="off")
    assert train(config, config.parent / "other", *UNFREEZE) == 0
    assert difference(config.parent / "run", config.parent / "other") is None


def test_a_frozen_norm_can_be_made_by_hand_and_copied() -> None:
    from copy import deepcopy

    net = nn.Sequential(nn.BatchNorm1d(2))
    net[0].frozen = True
    assert not deepcopy(net).train()[0].training
    net[0].frozen = False
    assert net.train()[0].training
