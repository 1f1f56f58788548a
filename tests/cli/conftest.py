"""The commands, run in a directory that holds the configurations."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lenetcli.cli.app import main
from tests.conftest import ROOT


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


Lenet = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own working directory with the configurations."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lenet(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lenet:
    """Runs a command line, as in `lenet("train", "configs/mlp.yaml")`."""

    def run(*words: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["lenet", *words])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return run
