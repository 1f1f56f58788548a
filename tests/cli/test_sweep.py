"""`lenet sweep`: table, JSON, picture, going on, and what is wrong in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet
from tests.train.small import write_config

AXES = ["optimizer.lr=[0.01, 0.02]", "model.layers.fc1.out_features=[4, 5]"]


@pytest.fixture
def small(place: Path) -> str:
    return write_config(place).name


def test_a_grid_ends_in_a_table_and_the_same_command_does_nothing_again(lenet: Lenet, small: str, place: Path) -> None:
    done = lenet("sweep", small, *AXES, "train.epochs=1", "--metric", "loss")
    assert done.code == 0
    lines = done.err.splitlines()
    assert lines[0].startswith("trial 1/4: optimizer.lr=0.01, model.layers.fc1.out_features=4: finished, loss ")
    assert len(lines) == 4
    assert done.out.splitlines()[0].split() == [
        "run", "status", "lr", "out_features", "accuracy", "last", "acc", "loss", "epochs", "time",
    ]  # fmt: skip
    again = lenet("sweep", small, *AXES, "train.epochs=1", "--metric", "loss")
    assert (again.code, again.out, again.err) == (0, done.out, "")
    assert lenet("runs").out.count("/sweep-") == 4
    best = done.out.splitlines()[2].split()[0]
    assert lenet("eval", best).code == 0
    assert lenet("train", f"{best}/config.yaml", "--out", "again", "--progress", "off").code == 0


def test_json_holds_the_trials_and_their_values(lenet: Lenet, small: str) -> None:
    done = lenet("sweep", small, *AXES, "train.epochs=1", "--random", "2", "--seed", "3", "--out", "here", "--json")
    found = json.loads(done.out)
    assert (found["directory"], found["way"], found["metric"], found["keys"]) == (
        "here", "random", "accuracy", ["optimizer.lr", "model.layers.fc1.out_features"],
    )  # fmt: skip
    assert {run["run"] for run in found["runs"]} == {"here/0001", "here/0002"}
    assert all(run["config"]["optimizer.lr"] in (0.01, 0.02) for run in found["runs"])


def test_without_classes_the_loss_decides(lenet: Lenet, place: Path) -> None:
    words = ["configs/tutorial.yaml", "train.epochs=1", "optimizer.lr=[0.01, 0.1]", "--json"]
    found = json.loads(lenet("sweep", *words).out)
    assert found["metric"] == "loss"
    assert found["runs"][0]["best"]["loss"] < found["runs"][1]["best"]["loss"]
    wrong = lenet("sweep", *words, "--metric", "accuracy")
    assert (wrong.code, wrong.out) == (2, "")
    assert "this data has no classes; use --metric loss" in wrong.err


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_parallel_coordinates_are_drawn(lenet: Lenet, small: str, place: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    words = [small, "optimizer.lr=log(1e-4, 1)", "optimizer.type=[Adam, RMSprop]", "train.epochs=1", "--random", "3"]
    done = lenet("sweep", *words, "--plot", f"p.{suffix}")
    assert done.code == 0
    assert done.out.endswith(f"p.{suffix}\n")
    first = (place / f"p.{suffix}").read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])
    assert lenet("sweep", *words, "--plot", f"p.{suffix}").code == 0
    assert (place / f"p.{suffix}").read_bytes() == first
    assert lenet("runs", "--plot", f"all.{suffix}").out.endswith(f"all.{suffix}\n")


def test_optuna_proposes_and_prunes(lenet: Lenet, small: str) -> None:
    pytest.importorskip("optuna")
    words = [
        small,
        "optimizer.lr=log(1e-3, 1e-1)",
        "model.layers.fc1=[{type: Linear, out_features: 4}]",
        "train.epochs=1",
    ]
    done = lenet("sweep", *words, "--optuna", "3", "--prune", "--out", "study", "--json")
    assert done.code == 0
    assert len(json.loads(done.out)["runs"]) == 3


def test_without_optuna_the_message_says_how_to_get_it(
    lenet: Lenet, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = lenet("sweep", small, *AXES, "--optuna", "3")
    assert (done.code, done.out) == (2, "")
    assert "python -m pip install 'lenet[sweep]'" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer.lr=0.1"], "nothing to vary"),
        (["optimizer.lrr=[0.1, 1]"], "did you mean lr?"),
        (["optimizer.lr=[0.1, fast]"], 'wanted a number, got the string "fast"'),
        (["model.layers.fc2.out_features=[3, 2]"], "cannot compare"),
        (["optimizer.lr=log(1e-3, 1)"], "a grid has no ranges"),
        (["optimizer.lr=[0.1, 1]", "--random", "3"], "only 2 combinations"),
        (["optimizer.lr=[0.1, 1]", "--random", "0"], "--random"),
        (["optimizer.lr=[0.1, 1]", "--random", "1", "--optuna", "1"], "not both"),
        (["optimizer.lr=[0.1, 1]", "--prune"], "only with --optuna"),
        (["optimizer.lr=[0.1, 1]", "--plot", "p.pdf"], "wanted a name that ends in .png or .svg"),
        (["optimizer.lr=[0.1, 1]", "--out", "configs"], "holds other files"),
        (["optimizer.lr=[0.1, 1]", "train.epochs=0"], "train.epochs"),
        ([], "K=[...]"),
    ],
)
def test_wrong_input_is_one_message_before_anything_is_trained(
    lenet: Lenet, small: str, place: Path, words: list[str], message: str
) -> None:
    done = lenet("sweep", small, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (place / "runs").exists()


@pytest.mark.parametrize("mode", ["auto", "off", "plain", "bar"])
def test_the_epochs_of_a_trial_are_shown(lenet: Lenet, small: str, mode: str) -> None:
    done = lenet(
        "sweep", small, "optimizer.lr=[0.01, 0.02]", "train.epochs=3", "--out", "here", "--progress", mode, "--json"
    )
    assert done.code == 0
    assert len(json.loads(done.out)["runs"]) == 2
    lines = done.err.splitlines()
    epochs = [f"trial {trial}/2: epoch {epoch}/3: test accuracy " for trial in (1, 2) for epoch in (1, 2, 3)]
    found = [line for line in lines if ": epoch " in line]
    assert len(found) == (6 if mode == "plain" else 0)
    assert all(line.startswith(wanted) for line, wanted in zip(found, epochs))
    assert sum(": finished, accuracy " in line for line in lines) == 2


def test_a_bar_tells_trial_and_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from lenetcli import config
    from lenetcli.build.parts import build_run
    from lenetcli.report.training.sweep_progress import TrialBar
    from lenetcli.train.events import Ended, Evaluated, Step

    for name, value in (("COLUMNS", "120"), ("FORCE_COLOR", "1"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    run = build_run(config.load(str(write_config(tmp_path)), []))
    shown, file = TrialBar("trial 2/9", run), io.StringIO()
    console = shown.bar.console
    console.file, console._force_terminal, console.is_interactive = file, True, True
    shown(Step(2, 6, 0.5, 0.1, 4, 100.0))
    shown(Evaluated(2, 8, "test", 0.5, 0.75, 4, 0.1, 0.1, 40.0))
    shown.bar.refresh()
    shown(Ended(3, 12, "finished", 1.0, 2))
    shown.close()
    for part in ("trial 2/9", "epoch 2/3", "test accuracy 0.7500"):
        assert part in file.getvalue()


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_sweep(
    lenet: Lenet, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = lenet("sweep", small, "optimizer.lr=[0.01, 0.02]", "--out", "here", "--plot", "p.png")
    assert (done.code, done.out) == (2, "")
    assert "matplotlib" in done.err
    assert not Path("here").exists()
