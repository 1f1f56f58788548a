"""The working directory may be a stranger's: no module is imported from it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.crowds import PYTHON
from tests.faults.strangers import SHADOWS, beside_shadows
from tests.train.small import write_config

COMMANDS = ["--version", "validate C", "train C train.epochs=1 --out OUT", "verify-resume C train.epochs=1", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_module_comes_from_the_working_directory(command: str, tmp_path: Path) -> None:
    """It has files with the names of those that the program imports."""
    names = {"C": str(write_config(tmp_path)), "OUT": str(tmp_path / "out")}
    words = [*PYTHON, *(names.get(word, word) for word in command.split())]
    assert beside_shadows(words, tmp_path / "strange", tmp_path / "marker") == (0, "")


def test_the_shadows_are_those_that_python_would_import(tmp_path: Path) -> None:
    words = [sys.executable, "-c", f"import {SHADOWS[0]}"]
    assert beside_shadows(words, tmp_path / "strange", tmp_path / "marker") == (0, SHADOWS[0])
