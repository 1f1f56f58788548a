"""One training at a time in a run directory."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lenetcli import Trainer
from lenetcli.errors import ConfigError, LenetError
from lenetcli.runs import lock
from lenetcli.runs.lock import locked
from tests.commands import run as run_command
from tests.conftest import ROOT
from tests.train.small import resume, train, write_config

HOLD = """
import sys, time
from pathlib import Path
from lenetcli.runs import lock
from lenetcli.runs.lock import locked
from tests.commands import run as run_command
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(place: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"
    return running


def test_a_second_training_is_told_who_is_there_until_that_one_dies(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = write_config(tmp_path)
    train(config, run, "train.epochs=1")
    other = holder(run)
    with pytest.raises(ConfigError, match=f"another training is running there: process {other.pid} on .*, since 20"):
        resume(run, "train.epochs=2")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert (run / "lock").exists()  # what a killed process leaves is no lock
    assert resume(run, "train.epochs=2") == 0
    assert not (run / "lock").exists()


def test_a_training_does_not_begin_where_another_is_beginning(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"), pytest.raises(ConfigError, match=f"process {os.getpid()} on"):
        train(config, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    assert train(config, tmp_path / "run") == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 900, b'{"pid": "x"}', b"\xff" * 5000])
def test_a_lock_that_says_nothing_is_held_all_the_same(content: bytes, tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / "lock").write_bytes(content)
        with pytest.raises(ConfigError, match="has not said yet"), locked(tmp_path):
            pass


def test_a_lock_that_cannot_be_signed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LenetError, match="No space left on device"), locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("text")
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(LenetError, match="cannot write to"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "text"


def none(number: int) -> Callable[[int, int], None]:
    """flock() of a system, or file system, that has no locks; 0: of one where they keep nobody out."""

    def flock(handle: int, how: int) -> None:
        if number:
            raise OSError(number, os.strerror(number))

    return flock


COMMANDS = {
    "train": "train {config} train.epochs=1 --progress off --out {out}",
    "train --resume": "train --resume {run} train.epochs=2 --progress off",
    "import": "import {run}/model.safetensors --config {config} --out {out}",
    "sweep": "sweep {config} optimizer.lr=[0.1] train.epochs=1 --out {out}",
}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 0])
@pytest.mark.parametrize("command", COMMANDS)
def test_where_there_are_no_locks_it_says_so_and_goes_on_where_nobody_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, number: int
) -> None:
    fcntl = pytest.importorskip("fcntl")
    config, run, out = write_config(tmp_path), tmp_path / "run", tmp_path / "out"
    train(config, run, "train.epochs=1")
    before = sorted(path.relative_to(run) for path in run.rglob("*"))
    monkeypatch.setattr(fcntl, "flock", none(number))
    monkeypatch.setattr(lock, "_alone", False)
    words = COMMANDS[command].format(config=config, run=run, out=out).split()
    refused = run_command(words, tmp_path)
    assert (refused.code, refused.out) == (1, "")
    reason = os.strerror(number) if number else "the locks of this system keep nobody out"
    assert f"cannot lock lock: {reason}: another training here would not be noticed" in refused.err
    assert "--no-lock" in refused.err
    assert "cannot write" not in refused.err
    assert sorted(path.relative_to(run) for path in run.rglob("*")) == before
    assert not list(tmp_path.rglob("lock"))
    assert run_command([*words, "--no-lock"], tmp_path).code == 0
    assert not list(tmp_path.rglob("lock"))


def test_a_trainer_goes_without_locks_where_nobody_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    config, run = str(write_config(tmp_path)), tmp_path / "run"
    monkeypatch.setattr(fcntl, "flock", none(errno.ENOLCK))
    monkeypatch.setattr(lock, "_alone", False)
    with pytest.raises(LenetError, match=r"cannot lock lock: .*no_lock=True"):
        Trainer(config, "train.epochs=1", out=run).fit(progress="off")
    assert not run.exists()
    Trainer(config, "train.epochs=1", out=run, no_lock=True).fit(progress="off")
    with pytest.raises(LenetError, match=r"cannot lock lock: .*no_lock=True"):
        Trainer.open(run).fit("train.epochs=2", progress="off")
    assert Trainer.open(run, no_lock=True).fit("train.epochs=2", progress="off").last.epoch == 2  # type: ignore[union-attr]
    assert not lock._alone
