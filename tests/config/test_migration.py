"""Configurations of older versions: read as today's, with messages about the text as it stands, and resumed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lenetcli import config as configuration
from lenetcli.config import InvalidConfig, loading, migration
from lenetcli.config.migration import moved
from lenetcli.config.yaml_tree import Node
from lenetcli.runs.state_json import decode, encode
from tests.config.golden import GOOD
from tests.train.small import at, difference, resume, train, write_config


def _second(root: Node) -> Node:
    """Version 2 of this test: what version 1 called keep_checkpoints is `train.keep`."""
    return moved(root, "train.keep_checkpoints", "train.keep")


def _third(root: Node) -> Node:
    """Version 3 of this test: it is keep_checkpoints again, and the seed has left the train section."""
    return moved(moved(root, "train.keep", "train.keep_checkpoints"), "train.seed", "seed")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lenet of two versions later."""
    for module in (migration, loading):
        monkeypatch.setattr(module, "VERSION", 3)
    monkeypatch.setattr(migration, "STEPS", {1: _second, 2: _third})


def old(place: Path, keys: str) -> Path:
    path = place / "old.yaml"
    path.write_text(GOOD.replace("{epochs: 1}", f"{{epochs: 1, {keys}}}"))
    return path


@pytest.mark.usefixtures("later")
def test_an_old_configuration_is_read_as_todays_step_by_step(tmp_path: Path) -> None:
    config = configuration.load(old(tmp_path, "keep_checkpoints: 7, seed: 5"))
    assert (config.train.keep_checkpoints, config.seed, config.version) == (7, 5, 3)


@pytest.mark.usefixtures("later")
def test_changes_of_the_command_line_are_in_todays_words(tmp_path: Path) -> None:
    config = configuration.load(old(tmp_path, "seed: 5"), ["seed=6", "train.keep_checkpoints=2"])
    assert (config.seed, config.train.keep_checkpoints) == (6, 2)


@pytest.mark.usefixtures("later")
def test_a_mistake_is_shown_in_the_old_text(tmp_path: Path) -> None:
    path = old(tmp_path, "seed: five")
    with pytest.raises(InvalidConfig) as caught:
        configuration.load(path)
    line = GOOD.splitlines().index("train: {epochs: 1}") + 1
    assert f'old.yaml:{line}:26: seed: wanted an integer, got the string "five"' in str(caught.value)
    assert "train: {epochs: 1, seed: five}\n" in str(caught.value)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    ("version", "message"),
    [("0", "configs of version 0 are unknown"), ("4", "a newer lenet wrote it"), ("on", "wanted an integer")],
)
def test_a_version_that_no_step_leads_from_is_refused(version: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD.replace("version: 1", f"version: {version}"))
    with pytest.raises(InvalidConfig, match=message):
        configuration.load(path)


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_run_that_an_older_lenet_began_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if version 1 had had the seed in the train section: in the run's config.yaml, and in what checkpoints keep."""
    config, run = write_config(tmp_path), tmp_path / "run"
    train(config, tmp_path / "whole")
    train(config, run, also=at(6, lambda: os.kill(os.getpid(), signal.SIGINT)))
    text = (run / "config.yaml").read_text()
    assert "version: 1\n" in text
    (run / "config.yaml").write_text(text.replace("seed: 0\n", "").replace("train:\n", "train:\n  seed: 0\n"))
    for path in run.glob("checkpoints/*/state.json"):
        state = decode(path.read_bytes())
        state["config"]["train"]["seed"] = state["config"].pop("seed")
        path.write_bytes(encode(state))
    with pytest.raises(InvalidConfig, match=r"train\.seed: unknown key"):
        resume(run)
    for module in (migration, loading):
        monkeypatch.setattr(module, "VERSION", 2)
    monkeypatch.setattr(migration, "STEPS", {1: lambda root: moved(root, "train.seed", "seed")})
    assert resume(run) == 0
    assert difference(tmp_path / "whole", run) is None
