"""A stopped run goes on as if it had never been stopped, whatever it is made of."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.config.catalogue import ROLES
from lenetcli.errors import ConfigError, DataError
from tests.train.small import at, difference, figures, resume, train, write_config


class Killed(BaseException):
    """What stands for a SIGKILL here: nothing is saved after it. Real ones are in test_faults.py."""


def die() -> None:
    raise Killed


SCHEDULERS = {
    "none": "null",
    "LambdaLR": "{type: LambdaLR, lr_lambda: my_rates.py:halving}",
    "MultiplicativeLR": "{type: MultiplicativeLR, lr_lambda: my_rates.py:falling}",
    "StepLR": "{type: StepLR, step_size: 2, gamma: 0.5}",
    "MultiStepLR": "{type: MultiStepLR, milestones: [1, 2, 2]}",
    "ConstantLR": "{type: ConstantLR, factor: 0.5, total_iters: 2}",
    "LinearLR": "{type: LinearLR, total_iters: 3}",
    "ExponentialLR": "{type: ExponentialLR, gamma: 0.9}",
    "PolynomialLR": "{type: PolynomialLR, total_iters: 4, power: 2.0}",
    "CosineAnnealingLR": "{type: CosineAnnealingLR, T_max: 2}",
    "CosineAnnealingWarmRestarts": "{type: CosineAnnealingWarmRestarts, T_0: 1, T_mult: 2}",
    "CyclicLR": "{type: CyclicLR, base_lr: 0.001, max_lr: 0.1, step_size_up: 2}",
    "OneCycleLR": "{type: OneCycleLR, max_lr: 0.1}",
    "ReduceLROnPlateau": "{type: ReduceLROnPlateau, patience: 0, factor: 0.5}",
    "SequentialLR": "{type: SequentialLR, milestones: [1], schedulers: [{type: ConstantLR, factor: 0.1},"
    " {type: CosineAnnealingLR, T_max: 2}]}",
    "ChainedScheduler": "{type: ChainedScheduler, schedulers: [{type: ConstantLR, factor: 0.1},"
    " {type: ExponentialLR, gamma: 0.9}]}",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("config")
    (place / "my_rates.py").write_text(
        "def halving(epoch):\n    return 0.5**epoch\n\n\ndef falling(epoch):\n    return 0.9\n"
    )
    return write_config(place)


def check(config: Path, place: Path, *changes: str, stops: tuple[int, ...] = (6, 9)) -> None:
    """Asks a run to stop in the middle of two epochs, kills it in between, and compares its end with one in peace."""
    assert train(config, place / "whole", *changes) == 0
    assert (
        train(config, place / "torn", *changes, also=at(stops[0], lambda: os.kill(os.getpid(), signal.SIGINT))) == 130
    )
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


MATRICES = "model.layers=[{type: Flatten}, {type: Linear, out_features: 4, bias: false}]"


@pytest.mark.parametrize("kind", ROLES["optimizer"].classes)
def test_a_run_with_any_optimizer_goes_on_exactly(kind: str, config: Path, tmp_path: Path) -> None:
    check(config, tmp_path, f"optimizer={{type: {kind}, lr: 0.01}}", *([MATRICES] if kind == "Muon" else []))


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


# What may change


def saved_config(run: Path) -> Any:
    newest = (run / "checkpoints" / "latest").read_text()
    return json.loads((run / "checkpoints" / newest / "state.json").read_text())["config"]


def rates(run: Path) -> list[float]:
    """The learning rate of each step."""
    return [event["lr"] for event in figures(run) if event["event"] == "step"]


def stopped(config: Path, place: Path, *changes: str) -> Path:
    """A run that was stopped in the middle of its second epoch."""
    assert train(config, place / "run", *changes, also=at(6, lambda: os.kill(os.getpid(), signal.SIGINT))) == 130
    return place / "run"


def test_a_run_can_be_made_longer_and_stays_so(config: Path, tmp_path: Path) -> None:
    train(config, tmp_path / "whole", "train.epochs=4")
    run = stopped(config, tmp_path)
    with pytest.raises(Killed):
        resume(run, "train.epochs=4", also=at(7, die))
    assert resume(run) == 0
    assert difference(tmp_path / "whole", run) is None
    assert "epochs: 4" in (run / "config.yaml").read_text()


def test_a_new_learning_rate_is_scaled_as_the_schedule_says(config: Path, tmp_path: Path) -> None:
    run = stopped(config, tmp_path, "scheduler={type: ExponentialLR, gamma: 0.5}")
    with pytest.raises(Killed):
        resume(run, "optimizer.lr=0.1", also=at(7, die))  # before a checkpoint knows of the new rate
    assert resume(run) == 0
    assert rates(run) == pytest.approx([0.01] * 4 + [0.005] * 2 + [0.05] * 2 + [0.025] * 4)
    assert saved_config(run)["optimizer"]["lr"] == 0.1
    assert resume(run, "train.epochs=4") == 0
    assert rates(run)[12:] == pytest.approx([0.0125] * 4)


@pytest.mark.parametrize("scheduler", ["null", "{type: CosineAnnealingLR, T_max: 3}", SCHEDULERS["SequentialLR"]])
def test_a_new_learning_rate_counts_from_the_first_step_on(scheduler: str, config: Path, tmp_path: Path) -> None:
    train(config, tmp_path / "whole", f"scheduler={scheduler}", "optimizer.lr=0.02")
    run = stopped(config, tmp_path, f"scheduler={scheduler}")
    assert resume(run, "optimizer.lr=0.02") == 0
    assert rates(run)[6:] == pytest.approx(rates(tmp_path / "whole")[6:])


def test_a_learning_rate_that_the_scheduler_sets_cannot_change(config: Path, tmp_path: Path) -> None:
    run = stopped(config, tmp_path, f"scheduler={SCHEDULERS['OneCycleLR']}")
    with pytest.raises(ConfigError, match=r"optimizer\.lr: .* OneCycleLR sets the learning rate itself"):
        resume(run, "optimizer.lr=0.1")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "out_features: 5",
            "out_features: 6",
            r"model\.layers\[1\]\.out_features: was 5 when the run was saved, is 6 now",
        ),
        ("p: 0.3", "p: 0.4", r"model\.layers\[3\]\.p: was 0\.3 .*, is 0\.4 now"),
        ("batch_size: 4", "batch_size: 5", r"train\.batch_size: was 4"),
        ("seed: 0", "seed: 1", "seed: was 0"),
        ("patience: 0", "patience: 1", r"scheduler\.patience: was 0"),
    ],
)
def test_a_changed_configuration_is_refused(old: str, new: str, message: str, config: Path, tmp_path: Path) -> None:
    run = stopped(config, tmp_path)
    before = (run / "config.yaml").read_text()
    changed = before.replace(old, new, 1)
    assert changed != before
    if "out_features" in new:
        changed = changed.replace("num_features: 5", "num_features: 6").replace("in_features: 5", "in_features: 6")
    (run / "config.yaml").write_text(changed)
    with pytest.raises(ConfigError, match=message):
        resume(run)
    (run / "config.yaml").write_text(before)
    assert resume(run) == 0


def test_only_some_keys_may_change_on_the_command_line(config: Path, tmp_path: Path) -> None:
    run = stopped(config, tmp_path)
    with pytest.raises(ConfigError, match=r"only train\.epochs, train\.max_time, optimizer\.lr, device may change"):
        resume(run, "model.layers.fc1.out_features=6")


ONE_CYCLE = "{type: OneCycleLR, max_lr: 0.1, total_steps: %d, cycle_momentum: false}"


@pytest.mark.parametrize(
    ("scheduler", "place"),
    [
        (ONE_CYCLE % 2, "scheduler: "),
        (ONE_CYCLE % 11, "scheduler: "),
        (
            "{type: ChainedScheduler, step: epoch, schedulers: [{type: ConstantLR}, %s]}" % (ONE_CYCLE % 2),
            r"schedulers\[1\]: ",
        ),
        (
            "{type: SequentialLR, step: epoch, milestones: [1], schedulers: [{type: ConstantLR}, %s]}"
            % (ONE_CYCLE % 1),
            r"schedulers\[1\]: ",
        ),
        (
            "{type: SequentialLR, step: epoch, milestones: [3], schedulers: [%s, {type: ConstantLR}]}"
            % (ONE_CYCLE % 1),
            r"schedulers\[0\]: ",
        ),
    ],
)
def test_a_schedule_that_ends_before_the_run_is_refused_at_once(
    scheduler: str, place: str, config: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=place + "OneCycleLR is over after"):
        train(config, tmp_path / "run", f"scheduler={scheduler}")
    assert not (tmp_path / "run").exists()


def test_a_schedule_that_lasts_as_long_as_the_run_is_taken_and_no_longer(config: Path, tmp_path: Path) -> None:
    last = "{type: SequentialLR, step: epoch, milestones: [1], schedulers: [{type: ConstantLR}, %s]}" % (ONE_CYCLE % 2)
    for number, scheduler in enumerate((ONE_CYCLE % 12, last)):
        assert train(config, tmp_path / str(number), f"scheduler={scheduler}") == 0
        with pytest.raises(ConfigError, match=r"OneCycleLR is over after .* (epochs|steps) and would have to last for"):
            resume(tmp_path / str(number), "train.epochs=4")


# Where there is little or nothing to go on from


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(config, tmp_path / "whole")
    with pytest.raises(Killed):
        train(config, tmp_path / "run", also=at(3, die))
    assert resume(tmp_path / "run") == 0
    assert "has no checkpoint yet: starting from its beginning" in capsys.readouterr().err
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_a_finished_run_stays_as_it_is(config: Path, tmp_path: Path) -> None:
    train(config, tmp_path / "whole")
    train(config, tmp_path / "run")
    assert resume(tmp_path / "run") == 0
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_lost_best_weights_are_written_again(config: Path, tmp_path: Path) -> None:
    run = stopped(config, tmp_path)
    before = (run / "model.safetensors").read_bytes()
    for damage in (before[:-1] + b"?", b"", None):
        if damage is None:
            (run / "model.safetensors").unlink()
        else:
            (run / "model.safetensors").write_bytes(damage)
        with pytest.raises(Killed):
            resume(run, also=at(7, die))
        assert (run / "model.safetensors").read_bytes() == before


def test_damaged_checkpoints_are_set_aside(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(config, tmp_path / "whole")
    run = stopped(config, tmp_path)
    (run / "checkpoints" / "000006" / "state.json").write_text("{}")
    assert resume(run) == 0
    assert "from checkpoint 000004; skipped: " in capsys.readouterr().err
    assert (run / "checkpoints" / "000006.damaged" / "state.json").read_text() == "{}"
    assert difference(tmp_path / "whole", run) is None


def test_the_streams_of_a_run_do_not_depend_on_each_other(config: Path, tmp_path: Path) -> None:
    """A model with more initial weights gets the same order of samples and the same dropout."""
    states = []
    for size in (5, 50):
        run = tmp_path / str(size)
        train(config, run, f"model.layers.fc1.out_features={size}", "model.layers.3={type: Identity}", "train.epochs=1")
        states.append(json.loads((run / "checkpoints" / "000004" / "state.json").read_text())["random"])
    assert states[0]["init"] != states[1]["init"]
    assert states[0]["dropout"] == states[1]["dropout"]
    assert states[0]["shuffle"] == states[1]["shuffle"]
    assert set(states[0]) == {"init", "shuffle", "dropout", "augmentation"}


def test_data_that_has_changed_is_noticed(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.random((14, 1, 2, 2)), "y_train": np.arange(14) % 3}
    arrays |= {"x_test": arrays["x_train"][:4], "y_test": arrays["y_train"][:4]}
    np.savez(tmp_path / "data.npz", **arrays)
    run = stopped(config, tmp_path, f"data={{type: NPZ, path: {tmp_path / 'data.npz'}}}")
    np.savez(tmp_path / "data.npz", **{**arrays, "x_train": arrays["x_train"][:9], "y_train": arrays["y_train"][:9]})
    with pytest.raises(DataError, match="the data has changed: it had 14 samples to train on, now it has 9"):
        resume(run)
