"""Killed, out of space or damaged at any moment, a run goes on from a whole checkpoint to the very same end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lenetcli.errors import LenetError
from tests.train.faults import BROKEN, NO_ROOM, boundaries, killed_at, refusing
from tests.train.small import at, difference, resume, train, write_config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")

SHORT = ("train.epochs=2", "train.batch_size=7", "train.keep_checkpoints=1", "train.ema=0.9")  # 2 epochs of 2 steps


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    place = tmp_path_factory.mktemp("whole") / "run"
    assert train(config, place, *SHORT) == 0
    return place


def finish(config: Path, run: Path) -> None:
    """What a user does after a mishap: resume, or start where nothing had begun."""
    if (run / "config.yaml").exists():
        assert resume(run) == 0
    else:
        assert train(config, run, *SHORT) == 0


def clean(run: Path) -> bool:
    """Nothing is left of what was under way."""
    names = [p.name for p in (*run.iterdir(), *(run / "checkpoints").iterdir())]
    return not any(name.startswith(".") or name.endswith(".old") or name == "lock" for name in names)


def interrupted(config: Path, run: Path) -> Path:
    """A run stopped in its second epoch, its newest checkpoint damaged: resuming it has the most to do."""
    assert (
        train(config, run, *SHORT, "train.keep_checkpoints=3", also=at(3, lambda: os.kill(os.getpid(), signal.SIGINT)))
        == 130
    )
    newest = run / "checkpoints" / "000003" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    (run / "model.safetensors").unlink()
    return run


def test_a_kill_at_every_call_of_a_training_loses_nothing(
    config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = boundaries(lambda: train(config, tmp_path / "count", *SHORT))
    kills, run = 0, tmp_path / "run"
    for number in range(1, count + 1):
        kills += killed_at(number, lambda: train(config, run, *SHORT))
        finish(config, run)
        assert difference(whole, run) is None, f"killed at call {number}"
        assert clean(run), f"killed at call {number}"
        shutil.rmtree(run)
    assert kills == count
    with capsys.disabled():
        print(f"\n{kills} kills in a training, one at each call: resumed and ended bit-identical after every one")


def test_a_kill_at_every_call_of_a_resumption_loses_nothing(
    config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = interrupted(config, tmp_path / "start")
    run = tmp_path / "run"

    def again() -> Path:
        shutil.rmtree(run, ignore_errors=True)
        return Path(shutil.copytree(start, run))

    again()
    count = boundaries(lambda: resume(run))
    kills = 0
    for number in range(1, count + 1):
        again()
        kills += killed_at(number, lambda: resume(run))
        assert resume(run) == 0
        assert difference(whole, run) is None, f"killed at call {number}"
        assert clean(run), f"killed at call {number}"
    assert kills == count
    with capsys.disabled():
        print(f"\n{kills} kills in a resumption, one at each call: resumed and ended bit-identical after every one")
