"""Who watches a training may go away, or have no room for what is shown: the training goes on to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.train.small import difference, train, write_config

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
MODES = ["auto", "plain", "bar", "json"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    assert train(write_config(place), place / "run", "train.epochs=40") == 0
    return place / "run"


def command(place: Path, mode: str) -> str:
    config = write_config(place)
    return f"{sys.executable} -m lenetcli train {config} train.epochs=40 --out {place}/run --progress {mode}"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, text=True, check=False)


def check(whole: Path, run: Path) -> None:
    assert difference(whole, run) is None
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["reason"] == "finished"
    assert not (run / "lock").exists()


@pytest.mark.parametrize("mode", MODES)
def test_a_reader_that_goes_away_ends_nothing(mode: str, whole: Path, tmp_path: Path) -> None:
    done = shell(f"set -o pipefail; {command(tmp_path, mode)} | head -1")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr
    check(whole, tmp_path / "run")


@pytest.mark.parametrize("mode", MODES)
def test_a_full_disk_under_stdout_is_said_at_the_end(mode: str, whole: Path, tmp_path: Path) -> None:
    done = shell(f"{command(tmp_path, mode)} > /dev/full")
    assert done.returncode == 1
    message = "error: stdout: cannot be written: No space left on device; the run went on without, and is saved"
    assert done.stderr.strip().splitlines()[-1] == message
    assert "Traceback" not in done.stderr
    check(whole, tmp_path / "run")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("closed", ["2> /dev/full", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_not_there_end_nothing(mode: str, closed: str, whole: Path, tmp_path: Path) -> None:
    done = shell(f"{command(tmp_path, mode)} {closed}")
    assert done.returncode == 0
    check(whole, tmp_path / "run")


@pytest.mark.parametrize("mode", MODES)
def test_a_terminal_that_is_closed_ends_nothing(mode: str, whole: Path, tmp_path: Path) -> None:
    """The run was disowned: no signal comes, but each write fails."""
    import pty

    ours, theirs = pty.openpty()
    words = command(tmp_path, mode).split()
    program = subprocess.Popen(words, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.read(ours, 1)
    os.close(ours)
    assert program.wait() == 0
    check(whole, tmp_path / "run")
