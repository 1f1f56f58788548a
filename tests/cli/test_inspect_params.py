"""The views of `lenet inspect-params`, beside its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lenetcli import load
from tests.cli.conftest import Lenet

VIEWS = (["--tree"], ["--histogram"], ["--summary"], ["--filters"], ["--diff", "configs/mlp.yaml"])


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("view", VIEWS, ids=lambda v: v[0])
@pytest.mark.parametrize("config", ["lenet", "cnn"])
def test_nothing_is_cut_and_nothing_is_too_wide(
    lenet: Lenet, monkeypatch: pytest.MonkeyPatch, columns: int, view: list[str], config: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = lenet("inspect-params", f"configs/{config}.yaml", *view)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= columns
    assert "…" not in done.out
    assert "\x1b" not in done.out


def test_tree_and_summary_as_json(lenet: Lenet) -> None:
    tree = json.loads(lenet("inspect-params", "configs/lenet.yaml", "--tree", "--json").out)
    assert (tree["type"], tree["count"]) == ("Sequential", 81_194)
    assert tree["modules"][0] == {
        "name": "conv1", "type": "Conv2d", "count": 60, "trainable": 60, "modules": [],
        "parameters": [
            {"name": "weight", "shape": [6, 1, 3, 3], "count": 54, "trainable": True},
            {"name": "bias", "shape": [6], "count": 6, "trainable": True},
        ],
    }  # fmt: skip
    found = json.loads(lenet("inspect-params", "configs/lenet.yaml", "--summary", "--json").out)
    assert (found["total"], found["multiply_adds"]) == (81_194, 274_656)
    assert found["layers"][1]["output"] == [6, 30, 30]


def test_histograms_count_every_number(lenet: Lenet) -> None:
    found = json.loads(lenet("inspect-params", "configs/mlp.yaml", "--histogram", "--json").out)
    first = found["parameters"][0]
    assert first["name"] == "fc1.weight"
    assert sum(first["histogram"]["counts"]) == 128 * 64
    table = lenet("inspect-params", "configs/mlp.yaml", "--histogram").out
    assert "█" in table


def test_a_weights_file_has_a_tree_and_histograms_but_no_layers(lenet: Lenet, run: Path) -> None:
    weights = "run/model.safetensors"
    assert "fc2" in lenet("inspect-params", weights, "--tree").out
    assert lenet("inspect-params", weights, "--histogram").code == 0
    for option in ("--summary", "--filters"):
        done = lenet("inspect-params", weights, option)
        assert done.code == 2
        assert "give the configuration or the run" in done.err


def test_runs_files_and_configurations_can_be_compared(lenet: Lenet) -> None:
    words = ["configs/mlp.yaml", "train.epochs=1", "train.limit_batches=2"]
    lenet("train", *words, "--out", "a")
    lenet("train", *words, "seed=1", "--out", "b")
    found = json.loads(lenet("inspect-params", "a", "--diff", "b", "--json").out)
    a, b = (load(f"{run}/model.safetensors") for run in "ab")
    for row in found["parameters"]:
        difference = abs(a[row["name"]].numpy().astype(float) - b[row["name"]].numpy())
        assert row["mean"] == pytest.approx(difference.mean())
        assert row["max"] == pytest.approx(difference.max())
    same = json.loads(lenet("inspect-params", "a", "--diff", "a/model.safetensors", "--json").out)
    assert same["total"]["max"] == 0.0
    assert json.loads(lenet("inspect-params", "a", "--diff", "configs/mlp.yaml", "--json").out)["total"]["max"] > 0


def test_a_runs_moves_are_shown(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    lenet("train", "configs/mlp.yaml", "train.epochs=3", "train.limit_batches=2", "--out", "run")
    found = json.loads(lenet("inspect-params", "run", "--updates", "--json").out)
    assert found["steps"] == [0, 2, 4, 6]
    for columns in ("80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        out = lenet("inspect-params", "run", "--updates").out
        assert max(map(len, out.splitlines())) <= int(columns)
        assert "4 → 6" in out
        assert "step 6" in out
    done = lenet("inspect-params", "configs/mlp.yaml", "--updates")
    assert done.code == 2
    assert "wanted a run directory" in done.err


def test_filters_as_a_picture(lenet: Lenet, place: Path) -> None:
    done = lenet("inspect-params", "configs/lenet.yaml", "--filters", "conv1.png")
    assert done.code == 0
    assert "written to conv1.png" in done.out
    with pytest.importorskip("PIL.Image").open(place / "conv1.png") as image:
        assert image.size == (4 + 3 * (63 + 4), 4 + 2 * (63 + 4))  # two rows of three filters of 3 x 3 squares
        assert image.getpixel((0, 0)) == (208, 208, 208)
    found = json.loads(lenet("inspect-params", "configs/lenet.yaml", "--filters", "--json").out)
    assert (found["layer"], found["shape"]) == ("conv1", [6, 1, 3, 3])
    assert len(found["filters"]) == 6
    assert lenet("inspect-params", "configs/mlp.yaml", "--filters").out.startswith("fc1 Linear [128, 64]: 64 of 128")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["configs/lenet.yaml", "--tree", "--summary"], "--tree and --summary show different things"),
        (["configs/lenet.yaml", "x.png"], "goes with --filters and --inside only"),
        (["configs/lenet.yaml", "--filters", "x.jpg"], "wanted a name that ends in .png"),
        (["configs/lenet.yaml", "--filters", "no/such/place/x.png"], "x.png: its directory does not exist"),
        (["nothing.yaml", "--summary"], "no such file"),
    ],
)
def test_what_cannot_be_shown_is_said(lenet: Lenet, words: list[str], message: str) -> None:
    done = lenet("inspect-params", *words)
    assert done.code != 0
    assert message in done.err


def test_the_gradients_that_a_run_wrote_down_are_shown(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "configs/mlp.yaml", "train.epochs=3", "train.limit_batches=4", "--out"]
    lenet(*words, "run", "train.log_gradients=2")
    lenet(*words, "without", "train.log_gradients=null")
    found = json.loads(lenet("inspect-params", "run", "--gradients", "--json").out)
    assert found["steps"] == [1, 2, 4, 6, 8, 10, 12]
    assert [set(p) for p in found["parameters"]] == [{"name", "norm", "mean", "max", "update", "dead"}] * 6
    assert [p["name"] for p in found["parameters"]][:2] == ["fc1.weight", "fc1.bias"]
    for columns in ("40", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        out = lenet("inspect-params", "run", "--gradients").out
        assert max(map(len, out.splitlines())) <= int(columns)
        assert "7 looks from step 1 to 12" in out
        assert f"{found['parameters'][0]['norm'][-1]:.3g}" in out
    for what, message in (("without", "has written down none"), ("configs/mlp.yaml", "wanted a run directory")):
        done = lenet("inspect-params", what, "--gradients")
        assert done.code == 2
        assert message in done.err


@pytest.mark.parametrize("option", [[], ["--values"], ["--tree"], ["--histogram"], ["--diff", "sound.npz"]])
def test_json_has_no_numbers_that_json_does_not_know(option: list[str], lenet: Lenet, place: Path) -> None:
    np.savez(place / "bad.npz", weight=np.array([1, np.nan, np.inf], np.float32))
    np.savez(place / "sound.npz", weight=np.ones(3, np.float32))
    done = lenet("inspect-params", "bad.npz", *option, "--json")
    assert done.code == 0, done.err

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(done.out, parse_constant=refuse)


def test_curvature_of_a_run_and_of_what_has_none(lenet: Lenet, small_run: Path) -> None:
    found = json.loads(lenet("inspect-params", str(small_run), "--curvature", "--json").out)
    assert found["eigenvalues"] == sorted(found["eigenvalues"], reverse=True)
    assert found["bound"] == pytest.approx(2 / found["eigenvalues"][0])
    shown = lenet("inspect-params", str(small_run), "--curvature").out
    assert f"bound 2 / {found['eigenvalues'][0]:.3g} = {found['bound']:.3g}, used" in shown
    refused = lenet("inspect-params", str(small_run / "model.safetensors"), "--curvature")
    assert refused.code == 2
    assert "holds weights without layers" in refused.err
