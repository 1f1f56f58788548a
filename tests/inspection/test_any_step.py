"""Any step of any run: what training again gives is what the run had, to the bit, or nothing is claimed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from lenetcli import load
from lenetcli.errors import CheckFailed, ConfigError
from lenetcli.inspection.compare.tensors import bit_differences, flat
from lenetcli.inspection.training.replay import replayed_to
from lenetcli.runs.checkpoint import AVERAGE, MODEL, OPTIMIZER
from lenetcli.train.events import Event, Step
from tests.conftest import ROOT
from tests.train.small import at, resume, train, write_config

OPTIONS = {
    "plain": [],
    "accumulated": ["train.accumulate=3", "train.clip_grad_norm=0.1", "train.warmup=4"],
    "averaged": [
        "train.ema=0.9",
        "optimizer={type: SGD, lr: 0.1, momentum: 0.9}",
        "scheduler={type: StepLR, step_size: 2}",
    ],
    "by batch": ["scheduler={type: OneCycleLR, max_lr: 0.1}", "train.validation=0.3", "train.drop_last=true"],
    "few batches": ["train.limit_batches=2", "train.clip_grad_value=0.01", "optimizer={type: RMSprop, lr: 0.01}"],
    "stopped early": ["train.early_stopping={patience: 1}", "train.epochs=9", "optimizer.lr=0.3"],
}


def save_each(event: Event) -> None:
    """A listener by which a checkpoint is made after each step."""
    if isinstance(event, Step):
        os.kill(os.getpid(), signal.SIGUSR1)


def kept(run: Path, checkpoint: str) -> dict[str, object]:
    """All that a checkpoint holds."""
    place = run / "checkpoints" / checkpoint
    return flat({file: load(place / file) for file in (MODEL, AVERAGE, OPTIMIZER) if (place / file).exists()})


def check_steps(run: Path, seed: str, count: int, place: Path) -> None:
    """Compares checkpoints of a run with what is had again from an earlier one, or from the beginning, without them."""
    draws = random.Random(seed)
    numbers = sorted(int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdecimal())
    for step in draws.sample(numbers, min(count, len(numbers))):
        begun = draws.choice([0, *(number for number in numbers if number < step)])
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(run, place)
        for number in numbers:
            if number > begun:
                shutil.rmtree(place / "checkpoints" / f"{number:06d}")
        found = replayed_to(place, [], step)
        assert (found.begun, found.checked) == (begun, step - begun)
        had = {MODEL: found.run.model.state_dict(), OPTIMIZER: found.run.optimizer.state_dict()}
        if found.run.average is not None:
            had[AVERAGE] = found.run.average.module.state_dict()
        difference = next(bit_differences(kept(run, f"{step:06d}"), flat(had)), None)
        assert difference is None, f"step {step}, made again from {begun}: {difference}"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_step_made_again_is_the_step_that_was_made(options: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(write_config(tmp_path), run, "train.keep_checkpoints=100", *options, also=save_each) == 0
    check_steps(run, str(options), 3, tmp_path / "copy")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["lenet", "mlp", "tutorial", "lenet5", "residual", "sequence", "two-headed"])
def test_so_it_is_with_the_presets(preset: str, tmp_path: Path) -> None:
    changes = ["train.keep_checkpoints=1000", "train.epochs=2", "train.limit_batches=12"]
    assert train(ROOT / "configs" / f"{preset}.yaml", tmp_path / "run", *changes, also=save_each) == 0
    check_steps(tmp_path / "run", preset, 10, tmp_path / "copy")


def test_a_rate_that_was_changed_while_the_run_was_stopped_is_changed_again(tmp_path: Path) -> None:
    run, config = tmp_path / "run", write_config(tmp_path)
    more = ["train.keep_checkpoints=100", "scheduler={type: StepLR, step_size: 1, gamma: 0.9}"]
    stops = iter([lambda: os.kill(os.getpid(), signal.SIGTERM)] * 2)
    assert train(config, run, *more, also=at(6, next(stops))) == 143  # in the middle of an epoch
    assert resume(run, "optimizer.lr=0.003", also=at(8, next(stops))) == 143  # at an epoch's end, not evaluated yet
    assert resume(run, "optimizer.lr=0.05", "train.epochs=4", also=save_each) == 0
    assert resume(run, "optimizer.lr=0.02", "train.epochs=5", also=save_each) == 0  # when it was over
    changes = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines() if '"changed"' in line]
    assert [(c["step"], c["epoch"], c["changes"]) for c in changes] == [
        (6, 2, {"optimizer.lr": [0.01, 0.003]}),
        (8, 2, {"optimizer.lr": [0.003, 0.05], "train.epochs": [3, 4]}),
        (16, 5, {"optimizer.lr": [0.05, 0.02], "train.epochs": [4, 5]}),
    ]
    check_steps(run, "changed", 8, tmp_path / "copy")


def test_a_loss_that_is_another_claims_nothing(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    path = run / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [line for line in lines if line["event"] == "step"]
    steps[4]["loss"] *= 1 + 1e-7
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    replayed_to(run, [], 4)
    with pytest.raises(CheckFailed, match=r"run does not repeat here: the loss of step 5 was .*, is .* now$"):
        replayed_to(run, [], 7)
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "ranks": 3}))
    assert replayed_to(run, [], 7).checked == 7  # of several processes, to 1e-5
    with pytest.raises(ConfigError, match=r"--at 999: .* has made 184 steps"):
        replayed_to(run, [], 999)
