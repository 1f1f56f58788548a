"""`lenet train` with its options, `find-lr` and `diff`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Lenet


def events(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_with_every_option_trains_evaluates_and_resumes(lenet: Lenet, place: Path) -> None:
    options = [
        "train.validation=0.2", "train.accumulate=2", "train.clip_grad_norm=1", "train.clip_grad_value=0.5",
        "train.warmup.epochs=1", "train.ema=0.9", "train.class_weights=balanced", "train.early_stopping.patience=5",
        "train.max_time=1h", "train.limit_batches=20",
    ]  # fmt: skip
    done = lenet("train", "configs/mlp.yaml", "train.epochs=2", *options, "--out", "run")
    assert (done.code, done.err) == (0, "")
    assert "val loss" in done.out
    assert "test loss" not in done.out
    found = events(place / "run")
    assert {e["split"] for e in found if e["event"] == "evaluated"} == {"train", "validation"}
    test = json.loads(lenet("eval", "run", "--json").out)
    assert (test["loss"], test["accuracy"]) == (found[-1]["loss"], found[-1]["accuracy"])
    assert f"test accuracy {test['accuracy']:.4f}" in done.out
    validation = json.loads(lenet("eval", "run", "--split", "validation", "--json").out)
    assert validation["count"] == 288
    assert json.loads(lenet("eval", "run", "--split", "train", "--json").out)["count"] == 1442 - 288
    best = [e for e in found if e["event"] == "evaluated" and e["split"] == "validation"]
    assert validation["accuracy"] == max(e["accuracy"] for e in best)  # type: ignore[type-var]
    assert lenet("train", "--resume", "run", "train.epochs=3").code == 0
    again = lenet("train", "run/config.yaml", "--out", "again")
    assert (again.code, again.err) == (0, "")


def test_a_run_that_stops_early_says_why(lenet: Lenet) -> None:
    done = lenet(
        "train", "configs/mlp.yaml", "optimizer.lr=1e-12", "train.early_stopping={patience: 1, min_delta: 0.1}"
    )
    assert done.code == 0
    assert "stopped early after epoch 2: no improvement" in done.err


def test_a_run_out_of_time_says_how_to_go_on(lenet: Lenet, place: Path) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=100000", "train.max_time=0.2", "--out", "run")
    assert done.code == 0
    assert "for more: lenet train --resume run train.max_time=2h" in done.err
    assert "best epoch" in done.out
    assert events(place / "run")[-1]["reason"] == "out of time"
    assert lenet("train", "--resume", "run", "train.max_time=0.3").code == 0
    assert lenet("eval", "run").code == 0


def test_there_is_no_validation_split_unless_asked_for(lenet: Lenet, run: Path) -> None:
    done = lenet("eval", "run", "--split", "validation")
    assert done.code == 2
    assert "holds nothing back for validation" in done.err


def test_debug_nan_names_operation_module_and_index(lenet: Lenet) -> None:
    words = ["train", "configs/lenet.yaml", "optimizer.lr=1e6", "train.epochs=1", "--debug-nan"]
    done = lenet(*words)
    assert done.code == 4
    assert "returned inf or NaN in its forward pass in module 'conv" in done.err
    assert "first at index (0, 0, 0, 0)" in done.err
    plain = lenet(*words[:-1])
    assert plain.code == 4
    assert "the loss became" in plain.err
    assert "--debug-nan" in plain.err


def test_a_diverged_run_ends_its_metrics(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/lenet.yaml", "optimizer.lr=1e6", "train.epochs=1", "--out", "run")
    assert events(place / "run")[-1]["reason"] == "diverged"


def test_find_lr_shows_a_curve_and_a_suggestion_and_writes_nothing(lenet: Lenet, place: Path) -> None:
    before = sorted(place.rglob("*"))
    done = lenet("find-lr", "configs/mlp.yaml", "--steps", "80")
    assert (done.code, done.err) == (0, "")
    assert "steepest fall" in done.out
    assert "suggestion: optimizer.lr=" in done.out
    assert any("\u2801" <= character <= "\u28ff" for character in done.out)
    assert sorted(place.rglob("*")) == before


def test_find_lr_gives_json(lenet: Lenet) -> None:
    done = lenet(
        "find-lr", "configs/mlp.yaml", "train.batch_size=16", "--from", "1e-5", "--to", "0.1", "--steps", "30", "--json"
    )
    found = json.loads(done.out)
    assert set(found) == {"points", "suggestion", "best_lr", "ended"}
    assert len(found["points"]) == 30
    assert found["points"][0]["lr"] == pytest.approx(1e-5)


@pytest.mark.parametrize("words", [["--from", "0"], ["--from", "2"], ["--steps", "1"], ["--to", "nan"]])
def test_find_lr_refuses_senseless_ranges(lenet: Lenet, words: list[str]) -> None:
    done = lenet("find-lr", "configs/mlp.yaml", *words)
    assert done.code == 2
    assert "wanted 0 < from < to" in done.err


def test_diff_of_configurations(lenet: Lenet) -> None:
    done = lenet("diff", "configs/lenet.yaml", "configs/lenet5.yaml", "--json")
    found = json.loads(done.out)
    assert {"key": "model.layers[0].kernel_size", "a": 3, "b": 5} in found["config"]
    assert (found["first_step"], found["tensors"]) == (None, [])
    assert done.code == 0
    table = lenet("diff", "configs/lenet.yaml", "configs/lenet5.yaml").out
    assert "model.layers[0].kernel_size" in table
    assert "no difference" in lenet("diff", "configs/mlp.yaml", "configs/mlp.yaml").out


def test_diff_of_runs(lenet: Lenet) -> None:
    for name, *changes in (("a",), ("b", "optimizer.lr=0.0021"), ("c", "name=mlp")):
        lenet("train", "configs/mlp.yaml", "train.epochs=1", *changes, "--out", name, "--progress", "off")
    found = json.loads(lenet("diff", "a", "b", "--json").out)
    assert found["config"] == [{"key": "optimizer.lr", "a": 0.002, "b": 0.0021}]
    assert found["first_step"]["step"] == 2
    assert found["tensors"][0]["name"] == "fc1.weight"
    parting = found["replay"]["parting"]
    assert (parting["step"], parting["seen_in"], parting["rates"]) == (1, "update", [0.002, 0.0021])
    assert parting["tensor"]["tensor"] == "fc1.weight"
    assert json.loads(lenet("diff", "a", "c", "--json").out) == {
        "config": [], "first_step": None, "tensors": [],
        "replay": {"begun": 46, "compared": 46, "parting": None, "problem": ""},
    }  # fmt: skip
    shown = lenet("diff", "a", "b").out
    assert "losses: part at step 2" in shown
    assert "trained again: the runs part after step 1, first in the update" in shown
    assert "fc1.weight[0, 0]" in shown
    assert "trained again" not in lenet("diff", "a", "b", "--no-replay").out
    assert json.loads(lenet("diff", "a", "b", "--no-replay", "--json").out)["replay"] is None
    assert "first differing tensor: fc1.weight; largest difference: " in shown
    assert "bit for bit the same" in lenet("diff", "a", "c").out
    assert "train.epochs" in lenet("diff", "a", "configs/mlp.yaml").out


def test_diff_of_runs_without_weights_tells_where_they_part(lenet: Lenet, place: Path) -> None:
    for name, lr in (("a", "0.1"), ("b", "0.2")):
        lenet("train", "configs/mlp.yaml", "train.epochs=1", f"optimizer.lr={lr}", "--out", name)
    (place / "b" / "model.safetensors").unlink()
    done = lenet("diff", "a", "b")
    assert (done.code, done.err) == (0, "")
    assert "the runs part after step 1" in done.out
    assert "best weights: none yet in b" in done.out


def test_diff_of_runs_whose_data_is_gone_tells_the_rest(lenet: Lenet, place: Path) -> None:
    arrays = {"x_train": np.ones((8, 1, 8, 8), np.float32), "y_train": np.arange(8) % 2}
    np.savez(place / "own.npz", **arrays, x_test=arrays["x_train"], y_test=arrays["y_train"])
    data = f"data={{type: NPZ, path: {place / 'own.npz'}}}"
    for name, lr in (("a", "0.1"), ("b", "0.2")):
        done = lenet("train", "configs/mlp.yaml", "train.epochs=1", data, f"optimizer.lr={lr}", "--out", name)
        assert done.code == 0, done.err
    (place / "own.npz").unlink()
    done = lenet("diff", "a", "b")
    assert (done.code, done.err) == (0, "")
    assert "trained again: not to the end; " in done.out
    assert "own.npz" in done.out
    assert "first differing tensor: fc1.weight" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["diff", "configs/mlp.yaml", "nothing.yaml"], 2, "no such file"),
        (["diff", "configs", "configs/mlp.yaml"], 2, "not a run directory"),
        (["find-lr", "nothing.yaml"], 2, "no such file"),
        (
            ["train", "configs/mlp.yaml", "loss={type: MSELoss}", "train.class_weights=balanced"],
            2,
            "MSELoss has no weights",
        ),
        (["train", "configs/tutorial.yaml", "train.early_stopping={patience: 1, metric: accuracy}"], 2, "no accuracy"),
    ],
)
def test_wrong_input_is_one_message_and_the_right_code(lenet: Lenet, words: list[str], code: int, message: str) -> None:
    lenet(*words).assert_refused(code, message)
