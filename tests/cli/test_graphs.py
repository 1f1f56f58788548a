"""Nets with branches and several outputs at every command: what it prints, and what a run directory keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]
SMALL = ["residual", "inception", "unet", "separable", "two-headed"]


@pytest.mark.parametrize("name", SMALL)
def test_what_show_prints_repeats_the_training(lenet: Command, name: str) -> None:
    short = ["train.epochs=1", "train.limit_batches=3"]
    Path("shown.yaml").write_text(lenet("show", f"configs/{name}.yaml", *short).out, "utf-8")
    assert lenet("show", "shown.yaml").out == Path("shown.yaml").read_text("utf-8")
    for config, out in ((f"configs/{name}.yaml", "a"), ("shown.yaml", "b"), ("a/config.yaml", "c")):
        changes = short if config.startswith("configs") else []
        assert lenet("train", config, *changes, "--out", out, "--progress", "off").code == 0
    weights = [Path(run, "model.safetensors").read_bytes() for run in "abc"]
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.parametrize("name", ["unet", "two-headed"])
def test_resume_is_exact_in_the_middle_of_an_epoch(lenet: Command, name: str) -> None:
    done = lenet(
        "verify-resume", f"configs/{name}.yaml", "train.epochs=1", "train.accumulate=2", "train.limit_batches=16"
    )
    assert done.code == 0, done.out + done.err
    assert "resume is exact" in done.out


@pytest.fixture
def heads(lenet: Command) -> str:
    assert lenet("train", "configs/two-headed.yaml", "train.epochs=1", "--out", "heads", "--progress", "off").code == 0
    return "heads"


def test_each_output_is_evaluated(lenet: Command, heads: str) -> None:
    found = json.loads(lenet("eval", heads, "--json").out)
    assert set(found["outputs"]) == {"digit", "picture"}
    digit, picture = found["outputs"]["digit"], found["outputs"]["picture"]
    assert found["loss"] == pytest.approx(digit["loss"] + 0.5 * picture["loss"])
    assert found["accuracy"] == digit["accuracy"] > 0.3
    assert picture["accuracy"] is None
    assert found["confusion"] == digit["confusion"]
    printed = lenet("eval", heads).out
    assert "output digit, 355 samples: loss" in printed
    assert "output picture, 355 samples: loss" in printed
    lines = [json.loads(line) for line in Path(heads, "metrics.jsonl").read_text("utf-8").splitlines()]
    tested = next(line for line in lines if line.get("split") == "test")
    assert tested["outputs"]["digit"] == {"loss": digit["loss"], "accuracy": digit["accuracy"]}
    step = next(line for line in lines if line["event"] == "step")
    assert step["loss"] == pytest.approx(step["outputs"]["digit"]["loss"] + 0.5 * step["outputs"]["picture"]["loss"])


def test_each_output_is_told_of_a_picture(lenet: Command, heads: str) -> None:
    np.save("x.npy", np.random.default_rng(0).random((1, 8, 8), np.float32))
    (found,) = json.loads(lenet("predict", heads, "x.npy", "--json").out)
    assert found["label"] == found["outputs"]["digit"]["label"]
    assert np.shape(found["outputs"]["picture"]["output"]) == (1, 8, 8)
    assert lenet("predict", heads, "x.npy").out.count(found["label"]) >= 1


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "words",
    [
        ["step"],
        ["trace-grad", "--check"],
        ["inspect-params", "--summary"],
        ["gradcheck", "--samples=2", "--directions=1"],
        ["find-lr"],
    ],
    ids=str,
)
def test_whatever_looks_into_a_model_looks_into_one_with_branches(lenet: Command, name: str, words: list[str]) -> None:
    command, *options = words
    done = lenet(command, f"configs/{name}.yaml", *options)
    assert done.code == 0, done.err


@pytest.mark.parametrize("name", SMALL)
def test_a_report_is_made_of_a_net_with_branches(lenet: Command, name: str) -> None:
    short = ["train.epochs=1", "train.limit_batches=3"]
    assert lenet("train", f"configs/{name}.yaml", *short, "--out", "run", "--progress", "off").code == 0
    assert lenet("report", "run").code == 0
    page = Path("run/report.html").read_text("utf-8")
    assert ("Outputs, test split" in page) is (name in ("unet", "two-headed"))
    record = json.loads(lenet("report", "run", "--json").out)
    assert record["evaluation"]["count"] == 355
    assert record["problems"] == {}


def test_changes_reach_into_blocks_and_are_found_again(lenet: Command) -> None:
    grid = ["model.blocks.Separable.args.stride=[1,2]", "model.layers.separable3.repeat=[1,2]"]
    done = lenet("sweep", "configs/separable.yaml", *grid, "train.epochs=1", "train.limit_batches=2", "--out", "sweep")
    assert done.code == 0, done.err
    printed = done.out.splitlines()
    rows = [line.split() for line in printed if line.startswith("sweep/")]
    assert sorted(tuple(row[2:4]) for row in rows) == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    for key, stride in (("model.blocks.Separable.args.stride", 1), ("model.layers.separable3.repeat", 2)):
        rows = lenet("runs", "sweep", "--filter", f"{key}={stride}", "--json").out
        assert len(json.loads(rows)) == 2


def test_the_graph_is_drawn_in_a_terminal_and_as_a_page(lenet: Command) -> None:
    drawn = lenet("show", "configs/residual.yaml", "--graph").out
    assert "├─•  layer1.0.conv1" in drawn
    assert "•─╯" in drawn
    assert lenet("show", "configs/residual.yaml", "--html", "net.html").code == 0
    assert Path("net.html").read_text("utf-8").count("<circle") == 37
    assert "├" not in lenet("show", "configs/residual.yaml").out  # a pipe gets the configuration alone


def test_a_chain_may_have_a_layer_named_input(lenet: Command) -> None:
    Path("net.yaml").write_text(
        "model: {input: [1, 8, 8], layers: [{type: Flatten, name: input}, {type: Linear, out_features: 10}]}\n"
        "data: {type: Digits}\nloss: {type: CrossEntropyLoss}\noptimizer: {type: SGD, lr: 0.1}\ntrain: {epochs: 1}\n"
    )
    assert lenet("train", "net.yaml", "--out", "run", "--progress", "off").code == 0
    assert lenet("eval", "run").code == 0
