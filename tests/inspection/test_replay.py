"""Two runs trained again: the first step and tensor at which they part, and what keeps one from being repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lenetcli import config as configuration
from lenetcli import load
from lenetcli.build.parts import build_run
from lenetcli.inspection.compare.replay import Replay, replay, same_checkpoint, seconds
from lenetcli.inspection.training.replay import Recorded
from lenetcli.runs.history import read_history
from tests.train.small import train, write_config


def recorded(place: Path) -> Recorded:
    loaded = configuration.load(str(place / "config.yaml"))
    return Recorded(place, lambda changes: build_run(loaded), read_history(place))


def parted(place: Path, first: list[str], second: list[str]) -> Replay:
    """Two runs of three epochs of four steps, `place`/a and `place`/b, and what training them again shows."""
    config = write_config(place)
    for name, changes in (("a", first), ("b", second)):
        train(config, place / name, *changes)
    return again(place)


def again(place: Path) -> Replay:
    a, b = recorded(place / "a"), recorded(place / "b")
    return replay(a, b, same_checkpoint(a.place, b.place))


def tear(run: Path) -> None:
    """Damages every checkpoint."""
    for path in (run / "checkpoints").glob("*/model.safetensors"):
        path.write_bytes(b"torn")


def test_another_rate_parts_them_in_the_first_update(tmp_path: Path) -> None:
    found = parted(tmp_path, [], ["optimizer.lr=0.02"])
    parting = found.parting
    assert parting is not None
    assert (found.begun, found.compared, found.problem) == (0, 1, "")
    assert (parting.step, parting.seen_in, parting.gradient, parting.rates) == (1, "update", None, (0.01, 0.02))
    assert (parting.tensor.tensor, parting.tensor.index, parting.tensor.count) == ("fc1.weight", [0, 0], 20)
    assert parting.losses is not None
    assert parting.losses[0] == parting.losses[1] == json.loads(
        (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()[0]
    )["loss"]  # fmt: skip
    assert json.loads(json.dumps(found.record()))["parting"]["tensor"]["tensor"] == "fc1.weight"


def test_another_seed_parts_them_before_the_first_step(tmp_path: Path) -> None:
    parting = parted(tmp_path, [], ["seed=1"]).parting
    assert parting is not None
    assert (parting.step, parting.seen_in, parting.tensor.tensor) == (0, "initial weights", "fc1.weight")


def test_another_shape_is_told(tmp_path: Path) -> None:
    parting = parted(tmp_path, [], ["model.layers.fc1.out_features=6"]).parting
    assert parting is not None
    assert (parting.tensor.index, parting.tensor.a, parting.tensor.b) == (None, "float32 [5, 4]", "float32 [6, 4]")


@pytest.mark.parametrize(
    ("change", "seen_in"),
    [
        ("train.batch_size=5", "loss"),
        ("model.layers.3.p=0.5", "loss"),
        ("train.clip_grad_norm=0.01", "gradients"),
        ("optimizer.eps=1e-4", "update"),
    ],
)
def test_where_in_the_step_they_part_is_told(change: str, seen_in: str, tmp_path: Path) -> None:
    found = parted(tmp_path, [], [change])
    assert found.parting is not None, found
    assert (found.parting.step, found.parting.seen_in) == (1, seen_in)
    assert (found.parting.gradient is None) is (seen_in == "update")


def test_a_change_in_the_middle_is_found_from_the_checkpoints_before_it(tmp_path: Path) -> None:
    """The rates part after the second epoch, so the weights do after step 9; the losses show it at step 10."""
    schedule = "scheduler={type: MultiStepLR, milestones: [2], gamma: %s}"
    found = parted(tmp_path, [schedule % 0.5], [schedule % 0.25])
    assert found.parting is not None
    assert (found.begun, found.parting.step, found.parting.seen_in) == (8, 9, "update")
    assert found.parting.rates == (0.005, 0.0025)
    value = found.parting.tensor.a
    tear(tmp_path / "a")
    assert again(tmp_path) == Replay(0, 9, found.parting)
    assert value not in load(tmp_path / "a" / "model.safetensors")["fc1.weight"].numpy()  # no file holds it any more


def test_runs_that_are_the_same_are_not_trained_again(tmp_path: Path) -> None:
    assert parted(tmp_path, [], []) == Replay(12, 12)


def test_a_shorter_run_is_the_beginning_of_a_longer_one(tmp_path: Path) -> None:
    assert parted(tmp_path, ["train.epochs=1"], []) == Replay(4, 4)
    tear(tmp_path / "b")
    assert again(tmp_path) == Replay(0, 4)
    a, b = recorded(tmp_path / "a"), recorded(tmp_path / "b")
    times = [run.history.steps.time for run in (a, b)]
    assert seconds((a, b), 0, 4) == pytest.approx(sum(t[3] - t[0] for t in times))


def test_averaged_weights_and_what_the_optimizer_keeps_count(tmp_path: Path) -> None:
    found = parted(tmp_path, ["train.ema=0.9", "optimizer.lr=0"], ["train.ema=0.8", "optimizer={type: SGD, lr: 0}"])
    assert found.parting is not None
    assert (found.parting.tensor.tensor, found.parting.tensor.b) == ("optimizer.fc1.weight.step", None)


def test_a_run_that_does_not_repeat_is_told_and_nothing_claimed(tmp_path: Path) -> None:
    parted(tmp_path, [], ["optimizer.lr=0.02"])
    path = tmp_path / "b" / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    next(line for line in lines if line["event"] == "step" and line["step"] == 2)["loss"] += (
        1e-3  # more than several ranks may differ by
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = again(tmp_path)
    assert found.parting is None
    assert "b does not repeat here: the loss of step 2 was " in found.problem
    assert "made with" not in found.problem
    path = tmp_path / "b" / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "numpy": "1.26.4", "ranks": 3}))
    assert " (it was made with numpy 1.26.4, here " in again(tmp_path).problem
    assert again(tmp_path).problem.endswith("; ranks 3, here none)")
    path.write_text(json.dumps({**json.loads(path.read_text()), "threads": {"lenet": 1000}}))
    assert "; threads 1000, here " in again(tmp_path).problem
