"""`lenet landscape`, and the rate that --curvature tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lenetcli.inspection.training.curvature import rate_at
from lenetcli.runs.history import read_history
from tests.cli.conftest import Lenet


def test_the_rate_is_the_last_that_made_a_step(tmp_path: Path, lenet: Lenet) -> None:
    lenet(
        "train", "configs/mlp.yaml", "train.epochs=2", "scheduler={type: CosineAnnealingLR}", "optimizer.lr=0.01",
        "--out", str(tmp_path / "run"), "--progress", "off",
    )  # fmt: skip
    record = json.loads(lenet("inspect-params", str(tmp_path / "run"), "--curvature", "--json").out)
    history = read_history(tmp_path / "run")
    assert record["rates"] == [pytest.approx(0.005)] == [history.steps.lr[-1]]
    assert [rate_at(history, step) for step in (0, 1, 10**6)] == [0.01, 0.01, history.steps.lr[-1]]


def test_batch_norm_and_dropout_leave_a_function_of_the_weights(tmp_path: Path, lenet: Lenet) -> None:
    config = tmp_path / "net.yaml"
    config.write_text(
        "version: 1\nname: a\nmodel: {input: [1, 8, 8], layers: [{type: Flatten}, {type: Linear, out_features: 8}, "
        "{type: BatchNorm1d}, {type: ReLU}, {type: Dropout}, {type: Linear, out_features: 10}]}\ndata: {type: Digits}\n"
        "loss: {type: CrossEntropyLoss}\noptimizer: {type: Adam}\ntrain: {epochs: 1, keep_checkpoints: 1}\n"
    )
    lenet("train", str(config), "--out", str(tmp_path / "run"), "--progress", "off")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    twice = [lenet("landscape", str(tmp_path / "run"), "--steps", "3", "--samples", "32", "--json").out for _ in "12"]
    assert twice[0] == twice[1]
    record = json.loads(twice[0])
    assert record["batch_norm"]
    assert [surface["axes"][0] for surface in record["surfaces"]] == [
        "the way, which is straight",
        "first random direction",
    ]
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}


def test_what_the_command_refuses(small_run: Path, tmp_path: Path, lenet: Lenet) -> None:
    lenet("landscape", str(small_run), "--steps", "4").assert_refused(2, "--steps 4: wanted an odd number")
    lenet("landscape", str(small_run), "--html", str(tmp_path / "no" / "x.html")).assert_refused(2, "does not exist")
    lenet("landscape", "configs/mlp.yaml").assert_refused(2, "configs/mlp.yaml")
    (tmp_path / "empty").mkdir()
    lenet("landscape", str(tmp_path / "empty")).assert_refused(2, "empty")
