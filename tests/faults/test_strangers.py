"""A stranger's working directory, from which no module is imported, and a stranger's names, shown as they are."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lenetcli import save, zeros
from tests.commands import run
from tests.conftest import ROOT
from tests.faults import strangers, streams
from tests.faults.crowds import PYTHON
from tests.faults.strangers import SHADOWS, beside_shadows
from tests.faults.table import READERS
from tests.public_surface import options
from tests.train.small import write_config

COMMANDS = ["--version", "validate C", "train C train.epochs=1 --out OUT", "verify-resume C train.epochs=1", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_module_comes_from_the_working_directory(command: str, tmp_path: Path) -> None:
    """It has files with the names of those that the program imports."""
    names = {"C": str(write_config(tmp_path)), "OUT": str(tmp_path / "out")}
    words = [*PYTHON, *(names.get(word, word) for word in command.split())]
    assert beside_shadows(words, tmp_path / "strange", tmp_path / "marker") == (0, "")


WITHOUT = {"doctor", "init", "layers", "describe", "data list", "data get"}  # a run or a configuration
LISTS = {  # of faults, and the commands that have no part in them
    "streams": ([line.split() for line in streams.COMMANDS.values()], {"data get"}),  # wants a network
    "strangers": ([line.split() for line in strangers.COMMANDS], {*WITHOUT, "sweep"}),  # which is the word to run it
    "readers": (list(READERS.values()), WITHOUT),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_command_meets_every_kind_of_fault(name: str) -> None:
    lines, without = LISTS[name]
    met = {command for command in _commands() if any(line[: len(command.split())] == command.split() for line in lines)}
    assert set(_commands()) - met == without


def _commands() -> list[str]:
    lines = [line.split()[1:] for line in options() if line.startswith("option ")]
    paths = {" ".join(words[1:-1]) for words in lines}
    return sorted(paths - {"", "data"})  # which hold commands


def test_the_shadows_are_those_that_python_would_import(tmp_path: Path) -> None:
    words = [sys.executable, "-c", f"import {SHADOWS[0]}"]
    assert beside_shadows(words, tmp_path / "strange", tmp_path / "marker") == (0, SHADOWS[0])


NAME = "<img src=x onerror=alert(1)>\n\x1b[31mred\x1b]0;t\x07\r[bold]\u202e| a |\n# head"  # of a tensor
LOOKS = (
    "inspect-params F", "inspect-params F --values", "inspect-params F --tree", "inspect-params F --histogram",
    "diff F W.npz", "diff W.npz F", "import F --config small.yaml --out A",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["pth", "npz", "safetensors", "onnx"])
def test_names_in_files_of_weights_control_no_terminal_and_forge_no_line(kind: str, tmp_path: Path) -> None:
    write_config(tmp_path)
    file, odd = f"F.{kind}", {"fc1.weight": zeros(5, 4), NAME: zeros(3), f"{NAME}.bias": zeros(2)}
    arrays = {name: tensor.numpy() for name, tensor in odd.items()}
    np.savez(tmp_path / "W.npz", **{"fc1.weight": np.zeros((5, 4), np.float32), f"{NAME}2": np.ones(3)})
    if kind == "npz":
        np.savez(tmp_path / file, **arrays)
    elif kind == "onnx":
        onnx = pytest.importorskip("onnx")
        held = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
        value = onnx.helper.make_tensor_value_info(NAME + "x", 1, [1, 4])
        node = onnx.helper.make_node("Relu", [NAME + "x"], [NAME + "y"], name=NAME)
        out = onnx.helper.make_tensor_value_info(NAME + "y", 1, [1, 4])
        model = onnx.helper.make_model(onnx.helper.make_graph([node], NAME, [value], [out], held), producer_name=NAME)
        onnx.save(model, tmp_path / file)
    else:
        save(odd, tmp_path / file)
    looks = (
        (*LOOKS, f"import {file} --config small.yaml --no-strict --out B") if kind != "onnx" else (*LOOKS, "import F")
    )
    for line in looks:
        found = run([file if word == "F" else word for word in line.split()], tmp_path, COLUMNS="300")
        said = found.out + found.err
        assert "Traceback" not in said, line
        assert [c for c in said if not c.isprintable() and c != "\n"] == [], line
        assert not re.search("^(# head|red)", said, re.M), line


def test_every_line_on_stderr_is_made_printable() -> None:
    """What is printed there may hold names of a stranger's: of classes, files, tensors."""
    found = []
    for path in sorted((ROOT / "lenetcli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and node.args:
                to = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "file"]
                said = node.args[0]
                plain = isinstance(said, ast.Constant) or ast.unparse(said).startswith("printable(")
                found += [f"{path.name}:{node.lineno}"] if "sys.stderr" in "".join(to) and not plain else []
    assert [place for place in found if not place.startswith("__main__.py")] == []  # which says why Python ended
