"""`lenet time`: the table in any width, JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("config", ["lenet", "cnn"])
def test_the_table_fits(lenet: Lenet, monkeypatch: pytest.MonkeyPatch, columns: int, config: str) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = lenet("time", f"configs/{config}.yaml", "--batch", "8")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("a training step of 8 samples: ")
    assert lines[1].startswith("kernels: ")
    heads = lines[3].split()
    assert {"layer", "forward", "backward", "G/s"} < set(heads)
    assert ("type" in heads) == (columns == 200)
    first = [line.split()[0] for line in lines[5:] if line]
    assert first.index("loss") < first.index("between") < first.index("update") < first.index("step")
    assert "products of 128x128 float32" in " ".join(done.out.split())


def test_json_holds_the_same(lenet: Lenet) -> None:
    done = lenet("time", "configs/lenet.yaml", "--batch", "8", "--json")
    found = json.loads(done.out)
    assert (done.code, done.err, found["batch"]) == (0, "", 8)
    second = "conv2" if found["layers"][0]["fused"] else "1"
    assert [row["layers"][0] for row in found["layers"]][:2] == ["conv1", second]
    for row in (*found["layers"], found["loss"]):
        assert row["forward_seconds"] > 0
        assert row["backward_seconds"] > 0 or row["types"][0] in ("ReLU", "MaxPool2d")
        share = row["share_of_peak"]
        assert share is None or share == row["multiply_adds_per_second"] / found["peak_multiply_adds_per_second"]
    assert found["samples_per_second"] == 8 / found["step_seconds"]
    assert set(found["between_ops"]) == {"forward_seconds", "backward_seconds"}


def test_a_run_is_timed_with_its_weights_and_not_changed(lenet: Lenet, run: Path) -> None:
    before = lenet("inspect-params", "run", "--json").out
    assert lenet("time", "run").code == 0
    assert lenet("inspect-params", "run", "--json").out == before


def test_what_does_not_work_is_refused_in_one_line(lenet: Lenet) -> None:
    for words, code, told in (
        (["missing.yaml"], 2, "missing.yaml"),
        (["configs/mlp.yaml", "model.layers.0.type=Nothing"], 2, "Nothing"),
        (["configs/mlp.yaml", "--batch", "0"], 2, "--batch"),
        (["configs/mlp.yaml", "--batch", "many"], 2, "--batch"),
        (["configs/lenet-mnist.yaml", "data.root=nowhere"], 3, "nowhere"),
    ):
        done = lenet("time", *words)
        assert (done.code, done.out) == (code, "")
        assert told in done.err
