"""The house's own rules: imports go down the storeys only, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases import each_by_name
from tests.storeys import STOREYS, table

PACKAGE = Path(__file__).parent.parent / "lenetcli"
LEVEL = {name: level for level, name in enumerate(STOREYS)}  # a room may import from itself and those before it
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "presets" not in path.parts)
FORBIDDEN_BELOW_CONFIG = {"typer", "rich", "pydantic", "yaml"}


def room(path: Path) -> str:
    """The first part of a module's place in the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path, types: bool) -> list[str]:
    """Full names of what a file imports at run time; with `types` under TYPE_CHECKING, too."""
    names: list[str] = []

    class Visitor(ast.NodeVisitor):
        def visit_If(self, node: ast.If) -> None:
            if "TYPE_CHECKING" in ast.unparse(node.test) and not types:
                for other in node.orelse:
                    self.visit(other)
            else:
                self.generic_visit(node)

        def visit_Import(self, node: ast.Import) -> None:
            names.extend(alias.name for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            assert node.level == 0, f"{path}: relative import"
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)

    Visitor().visit(ast.parse(path.read_text("utf-8")))
    return names


@each_by_name(FILES, "path", room)
def test_imports_go_down_the_storeys_only(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in LEVEL, f"{here} has no storey"
    for name in imports(path, False):
        parts = name.split(".")
        if parts[0] == "lenetcli" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= LEVEL[here], f"{path.name} ({here}) imports {name}"


@each_by_name(FILES, "path", room)
def test_heavy_libraries_stay_in_their_storeys(path: Path) -> None:
    here = room(path)
    libraries = {name.split(".")[0] for name in imports(path, False)}
    assert "torch" not in libraries
    if here not in LEVEL:
        return
    if here != "parallel":
        assert "mpi4py" not in libraries
    if LEVEL[here] < LEVEL["config"]:
        assert not libraries & FORBIDDEN_BELOW_CONFIG
    if here not in ("report", "cli", "__main__"):
        assert "rich" not in libraries


def name_of(path: Path) -> str:
    """A module's name, that of its package for an __init__."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("types", [False, True], ids=["at run time", "for types, from training upwards"])
def test_no_file_imports_itself_by_way_of_others(types: bool) -> None:
    lowest = LEVEL["train"] if types else 0
    modules = {name_of(path): path for path in FILES if LEVEL.get(room(path), lowest) >= lowest}
    graph = {
        name: {found if found in modules else found.rpartition(".")[0] for found in imports(path, types)}
        & set(modules) - {name, "lenetcli"}
        for name, path in modules.items()
    }
    done: set[str] = set()
    while ready := [name for name in graph if name not in done and graph[name] <= done]:
        done.update(ready)
    assert not set(graph) - done, f"circles among {sorted(set(graph) - done)}"


def test_no_room_has_the_name_of_a_module_of_python() -> None:
    assert not set(STOREYS) & sys.stdlib_module_names


def test_the_readme_shows_the_storeys() -> None:
    readme = (PACKAGE.parent / "README.md").read_text("utf-8")
    assert table() in readme, f"README.md, Architecture: wanted\n{table()}"


def test_importing_the_package_imports_no_numpy() -> None:
    code = "import sys, lenetcli; assert 'numpy' not in sys.modules; print(lenetcli.__version__)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=PACKAGE.parent)


def test_every_public_name_can_be_had() -> None:
    import lenetcli

    for name in lenetcli.__all__:
        assert getattr(lenetcli, name) is not None, name


def test_tests_have_torch_from_the_fixture_which_gives_them_the_torch_mark() -> None:
    tests = Path(__file__).parent
    found = {str(path.relative_to(tests)) for path in tests.rglob("*.py") if 'skip("torch"' in path.read_text("utf-8")}
    assert found - {Path(__file__).name} == {"conftest.py", "test_torch_databases.py"}
