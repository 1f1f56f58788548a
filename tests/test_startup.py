"""What a start imports: only what it uses. Counting modules says it on any machine, where seconds would not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lenetcli import Tensor
from lenetcli.ops.families import all_methods, family_of

ROOT = Path(__file__).parent.parent


def imported_by(command: str, place: Path) -> set[str]:
    """The modules in memory when a command has run."""
    code = (
        "import sys\n"
        f"sys.argv = ['lenet', *{command.split()!r}]\n"
        "from lenetcli.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n'.join(['IMPORTED', *sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip
    return set(done.stdout.partition("IMPORTED\n")[2].split())


def test_a_start_does_not_look_for_garbage_among_what_it_imports() -> None:
    code = (
        "import gc, sys\n"
        "from lenetcli.__main__ import main\n"
        "sys.argv = ['lenet', 'inspect-params', 'configs/lenet.yaml', '--json']\n"
        "def passes():\n    return sum(generation['collections'] for generation in gc.get_stats())\n"
        "before = passes()\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(passes() - before, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stderr) < 10


def rooms(modules: set[str], prefix: str) -> set[str]:
    """Modules of the package below a prefix."""
    return {name for name in modules if name.startswith(f"lenetcli.{prefix}")}


@pytest.mark.parametrize("command", ["--help", "--version", "data --help", "train --help"])
def test_help_imports_neither_numpy_nor_other_heavy_libraries(command: str, tmp_path: Path) -> None:
    modules = imported_by(command, tmp_path)
    assert not modules & {"numpy", "rich", "yaml", "safetensors"}
    assert "pydantic" not in modules or " " in command  # typer needs it for the arguments of a command
    light = {"cli", "lazy", "errors", "display", "display.characters"}
    assert rooms(modules, "") <= {f"lenetcli.{name}" for name in light} | rooms(modules, "cli.")


def test_a_command_imports_only_its_own_module(tmp_path: Path) -> None:
    commands = rooms(imported_by("validate --help", tmp_path), "cli.")
    needed = ("app", "commands", "commands.validate", "completion", "consent_options", "streams", "table")
    assert commands == {f"lenetcli.cli.{name}" for name in needed}


def test_a_table_of_parameters_imports_only_what_its_model_needs() -> None:
    modules = imported_by("inspect-params configs/lenet.yaml", ROOT)
    assert not modules & {"urllib.request", "http.client", "ssl", "threadpoolctl", "rich.progress", "rich.markdown"}
    assert not rooms(modules, "train") | rooms(modules, "export") | rooms(modules, "build.parts")
    assert not modules & {"lenetcli.ops.linalg.einsum", "lenetcli.ops.pointwise.sin", "lenetcli.ops.nn.margin_loss"}
    assert len(rooms(modules, "ops.")) <= 20
    assert not modules & {"lenetcli.nn.margin_loss", "lenetcli.nn.upsampling", "lenetcli.data.parquet"}


@pytest.mark.parametrize("command", ["layers Linear --json", "doctor --json", "time configs/mlp.yaml --json"])
def test_json_imports_nothing_that_draws(command: str) -> None:
    modules = imported_by(command, ROOT)
    assert "rich" not in modules
    assert not rooms(modules, "report")


def test_every_method_is_in_the_family_where_tensor_looks_for_it() -> None:
    wrong = {name: f.__module__ for name, f in all_methods().items() if f.__module__ != family_of(name)}
    assert not wrong


def test_methods_that_were_not_used_yet_are_there() -> None:
    code = (
        "import lenetcli as lenet\n"
        "x = lenet.tensor([4.0])\n"
        "assert hasattr(x, 'sqrt') and not hasattr(x, 'sqroot') and not hasattr(lenet.Tensor, 'cat')\n"
        "assert lenet.Tensor.sqrt(x).item() == 2 and x.sqrt_() is x and x.item() == 2\n"
        "assert 'cumsum' in dir(x) and 'cumsum' in dir(lenet.Tensor)\n"
        "x += 1; x[0] = x[0] ** 2\n"
        "assert (2 * x - 1 == 17).item() and (-x).item() == -9 and (x @ x).item() == 81\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_operators_refuse_what_is_no_number() -> None:
    assert Tensor.__add__(Tensor.__new__(Tensor), "text") is NotImplemented


def test_ctrl_c_during_the_import_ends_without_a_traceback() -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from lenetcli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("options", [[], ["-P"], ["-I"]], ids=str)
def test_the_programs_file_runs_as_a_script(options: list[str], tmp_path: Path) -> None:
    """Its folder comes first in the path then, and its `inspect` would take the place of the standard library's."""
    if options == ["-P"] and sys.version_info < (3, 11):
        pytest.skip("-P is younger")
    (tmp_path / "net.yaml").write_text((ROOT / "configs" / "mlp.yaml").read_text("utf-8"), "utf-8")
    for words in (["--help"], ["validate", "net.yaml"]):
        command = [sys.executable, *options, str(ROOT / "lenetcli" / "__main__.py"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "__main__.py", "--version"], capture_output=True, text=True, check=False, cwd=ROOT / "lenetcli"
    )
    assert done.returncode == 0, done.stderr
