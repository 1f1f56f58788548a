"""`lenet runs`: the table at any width, JSON, and what is wrong in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet
from tests.inspection.test_metrics import evaluated, step
from tests.inspection.test_runs import ENDED, make


@pytest.fixture
def runs(place: Path) -> None:
    for number, (lr, accuracy) in enumerate(((0.1, 0.5), (0.01, 0.9)), 1):
        make(
            place / "runs" / "net" / f"00{number}", step(1), evaluated(1, accuracy=accuracy), ENDED, width=4 + number,
            optimizer=f"{{type: SGD, lr: {lr}, momentum: {lr}, weight_decay: {lr}}}",
        )  # fmt: skip


def test_the_table_shows_what_differs(lenet: Lenet, runs: None) -> None:
    done = lenet("runs", "--sort", "accuracy")
    assert (done.code, done.err) == (0, "")
    head, _, first, second, *_ = done.out.splitlines()
    assert head.split() == [
        "run", "status", "out_features", "lr", "momentum", "weight_decay", "accuracy", "last", "acc", "loss", "epochs",
        "time",
    ]  # fmt: skip
    assert first.split()[:4] == ["runs/net/002", "finished", "6", "0.01"]
    assert second.split()[:4] == ["runs/net/001", "finished", "5", "0.1"]
    assert done.out.endswith("\n2 runs\n")


def test_a_narrow_table_drops_keys_and_says_which(lenet: Lenet, runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = lenet("runs").out
    assert max(map(len, shown.splitlines()[:4])) <= 80
    assert "(no room for optimizer.momentum, optimizer.weight_decay, last acc; COLUMNS=" in shown
    monkeypatch.setenv("COLUMNS", "200")
    assert "no room" not in lenet("runs").out


def test_json_holds_everything(lenet: Lenet, runs: None) -> None:
    found = json.loads(lenet("runs", "--filter", "optimizer.lr<0.1", "--json").out)
    assert found["keys"] == []
    (run,) = found["runs"]
    assert (run["run"], run["status"], run["best"]["accuracy"]) == ("runs/net/002", "finished", 0.9)
    found = json.loads(lenet("runs", "runs/net", "--json").out)
    assert found["keys"] == [
        "model.layers[1].out_features", "optimizer.lr", "optimizer.momentum", "optimizer.weight_decay",
    ]  # fmt: skip
    assert found["runs"][0]["config"]["optimizer.lr"] == 0.1


def test_real_runs_are_listed(lenet: Lenet) -> None:
    for lr in ("0.01", "1e12"):
        lenet("train", "configs/mlp.yaml", f"optimizer.lr={lr}", "train.epochs=1", "--progress", "off")
    found = json.loads(lenet("runs", "--json").out)
    assert [run["status"] for run in found["runs"]] == ["finished", "diverged"]
    assert found["keys"] == ["optimizer.lr"]
    assert lenet("runs", "--filter", "status=diverged").out.count("runs/mlp/") == 1


def test_no_run_is_no_error(lenet: Lenet, runs: None) -> None:
    done = lenet("runs", "--filter", "accuracy>1")
    assert (done.code, done.out) == (0, "no runs\n")
    assert lenet("runs", "configs").out == "no runs\n"


def test_a_damaged_run_is_told_and_the_rest_is_shown(lenet: Lenet, runs: None, place: Path) -> None:
    (place / "runs" / "net" / "001" / "config.yaml").write_bytes(b"\xff\x1b[2J")
    done = lenet("runs")
    assert done.code == 0
    assert done.err == "left out: runs/net/001/config.yaml: not UTF-8 text\n"
    assert "1 run\n" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such directory"),
        ([__file__], f"{__file__}: a file, no directory"),
        (["--filter", "lr"], "wanted a key, a sign and a value"),
        (["--filter", "optimiser.lr<1"], "did you mean optimizer.lr?"),
        (["--sort", "nothing"], "--sort nothing: no run has that key"),
    ],
)
def test_wrong_input_is_one_message(lenet: Lenet, runs: None, words: list[str], message: str) -> None:
    done = lenet("runs", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
