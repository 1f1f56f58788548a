"""A terminal that nobody looks at: Open MPI's ranks have one of no size, and its output goes to the job's log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run
from tests.conftest import ROOT
from tests.terminal import told

COMMANDS = (
    "train configs/mlp.yaml train.epochs=1 --out second", "eval run", "runs", "plot run", "inspect-params run",
    "trace-grad configs/mlp.yaml", "validate configs/mlp.yaml", "predict run digit.npy", "layers Linear", "data list",
    "sweep configs/mlp.yaml train.epochs=1 optimizer.lr=[0.1,0.2] --out grid",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    import numpy as np

    place = tmp_path_factory.mktemp("terminal")
    shutil.copytree(ROOT / "configs", place / "configs")
    np.save(place / "digit.npy", np.zeros((1, 8, 8), np.float32))
    words = ["train", "configs/mlp.yaml", "train.epochs=2", "--progress", "off", "--out", "run"]
    assert run(words, place).code == 0
    (place / "runs").mkdir()
    (place / "runs" / "a").symlink_to(place / "run")
    shutil.copytree(place / "run", place / "runs" / "b")
    return place


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_of_no_size_gets_no_escape_codes(trained: Path, tmp_path: Path, command: str) -> None:
    if "--out" in command:
        command = command.rpartition(" ")[0] + f" {tmp_path / 'out'}"
    shown = told(trained, command.split(), {"TERM": "xterm-256color"}, (0, 0))
    assert "\x1b" not in shown
    assert shown.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(
    ("size", "variables"), [((24, 80), {}), ((0, 0), {"COLUMNS": "80"}), ((0, 0), {"FORCE_COLOR": "1"})]
)
def test_a_terminal_of_some_size_has_colours(trained: Path, size: tuple[int, int], variables: dict[str, str]) -> None:
    assert "\x1b[1m" in told(trained, ["eval", "run"], {"TERM": "xterm-256color", **variables}, size)


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}])
def test_a_pipe_has_colours_only_where_they_are_asked_for(trained: Path, variables: dict[str, str]) -> None:
    known = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
    environment = {**known, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "lenetcli", "eval", "run"], cwd=trained, env=environment, capture_output=True, check=True
    )
    assert (b"\x1b[1m" in done.stdout) == bool(variables)
