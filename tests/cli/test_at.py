"""`--at STEP`: commands that look at a run as it stood after any of its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lenetcli.inspection.training.replay import replayed_to
from lenetcli.runs.checkpoint import MODEL
from tests.cli.conftest import Lenet
from tests.conftest import ROOT


def test_the_commands_show_a_step_of_a_run(small_run: Path, lenet: Lenet) -> None:
    def shown(*words: str) -> Any:
        result = lenet(*words, "--json")
        assert result.code == 0, result.err
        assert "after step 100: 8 steps made again from checkpoint 000092; the losses are" in result.err
        return json.loads(result.out)

    run = str(small_run)
    one = lenet("inspect-params", run, "--at", "93").err
    assert "after step 93: 1 step made again from checkpoint 000092; the loss is that of the run" in one
    events = map(json.loads, (small_run / "metrics.jsonl").read_text().splitlines())
    losses = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    story = shown("step", run, "--at", "100")
    assert (story["step"], story["loss"]) == (101, losses[101])
    weights = replayed_to(small_run, [], 100).run.model.state_dict()
    rows = shown("inspect-params", run, "--at", "100", "--values")["parameters"]
    assert {row["name"]: row["values"] for row in rows} == {name: w.tolist() for name, w in weights.items()}
    assert shown("trace-grad", run, "--at", "100")["loss"] == losses[101]


def test_of_a_configuration_at_is_what_step_is(lenet: Lenet) -> None:
    config = str(ROOT / "configs" / "tutorial.yaml")
    at, step = (json.loads(lenet("trace-grad", config, option, "3", "--json").out) for option in ("--at", "--step"))
    assert at["loss"] == step["loss"]


def test_where_at_means_nothing_it_is_refused(small_run: Path, lenet: Lenet) -> None:
    for words, said in (
        (("step", str(small_run), "--at", "3", "--step", "4"), "--at and --step: give one"),
        (("inspect-params", str(small_run), "--at", "3", "--updates"), "--at: --updates shows the whole run"),
        (("inspect-params", str(small_run / MODEL), "--at", "3"), "model.safetensors holds weights without steps"),
        (("trace-grad", str(small_run), "--at", "185"), "has made 184 steps"),
        (("trace-grad", str(small_run), "--at", "-1"), "Invalid value for '--at'"),
    ):
        lenet(*words).assert_refused(2, said)
