"""A stopped run goes on as if it had never been stopped, whatever it is made of."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lenetcli.config.catalogue import ROLES
from lenetcli.errors import ConfigError
from lenetcli.train.events import Event, Step
from tests.train.small import difference, resume, train, write_config


class Killed(BaseException):
    """What stands for a SIGKILL here: nothing is saved after it. Real ones are in test_faults.py."""


def at(step: int, act: Callable[[], Any]) -> Callable[[Event], None]:
    """A listener that acts once a step has been made."""

    def listen(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            act()

    return listen


def die() -> None:
    raise Killed


SCHEDULERS = {
    "none": "null",
    "StepLR": "{type: StepLR, step_size: 2, gamma: 0.5}",
    "MultiStepLR": "{type: MultiStepLR, milestones: [1, 2, 2]}",
    "ConstantLR": "{type: ConstantLR, factor: 0.5, total_iters: 2}",
    "LinearLR": "{type: LinearLR, total_iters: 3}",
    "ExponentialLR": "{type: ExponentialLR, gamma: 0.9}",
    "PolynomialLR": "{type: PolynomialLR, total_iters: 4, power: 2.0}",
    "CosineAnnealingLR": "{type: CosineAnnealingLR, T_max: 2}",
    "CosineAnnealingWarmRestarts": "{type: CosineAnnealingWarmRestarts, T_0: 1, T_mult: 2}",
    "CyclicLR": "{type: CyclicLR, base_lr: 0.001, max_lr: 0.1, step_size_up: 2}",
    "OneCycleLR": "{type: OneCycleLR, max_lr: 0.1, total_steps: 4}",
    "ReduceLROnPlateau": "{type: ReduceLROnPlateau, patience: 0, factor: 0.5}",
    "SequentialLR": "{type: SequentialLR, milestones: [1], schedulers: [{type: ConstantLR, factor: 0.1},"
    " {type: CosineAnnealingLR, T_max: 2}]}",
    "ChainedScheduler": "{type: ChainedScheduler, schedulers: [{type: ConstantLR, factor: 0.1},"
    " {type: ExponentialLR, gamma: 0.9}]}",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config"))


def check(config: Path, place: Path, *changes: str, stops: tuple[int, ...] = (6, 9)) -> None:
    """Asks a run to stop in the middle of two epochs, kills it in between, and compares its end with one in peace."""
    assert train(config, place / "whole", *changes) == 0
    assert train(config, place / "torn", *changes, also=at(stops[0], lambda: os.kill(os.getpid(), signal.SIGINT))) == 130
    with pytest.raises(Killed):
        resume(place / "torn", also=at(stops[0] + 1, die))
    for stop in stops[1:]:
        assert resume(place / "torn", also=at(stop, lambda: os.kill(os.getpid(), signal.SIGTERM))) == 143
    assert resume(place / "torn") == 0
    assert difference(place / "whole", place / "torn") is None


def test_every_scheduler_has_a_sample() -> None:
    assert set(SCHEDULERS) - {"none"} == set(ROLES["scheduler"].classes)


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_run_with_any_scheduler_goes_on_exactly(kind: str, config: Path, tmp_path: Path) -> None:
    check(config, tmp_path, f"scheduler={SCHEDULERS[kind]}")


@pytest.mark.parametrize("kind", ROLES["optimizer"].classes)
def test_a_run_with_any_optimizer_goes_on_exactly(kind: str, config: Path, tmp_path: Path) -> None:
    check(config, tmp_path, f"optimizer={{type: {kind}, lr: 0.01}}")


@pytest.mark.parametrize(
    "change",
    [
        "optimizer={type: SGD, lr: 0.1, momentum: 0.9, nesterov: true}",
        "optimizer={type: Adam, lr: 0.01, amsgrad: true}",
        "train.shuffle=false",
        "train.drop_last=true",
        "train.accumulate=3",
        "train.warmup=7",
        "train.ema=0.9",
        "train.validation=0.3",
        "train.clip_grad_norm=0.1",
        "train.early_stopping={patience: 2}",
        "train.limit_batches=3",
        "seed=18446744073709551615",
    ],
)
def test_a_run_with_any_option_goes_on_exactly(change: str, config: Path, tmp_path: Path) -> None:
    stops = (2, 4) if "accumulate" in change else (5, 8) if "limit" in change or "drop" in change else (6, 9)
    check(config, tmp_path, change, stops=stops)
