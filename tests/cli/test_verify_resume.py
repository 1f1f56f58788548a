"""`lenet verify-resume`: the proof, and what it says when a run cannot be resumed exactly."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from lenetcli.cli import resume_check
from tests.cli.conftest import Lenet
from tests.commands import exit_code, forked

SMALL = ("train.epochs=2", "data={type: Random, shape: [1, 8, 8], train: 40, test: 8}", "train.batch_size=8")

FORGETFUL = """
from lenetcli import nn


class Forgetful(nn.Module):
    \"\"\"Scales by a count that no checkpoint knows of.\"\"\"

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += self.training
        return x * (1 + self.calls / 100)
"""


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainings' own processes are forks of this one, which need not import anything."""

    def trained(way: str) -> int:
        monkeypatch.setattr(sys, "argv", ["-c", way])
        try:
            resume_check.train_to_death()
        except SystemExit as end:
            return int(end.code or 0)
        raise AssertionError("it has an exit code")

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile() as told:
            code = exit_code(forked(lambda: trained(command[-1]), Path.cwd(), {1: told.fileno(), 2: told.fileno()}))
            told.seek(0)
            return subprocess.CompletedProcess(command, code, "", told.read().decode())

    monkeypatch.setattr(resume_check, "subprocess", SimpleNamespace(run=run))


def test_a_run_that_resumes_exactly_is_proved_in_a_line(lenet: Lenet, place: Path) -> None:
    before = sorted(place.iterdir())
    done = lenet("verify-resume", "configs/mlp.yaml", *SMALL, "--kills", "2", "--seed", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("resume is exact: killed after step ")
    assert done.out.count("resumed from") == 2
    assert len(done.out.splitlines()) == 1
    assert sorted(place.iterdir()) == before


@pytest.mark.usefixtures("forks")
def test_json_has_the_kills_and_no_difference(lenet: Lenet) -> None:
    changes = ("model.layers.2={type: Dropout, p: 0.5}", "optimizer={type: Adam, lr: 0.01}")
    found = json.loads(lenet("verify-resume", "configs/mlp.yaml", *SMALL, *changes, "--kills", "1", "--json").out)
    assert found["identical"] is True
    assert found["first_difference"] is None
    assert found["steps"] == 10
    assert found["tensors"] > 10
    assert [set(kill) for kill in found["kills"]] == [{"step", "resumed_from"}]


def test_a_default_that_config_yaml_has_with_a_point_is_the_same(lenet: Lenet) -> None:
    """Killed before its first checkpoint, a run begins again from the configuration that it has written."""
    one_step = ("train.epochs=1", "train.batch_size=40", "scheduler={type: ReduceLROnPlateau, patience: 0}")
    done = lenet("verify-resume", "configs/mlp.yaml", SMALL[1], *one_step)
    assert (done.code, done.err) == (0, "")
    assert "resumed from the beginning" in done.out


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.usefixtures("consenting", "forks")
def test_state_that_no_checkpoint_knows_of_is_found(as_json: bool, lenet: Lenet, place: Path) -> None:
    (place / "configs" / "own.py").write_text(FORGETFUL)
    change = "model.layers.2={type: own.py:Forgetful}"
    words = ("verify-resume", "configs/mlp.yaml", *SMALL, change, "--kills", "1", "--seed", "3")
    done = lenet(*words, *(["--json"] if as_json else []))
    assert done.code == 5
    if as_json:
        found = json.loads(done.out)["first_difference"]
        assert found["tensor"] == "fc1.bias"
        assert found["uninterrupted"] != found["resumed"]
    else:
        assert done.out == ""
        assert "first difference: model.safetensors: fc1.bias[" in done.err


def test_what_is_wrong_with_the_configuration_is_said_at_once(lenet: Lenet) -> None:
    done = lenet("verify-resume", "configs/mlp.yaml", "train.epoch=2")
    assert done.code == 2
    assert "did you mean epochs?" in done.err


@pytest.mark.usefixtures("forks")
def test_a_training_that_fails_by_itself_is_told(lenet: Lenet) -> None:
    done = lenet("verify-resume", "configs/mlp.yaml", *SMALL, "optimizer.lr=1e30")
    assert done.code == 4
    assert "with lr 1e+30" in done.err
