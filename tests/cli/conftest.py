"""The commands, run in a directory that holds the configurations."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import Result, called
from tests.conftest import ROOT

Lenet = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own working directory with the configurations."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs", copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(small_run: Path, place: Path) -> Path:
    """The small run as `run` in this test's own directory, which may change it."""
    return Path(shutil.copytree(small_run, place / "run"))


@pytest.fixture
def lenet(place: Path, short_timing: None, capsys: pytest.CaptureFixture[str]) -> Lenet:
    """Runs a command line, as in `lenet("train", "configs/mlp.yaml")`."""

    def run(*words: str) -> Result:
        capsys.readouterr()
        code = called(words)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return run
