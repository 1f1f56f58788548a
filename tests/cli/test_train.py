"""`lenet train`, `eval` and what they leave on disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lenetcli import load
from tests.cli.conftest import Lenet
from tests.conftest import ROOT
from tests.terminal import told


def test_a_run_leaves_the_directory_of_the_contract(lenet: Lenet, place: Path) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=2")
    assert done.code == 0
    run = place / "runs" / "mlp" / "001"
    assert "run directory runs/mlp/001" in done.out
    assert {p.name for p in run.iterdir()} >= {
        "config.yaml", "environment.json", "metrics.jsonl", "model.safetensors", "checkpoints",
    }  # fmt: skip
    assert set(load(run / "model.safetensors")) == {
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias",
    }  # fmt: skip
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {e["event"] for e in events} == {"step", "evaluated", "saved", "ended"}
    assert [(e["epoch"], e["split"]) for e in events if e["event"] == "evaluated"] == [
        (1, "train"), (1, "test"), (2, "train"), (2, "test"),
    ]  # fmt: skip
    newest = (run / "checkpoints" / "latest").read_text().strip()
    assert {p.name for p in (run / "checkpoints" / newest).iterdir()} >= {
        "model.safetensors", "optimizer.safetensors", "state.json",
    }  # fmt: skip


def test_training_from_the_written_config_repeats_the_run(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/lenet.yaml", "train.epochs=1", "--out", "first")
    lenet("train", "first/config.yaml", "--out", "second")
    first, second = load(place / "first" / "model.safetensors"), load(place / "second" / "model.safetensors")
    for name, tensor in first.items():
        assert np.array_equal(tensor.numpy(), second[name].numpy()), name


def test_another_seed_is_another_run(lenet: Lenet, place: Path) -> None:
    for out, changes in (("a", []), ("b", ["seed=1"])):
        done = lenet("train", "configs/mlp.yaml", "train.epochs=1", *changes, "--out", out)
        assert (done.code, done.err) == (0, "")
    a, b = load(place / "a" / "model.safetensors"), load(place / "b" / "model.safetensors")
    assert not np.array_equal(a["fc1.weight"].numpy(), b["fc1.weight"].numpy())


@pytest.mark.parametrize("name", ["lenet", "lenet5", "mlp", "cnn", "tutorial"])
def test_every_configuration_trains(lenet: Lenet, name: str) -> None:
    changes = ["data.train=64", "data.test=16"] if name == "cnn" else []
    done = lenet("train", f"configs/{name}.yaml", "train.epochs=1", *changes)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "rmsprop"])
def test_every_optimizer_file_trains(lenet: Lenet, name: str) -> None:
    done = lenet("train", "configs/mlp.yaml", f"optimizer=optimizers/{name}.yaml", "train.epochs=1")
    assert (done.code, done.err) == (0, "")


def test_the_default_configuration_learns_the_digits(lenet: Lenet) -> None:
    done = lenet("train", "configs/lenet.yaml", "--out", "run")
    assert done.code == 0
    found = json.loads(lenet("eval", "run", "--json").out)
    assert found["accuracy"] >= 0.97
    assert found["count"] == 355


@pytest.mark.slow
def test_mnist_reaches_what_torch_does(lenet: Lenet, real_data: Path) -> None:
    done = lenet("train", "configs/lenet-mnist.yaml", f"data.root={real_data / 'mnist'}", "--out", "run")
    assert done.code == 0
    assert json.loads(lenet("eval", "run", "--json").out)["accuracy"] >= 0.985


def test_eval_gives_the_same_figures_as_the_run(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/mlp.yaml", "train.epochs=2", "--out", "run")
    found = json.loads(lenet("eval", "run", "--json").out)
    events = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    best = max(e["accuracy"] for e in events if e["event"] == "evaluated" and e["split"] == "test")
    assert found["accuracy"] == best
    assert np.trace(found["confusion"]) / np.sum(found["confusion"]) == pytest.approx(best)
    assert json.loads(lenet("eval", "run", "--split", "train", "--json").out)["count"] == 1442
    table = lenet("eval", "run").out
    assert "precision" in table
    assert "confusion" in table


def test_json_progress_is_one_object_a_line(lenet: Lenet) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "--progress", "json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [e["event"] for e in events[-4:]] == ["evaluated", "evaluated", "saved", "ended"]
    assert done.err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_gets_a_bar_and_a_line_an_epoch(place: Path) -> None:
    variables = {"COLUMNS": "100", "TERM": "xterm-256color"}
    text = told(place, ["train", "configs/lenet.yaml", "train.epochs=2"], variables)
    assert "epoch 1/2" in text
    assert "images/s" in text
    assert re.search(r"2/2 +\d\.\d{4}", text)


def test_no_progress_prints_nothing(lenet: Lenet) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "--progress", "off")
    assert (done.out, done.err) == ("", "")


def test_a_regression_has_no_accuracy(lenet: Lenet) -> None:
    lenet("train", "configs/tutorial.yaml", "--out", "run")
    found = json.loads(lenet("eval", "run", "--json").out)
    assert found["accuracy"] is None
    assert found["confusion"] is None


def test_an_existing_run_directory_is_left_alone(lenet: Lenet, place: Path) -> None:
    (place / "full").mkdir()
    (place / "full" / "notes.txt").write_text("mine")
    done = lenet("train", "configs/mlp.yaml", "--out", "full")
    assert done.code == 2
    assert "not an empty directory" in done.err
    assert [p.name for p in (place / "full").iterdir()] == ["notes.txt"]


def test_a_diverging_run_ends_with_4_and_names_the_step(lenet: Lenet) -> None:
    done = lenet("train", "configs/mlp.yaml", "optimizer={type: SGD, lr: 1e30}", "--out", "run")
    assert done.code == 4
    assert "the loss became" in done.err
    assert "at step" in done.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train"], 2, "which configuration?"),
        (["train", "nothing.yaml"], 2, "nothing.yaml: no such file"),
        (["train", "configs/mlp.yaml", "optimizer.lr"], 2, "wanted key=value"),
        (["train", "configs/mlp.yaml", "--progress", "loud"], 2, "loud"),
        (["train", "configs/lenet-mnist.yaml"], 3, "data.root=DIR"),
        (["train", "--resume", "nowhere"], 2, "not a run directory"),
        (["train", "--resume", "nowhere", "train.batch_size=1"], 2, "only train.epochs, train.max_time, optimizer.lr"),
        (["eval", "nowhere"], 2, "not a run directory"),
        (["eval", "configs", "--split", "dev"], 2, "wanted train, validation or test"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_wrong_input_is_one_message_and_the_right_code(lenet: Lenet, words: list[str], code: int, message: str) -> None:
    lenet(*words).assert_refused(code, message)


def start(place: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "lenetcli", "train", *words],
        cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(path: Path, running: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if path.exists() and path.stat().st_size:
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_stays_whole_and_can_be_continued(
    lenet: Lenet, place: Path, number: signal.Signals, code: int
) -> None:
    running = start(place, "configs/mlp.yaml", "train.epochs=2000", "--out", "run")
    wait_for(place / "run" / "model.safetensors", running)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == code
    assert "continue with: lenet train --resume run" in err
    assert "Traceback" not in err
    state = json.loads((place / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert state["event"] == "ended"
    epoch = state["epoch"]
    assert lenet("eval", "run").code == 0
    assert lenet("train", "--resume", "run", f"train.epochs={epoch + 1}").code == 0


def test_a_reader_that_stops_early_ends_no_training(place: Path) -> None:
    running = start(place, "configs/mlp.yaml", "train.epochs=3", "--progress", "json")
    assert running.stdout is not None
    assert running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()
